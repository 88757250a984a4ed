import { type Simulator, type SimulatorInput, startSimulator } from "../../packages/simulator/src/index.ts";
import { hashOf } from "../hostile/ready-gateway.ts";

const M2 = "MiniMaxAI/MiniMax-M2";
const QWEN = "Qwen/Qwen3-4B";

/** Tokens of the admin listener. */
export const tokens = { prometheus: "reads-what-there-is-61b7", admin: "does-what-is-asked-93fe" } as const;

/** Keys of teams; each team meets limits of its own. */
export const keys = {
  search: "sb-verify-search-1a7c",
  payments: "sb-verify-payments-58e2",
  nightly: "sb-verify-nightly-c04d",
  frugal: "sb-verify-frugal-7b93",
} as const;
export type Team = keyof typeof keys;

const call = (name: string, json: string): string =>
  `<tool_call>\n{"name": "${name}", "arguments": ${json}}\n</tool_call>`;

/** What MiniMax-M2 says to a prompt with one of these words; its text is left to the gateway. */
const m2Script: SimulatorInput["script"] = [
  {
    when: { contains: "whole-call" },
    reply: {
      text: 'A thought.</think><minimax:tool_call>\n<invoke name="look_up">\n<parameter name="city">Pécs</parameter>\n</invoke>\n</minimax:tool_call>',
    },
  },
  {
    when: { contains: "cut-call" },
    reply: {
      text: 'A thought.</think><minimax:tool_call>\n<invoke name="look_up">\n<parameter name="city">Pé',
      finish_reason: "length",
    },
  },
  {
    when: { contains: "coerced-call" },
    reply: {
      text: 'A thought.</think><minimax:tool_call>\n<invoke name="look_up">\n<parameter name="city">Pécs</parameter>\n<parameter name="days">NIL</parameter>\n</invoke>\n</minimax:tool_call>',
    },
  },
  { when: { contains: "endless-thought" }, reply: { text: "A thought that does not end." } },
  { reply: { text: `A thought.</think>${Array.from({ length: 30 }, (_, word) => `word${word}`).join(" ")}` } },
];

/** What the Qwen model says: calls as an engine without its parser leaves them. */
const qwenScript: SimulatorInput["script"] = [
  { when: { contains: "leaked-call" }, reply: { text: call("look_up", '{"city": "Pécs"}') } },
  { when: { contains: "repaired-call" }, reply: { text: call("look_up", '{"city": "Pécs", "days": 3,') } },
  { when: { contains: "denied-call" }, reply: { tool_calls: [{ name: "erase", arguments: { city: "Pécs" } }] } },
  { when: { contains: "misfit-call" }, reply: { tool_calls: [{ name: "look_up", arguments: { town: "Pécs" } }] } },
  {
    when: { contains: "thoughtful-call", turn: 0 },
    reply: { reasoning: "I look it up.", tool_calls: [{ name: "look_up", arguments: { city: "Pécs" } }] },
  },
  {
    when: { contains: "told-in-full" },
    reply: {
      body: {
        id: "chatcmpl-1",
        object: "chat.completion",
        created: 1,
        model: QWEN,
        choices: [{ index: 0, message: { role: "assistant", content: "Four." }, finish_reason: "stop" }],
        usage: {
          prompt_tokens: 128,
          completion_tokens: 40,
          total_tokens: 168,
          prompt_tokens_details: { cached_tokens: 96 },
          completion_tokens_details: { reasoning_tokens: 32 },
        },
      },
    },
  },
  { reply: { text: Array.from({ length: 20 }, (_, word) => `word${word}`).join(" ") } },
];

const engineInputs = {
  m2a: { kind: "sglang", models: [M2], script: m2Script, toolParser: false, tokensPerSecond: 150, firstTokenMs: 30 },
  m2b: { kind: "sglang", models: [M2], script: m2Script, toolParser: false, tokensPerSecond: 150, firstTokenMs: 30 },
  coder: { kind: "vllm", models: [QWEN], script: qwenScript, tokensPerSecond: 200, firstTokenMs: 10 },
  edge: { kind: "ollama", models: ["qwen2.5:0.5b"], tokensPerSecond: 300 },
  flaky: { kind: "vllm", models: [QWEN], script: qwenScript },
  late: { kind: "vllm", models: [QWEN], script: qwenScript, firstTokenMs: 300 },
  narrow: { kind: "llama_cpp", models: ["phi-4-mini"], tokensPerSecond: 60, slots: 1 },
} as const satisfies Readonly<Record<string, SimulatorInput>>;
type EngineName = keyof typeof engineInputs;
export type Engines = Readonly<Record<EngineName, Simulator>>;

/** Starts an engine for each part of the policy. */
export async function startEngines(): Promise<Engines> {
  const started = Object.entries(engineInputs).map(
    async ([name, input]) => [name, await startSimulator(input)] as const,
  );
  return Object.fromEntries(await Promise.all(started)) as unknown as Engines;
}

function backendsOf(engines: Engines) {
  const { m2a, m2b, coder, edge, flaky, late, narrow } = engines;
  return {
    "m2-a": { kind: "sglang", url: m2a.url, max_concurrent: 16, gpus: 4, tool_parser: "raw" },
    "m2-b": { kind: "sglang", url: m2b.url, max_concurrent: 16, gpus: 4, tool_parser: "raw" },
    coder: { kind: "vllm", url: coder.url, max_concurrent: 8, gpus: 1 },
    edge: { kind: "ollama", url: edge.url, max_concurrent: 8 },
    flaky: { kind: "vllm", url: flaky.url, max_concurrent: 8 },
    late: { kind: "vllm", url: late.url, max_concurrent: 8, gpus: 1 },
    narrow: { kind: "llama_cpp", url: narrow.url, max_concurrent: 1 },
  };
}

function models() {
  const m2 = { model: M2, dialect: "minimax_m2", reasoning_first: true };
  const qwen = { model: QWEN, dialect: "hermes" };
  const able = { context: "128k", tools: true };
  return {
    large: {
      ...able,
      on: [
        { backend: "m2-a", ...m2 },
        { backend: "m2-b", ...m2 },
      ],
      strategy: "two_choices",
      fallback: ["coder"],
      restart_broken_streams: true,
      cost: { input: "2/M", output: "8/M" },
    },
    coder: {
      ...able,
      on: [{ backend: "coder", ...qwen }],
      cost: { input: "0.2/M", output: "0.8/M" },
      remember_reasoning: "1h",
      guard: { schema: "flag", deny: [{ name: "no-erasing", tool: "erase" }] },
    },
    small: { on: [{ backend: "edge", model: "qwen2.5:0.5b" }], cost: { input: "0.05/M", output: "0.1/M" } },
    shaky: { ...able, on: [{ backend: "flaky", ...qwen }], fallback: ["coder"] },
    prompt: {
      ...able,
      on: [
        { backend: "late", ...qwen },
        { backend: "coder", ...qwen },
      ],
      strategy: "ordered",
      hedge: { after: "60ms" },
    },
    scarce: { on: [{ backend: "narrow", model: "phi-4-mini" }] },
  };
}

/** What the gateways talk to beside their engines. */
interface Around {
  readonly redisUrl: string;
  readonly collectorUrl: string;
}

/** A policy in which every metric has something to count. */
export function policyOf(engines: Engines, { redisUrl, collectorUrl }: Around): Readonly<Record<string, unknown>> {
  return {
    server: {
      admin_tokens: [
        { name: "prometheus", role: "viewer", hash: hashOf(tokens.prometheus) },
        { name: "hands", role: "admin", hash: hashOf(tokens.admin) },
      ],
      audit_file: "audit.jsonl",
      capture: { file: "replies.jsonl" },
      max_requests: 40,
      traces: { endpoint: collectorUrl, sample: "100%", timeout: "1s" },
    },
    store: redisUrl,
    backends: backendsOf(engines),
    models: models(),
    routing: [
      { name: "easy", when: { complexity: "simple" }, use: "small" },
      { name: "agents", when: { has_tools: true }, use: "coder" },
      { use: "large" },
    ],
    teams: {
      search: { keys: [hashOf(keys.search)], priority: "interactive" },
      payments: { keys: [hashOf(keys.payments)], limits: { requests: "4/s", tokens: "100k/min", concurrent: 6 } },
      nightly: { keys: [hashOf(keys.nightly)], priority: "batch" },
      frugal: { keys: [hashOf(keys.frugal)], budget: { tokens: "4k/day", cost: "1/month" } },
    },
    defaults: {
      timeouts: { connect: "500ms", first_token: "2s", idle: "2s", total: "10s" },
      probe: { interval: "1s", timeout: "500ms" },
      queue: { max_wait: "2s", max_waiting: 12 },
      scaling: { window: "15s" },
    },
  };
}
