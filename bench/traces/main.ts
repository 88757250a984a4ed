// `pnpm traces:verify [--json FILE] [--doc]`: a request with a failed attempt and a fallback, as a real collector received it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { startGatewayProcess } from "../faults/gateway-process.ts";
import { between } from "../faults/write-doc.ts";
import { type Collector, startCollector } from "./collector.ts";
import { attributesOf, type OtlpSpan, traceTree } from "./trace-tree.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const canary = "not-for-traces";
const page = new URL("../../docs/observability.md", import.meta.url);

interface Check {
  readonly what: string;
  readonly seen: unknown;
  readonly wanted: unknown;
}

/** Asks a gateway whose large model is broken, and gives back the spans that the collector wrote. */
async function play(collector: Collector, large: Simulator, small: Simulator): Promise<readonly OtlpSpan[]> {
  const gateway = await startGatewayProcess({
    config: {
      server: { traces: { endpoint: collector.url, attributes: { "deployment.environment.name": "example" } } },
      backends: { "gpu-1": { kind: "sglang", url: large.url }, edge: { kind: "vllm", url: small.url } },
      models: {
        large: { on: [{ backend: "gpu-1", model: "MiniMaxAI/MiniMax-M2" }], fallback: ["small"] },
        small: { on: [{ backend: "edge", model: "Qwen/Qwen3-8B" }] },
      },
      routing: [{ name: "hard-questions", when: { complexity: ">= moderate" }, use: "large" }, { use: "small" }],
      defaults: { retry_budget: "100%" },
    },
  });
  try {
    // What a process does for the first time takes longer.
    for (let i = 0; i < 10; i++) await ask(gateway.url, `00-${"1".repeat(32)}-${parentId}-00`);
    large.fault({ kind: "status", status: 500 });
    await ask(gateway.url, `00-${traceId}-${parentId}-01`);
    return await collector.trace(traceId, 4);
  } finally {
    await gateway.close();
  }
}

/** @throws Error unless the answer came whole. */
async function ask(url: string, traceparent: string): Promise<void> {
  const content = `Prove that there are infinitely many primes and derive a bound. ${canary}`;
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", traceparent },
    body: JSON.stringify({
      model: "auto",
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 32,
      temperature: 0.2,
      messages: [{ role: "user", content }],
    }),
  });
  if (response.status !== 200) throw new Error(`the request was answered with ${response.status}`);
  await response.text();
}

function checksOf(spans: readonly OtlpSpan[], small: Simulator): Check[] {
  const request = spans.find(({ kind }) => kind === 2)!;
  const attempts = spans.filter((span) => span !== request);
  const answered = attempts.at(-1)!;
  const told = small.log.find(({ method }) => method === "POST")?.headers.traceparent;
  return [
    { what: "spans", seen: spans.length, wanted: 4 },
    { what: "the client's span above the request's", seen: request.parentSpanId, wanted: parentId },
    {
      what: "attempts below the request's",
      seen: attempts.every(({ parentSpanId }) => parentSpanId === request.spanId),
      wanted: true,
    },
    { what: "outcomes", seen: attempts.map(outcomeOf).join(), wanted: "failed,failed,ok" },
    { what: "who answered", seen: attributesOf(request)["signalbox.backend"], wanted: "edge" },
    { what: "the rule", seen: attributesOf(request)["signalbox.rule"], wanted: "hard-questions" },
    { what: "tokens of the answer", seen: attributesOf(answered)["gen_ai.usage.output_tokens"], wanted: "32" },
    { what: "what the engine was told", seen: told, wanted: `00-${traceId}-${answered.spanId}-01` },
    { what: "words of the prompt in the trace", seen: JSON.stringify(spans).includes(canary), wanted: false },
  ];
}

const outcomeOf = (span: OtlpSpan): string => attributesOf(span)["signalbox.outcome"] ?? "";

const { values } = parseArgs({
  options: { json: { type: "string" }, doc: { type: "boolean", default: false } },
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
});
const folder = mkdtempSync(join(tmpdir(), "signalbox-traces-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const collector = await startCollector(folder);
const large = await startSimulator({ kind: "sglang", models: ["MiniMaxAI/MiniMax-M2"] });
const small = await startSimulator({ kind: "vllm", models: ["Qwen/Qwen3-8B"], tokensPerSecond: 200 });
try {
  const spans = await play(collector, large, small);
  const tree = traceTree(spans);
  console.log(`${tree}\n\nas OpenTelemetry Collector ${collector.version} received it\n`);
  const checks = checksOf(spans, small);
  for (const { what, seen, wanted } of checks)
    console.log(`${seen === wanted ? "PASS" : "FAIL"}  ${what}: ${seen}${seen === wanted ? "" : `, not ${wanted}`}`);
  const failed = checks.filter(({ seen, wanted }) => seen !== wanted).length;
  console.log(`\n${checks.length - failed} passed, ${failed} failed`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ checks, spans }, null, 2)}\n`);
  if (values.doc) writeFileSync(page, between(readFileSync(page, "utf8"), "trace", `\`\`\`text\n${tree}\n\`\`\`\n`));
  if (failed > 0) process.exitCode = 1;
} finally {
  await Promise.all([large.close(), small.close(), collector.stop()]);
}
