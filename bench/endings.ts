// What the official client makes of a reply that broke: straight from the engine, through a plain proxy, through Signalbox.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import OpenAI from "openai";
import { type FaultInput, type KindName, startSimulator } from "../packages/simulator/src/index.ts";
import { nginx } from "./contenders.ts";
import { startGatewayProcess } from "./faults/gateway-process.ts";
import { machine } from "./harness.ts";

/** One way in which a reply ends before the model has finished it. */
interface Ending {
  readonly what: string;
  readonly kind: KindName;
  readonly fault: FaultInput;
}

const TOKENS = 40;
const after_tokens = 12;

/** Recorded from real engines where they are named. */
const endings: readonly Ending[] = [
  { what: "Ollama: the runner is killed", kind: "ollama", fault: { kind: "ollama_runner_killed", after_tokens } },
  { what: "vLLM: the engine dies", kind: "vllm", fault: { kind: "vllm_engine_died", after_tokens } },
  { what: "vLLM: is stopped", kind: "vllm", fault: { kind: "vllm_stopped", after_tokens } },
  {
    what: "llama-cpp-python: another request interrupts",
    kind: "llama_cpp",
    fault: { kind: "interrupted", after_tokens },
  },
  { what: "llama-server: is stopped", kind: "llama_cpp", fault: { kind: "llama_stopped", after_tokens } },
  { what: "the connection is closed in mid-stream", kind: "vllm", fault: { kind: "cut", after_tokens } },
  { what: "the stream ends cleanly, too early", kind: "vllm", fault: { kind: "clean_cut", after_tokens } },
  { what: "the connection is reset", kind: "vllm", fault: { kind: "reset_midway", after_tokens } },
  { what: "the engine falls silent", kind: "vllm", fault: { kind: "stall", after_tokens } },
  { what: "an error object under 200", kind: "vllm", fault: { kind: "error_under_200" } },
];

/** A client that waits no longer than this for the next piece. */
const PATIENCE_MS = 6000;
const IDLE_MS = 1000;

/** `looks finished`: the stream ended, no exception was thrown, and the model had not finished. */
type Verdict = "complete" | "error" | "looks finished" | "hangs";

/** Reads one streamed answer as an application does. */
async function read(baseURL: string): Promise<Verdict> {
  const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
  const leave = new AbortController();
  const reading = (async (): Promise<Verdict> => {
    try {
      const stream = await client.chat.completions.create(
        { model: "m", stream: true, messages: [{ role: "user", content: "count" }] },
        { signal: leave.signal },
      );
      let finish: string | null = null;
      for await (const { choices } of stream) finish = choices?.[0]?.finish_reason ?? finish;
      return finish === "stop" ? "complete" : "looks finished";
    } catch {
      return "error";
    }
  })();
  const verdict = await Promise.race([reading, sleep(PATIENCE_MS, "hangs" as const)]);
  leave.abort();
  return verdict;
}

interface Way {
  readonly name: string;
  readonly url: string;
  end(): Promise<void>;
}

/** The ways to the engine at `url`, each with what ends it. */
async function ways(url: string, kind: KindName, folder: string): Promise<Way[]> {
  const gateway = await startGatewayProcess({
    config: {
      backends: { engine: { kind, url } },
      models: { m: { on: [{ backend: "engine" }] } },
      defaults: { timeouts: { idle: `${IDLE_MS}ms`, first_token: "2s" } },
    },
  });
  const proxy = nginx.whyNot === undefined ? await nginx.start(Number(new URL(url).port), folder) : undefined;
  return [
    { name: "direct", url, end: async () => {} },
    ...(proxy ? [{ name: "nginx", url: `http://127.0.0.1:${proxy.port}`, end: proxy.stop }] : []),
    { name: "signalbox", url: gateway.url, end: gateway.close },
  ];
}

async function play({ kind, fault }: Ending): Promise<Record<string, Verdict>> {
  const deltas = Array.from({ length: TOKENS }, (_, i) => `w${i} `);
  const engine = await startSimulator({ kind, models: ["m"], script: [{ reply: { deltas } }] });
  const folder = mkdtempSync(join(tmpdir(), "signalbox-endings-"));
  const all = await ways(engine.url, kind, folder);
  const verdicts: Record<string, Verdict> = {};
  for (const { name, url } of all) {
    engine.fault(fault);
    verdicts[name] = await read(`${url}/v1`);
  }
  await Promise.all(all.map(({ end }) => end()));
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
  return verdicts;
}

const { values } = parseArgs({ options: { json: { type: "string" } } });
const results: { what: string; verdicts: Record<string, Verdict> }[] = [];
for (const ending of endings) results.push({ what: ending.what, verdicts: await play(ending) });

const names = Object.keys(results[0]!.verdicts);
console.log(`Replies that broke, as OpenAI's client for JavaScript reports them, on ${machine()}\n`);
console.log(`| how the reply ends | ${names.join(" | ")} |\n|---|${names.map(() => "---|").join("")}`);
for (const { what, verdicts } of results)
  console.log(`| ${what} | ${names.map((name) => verdicts[name]).join(" | ")} |`);
const told = (name: string): number => results.filter(({ verdicts }) => verdicts[name] === "error").length;
console.log(`\n${names.map((name) => `${name}: ${told(name)} of ${results.length} told as errors`).join(", ")}`);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), results }, null, 2)}\n`);
process.exit(told("signalbox") === results.length ? 0 : 1);
