import { type Simulator, type SimulatorInput, startSimulator } from "../../packages/simulator/src/index.ts";
import { hashOf } from "../hostile/ready-gateway.ts";

/** What an engine says that tells all sorts of tokens. */
const toldUsage = {
  prompt_tokens: 120,
  completion_tokens: 30,
  total_tokens: 150,
  prompt_tokens_details: { cached_tokens: 96 },
  completion_tokens_details: { reasoning_tokens: 11 },
} as const;

const told = { id: "told", created: 1, model: "m" };
const wholeBody = {
  ...told,
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: "thirty" }, finish_reason: "stop" }],
  usage: toldUsage,
};
const events = [
  { ...told, object: "chat.completion.chunk", choices: [{ index: 0, delta: { role: "assistant", content: "thir" } }] },
  {
    ...told,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: { content: "ty" }, finish_reason: "stop" }],
  },
  { ...told, object: "chat.completion.chunk", choices: [], usage: toldUsage },
];
const streamed = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}data: [DONE]\n\n`;
const raw = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ncontent-length: ${streamed.length}\r\n\r\n${streamed}`;

const vllm = (more: Partial<SimulatorInput> = {}): SimulatorInput => ({ kind: "vllm", models: ["m"], ...more });

const engines = {
  /** Always fails. */
  failing: vllm(),
  /** Fails now and then; its replica never does, so that it is known which attempt came first. */
  a1: vllm(),
  a2: vllm(),
  b1: { kind: "sglang", models: ["m"] },
  /** Is busy now and then. */
  b2: { kind: "llama_cpp", models: ["m"] },
  /** Leaves tool calls in the text. */
  texty: vllm({ toolParser: false }),
  /** Breaks off within streams, now and then. */
  breaking: vllm(),
  /** Stops for ever within a stream. */
  stuck: vllm(),
  /** Never says a word. */
  mute: vllm(),
  /** Tells cached and reasoning tokens. */
  telling: vllm({
    script: [{ when: { stream: true }, reply: { raw } }, { reply: { status: 200, body: wholeBody } }],
  }),
  vectors: vllm(),
} satisfies Record<string, SimulatorInput>;
export type EngineName = keyof typeof engines;

/** All of them, in the order in which a request that fails comes to them. */
export const engineNames: readonly EngineName[] = Object.keys(engines) as EngineName[];

/** The model of the policy that stands for each engine. */
export const modelOf: Readonly<Record<EngineName, string>> = {
  failing: "lost",
  a1: "large",
  a2: "large",
  b1: "small",
  b2: "small",
  texty: "texty",
  breaking: "breaking",
  stuck: "stuck",
  mute: "mute",
  telling: "telling",
  vectors: "vectors",
};

/** Billionths of the currency a token. */
export const prices: Readonly<Record<string, { readonly input: number; readonly output: number }>> = {
  large: { input: 1000, output: 4000 },
  small: { input: 100, output: 400 },
  telling: { input: 300, output: 1200 },
};

/** Those with a label of their own, and one more that is `other`. */
const labelledTeams = ["limited", "poor", "narrow", "alpha", "beta"] as const;
export const teams = [...labelledTeams, "gamma"] as const;
export type TeamName = (typeof teams)[number];

/** The label of a team in metrics. */
export const labelOf = (team: string): string => ((labelledTeams as readonly string[]).includes(team) ? team : "other");

/** Engines in this process, with their faults. */
export async function startEngines(): Promise<Readonly<Record<EngineName, Simulator>>> {
  const started = await Promise.all(
    Object.entries(engines).map(async ([name, options]) => [name, await startSimulator(options)] as const),
  );
  const pool = Object.fromEntries(started) as Record<EngineName, Simulator>;
  pool.failing.fault({ kind: "status", status: 500 });
  pool.a1.fault({ kind: "status", status: 500, probability: 0.1 });
  pool.a1.fault({ kind: "reset", probability: 0.04 });
  pool.b2.fault({ kind: "status", status: 429, probability: 0.03 });
  pool.b1.fault({ kind: "malformed_event", after_tokens: 2, probability: 0.1 });
  pool.breaking.fault({ kind: "cut", after_tokens: 3, probability: 0.3 });
  pool.stuck.fault({ kind: "stall", after_tokens: 3 });
  pool.mute.fault({ kind: "silence" });
  return pool;
}

const perMillion = (nano: number): string => `${nano / 1000}/M`;

/** The policy for so many requests: limits are reached, and left. */
export function policyFor(
  requests: number,
  pool: Readonly<Record<EngineName, Simulator>>,
): Readonly<Record<string, unknown>> {
  const models = Object.fromEntries(
    [...new Set(Object.values(modelOf))].map((model) => {
      const on = engineNames
        .filter((name) => modelOf[name] === model)
        .map((backend) => ({ backend, model: "m", ...(backend === "texty" && { dialect: "hermes" }) }));
      const price = prices[model];
      const cost = price && { input: perMillion(price.input), output: perMillion(price.output) };
      return [model, { on, ...(cost && { cost }) }];
    }),
  );
  const keyed = (team: TeamName, more: object = {}) => ({ keys: [hashOf(`key-${team}`)], ...more });
  return {
    server: { metrics: { teams: labelledTeams.length } },
    backends: Object.fromEntries(
      engineNames.map((name) => {
        const { kind, url } = pool[name];
        return [name, { kind, url, ...(name === "texty" && { tool_parser: "raw" }) }];
      }),
    ),
    models: {
      ...models,
      large: { ...models.large, aliases: ["big"], fallback: ["small"] },
      lost: { ...models.lost, fallback: ["small"] },
    },
    routing: [
      { name: "easy", when: { complexity: "simple" }, use: "small" },
      { name: "middling", when: { complexity: "moderate" }, use: "small" },
      { name: "hard", when: { complexity: "complex" }, use: "large" },
    ],
    teams: {
      alpha: keyed("alpha"),
      beta: keyed("beta", { models: ["auto", "small", "telling", "texty", "breaking"] }),
      gamma: keyed("gamma"),
      limited: keyed("limited", { limits: { requests: `${Math.ceil(requests / 20)}/min` } }),
      poor: keyed("poor", { budget: { tokens: `${requests + 500}/day` } }),
      narrow: keyed("narrow", { limits: { concurrent: 1 } }),
    },
  };
}
