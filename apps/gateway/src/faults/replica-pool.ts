import type { KindName, Simulator, SimulatorInput } from "@signalbox/simulator";
import { onTestFinished } from "vitest";
import { startTestGateway, type TestGateway } from "../end-to-end/test-gateway.ts";
import { type Answer, ask } from "./wire-client.ts";

/** Numbered tokens: 1 to `count`. */
const counted = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i + 1} `);

export const COUNT = 30;
/** What every replica says. */
export const ALL = counted(COUNT).join("");

export interface ReplicaOptions {
  readonly kinds?: { readonly a?: KindName; readonly b?: KindName; readonly c?: KindName };
  readonly engines?: { readonly [Name in "a" | "b" | "c"]?: Partial<SimulatorInput> };
  /** Members of the model and of each of its deployments, as YAML. */
  readonly model?: string;
  readonly on?: string;
  /** More of a backend's members, as YAML. */
  readonly backend?: string;
  /** Timeouts in place of short ones. */
  readonly timeouts?: Readonly<Record<string, string>>;
  /** 100% unless given. */
  readonly budget?: string;
  /** Where a backend is, in place of its engine; the engine still runs. */
  readonly urls?: { readonly [Name in "a" | "b" | "c"]?: string };
}

/** One streamed answer as its client sees it, comments and all. */
export interface Seen extends Answer {
  readonly content: string;
  readonly reasoning: string;
  readonly finishes: readonly string[];
  readonly done: number;
  readonly errors: readonly { readonly code?: string }[];
  readonly comments: readonly string[];
  readonly chunks: readonly Record<string, unknown>[];
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number };
}

export interface Replicas {
  readonly gateway: TestGateway<"a" | "b" | "c">;
  readonly a: Simulator;
  readonly b: Simulator;
  readonly c: Simulator;
  chat(more?: Readonly<Record<string, unknown>>): Promise<Seen>;
  /** Bodies of the inference requests that an engine saw. */
  bodies(engine: "a" | "b" | "c"): readonly Record<string, unknown>[];
  line(): Readonly<Record<string, unknown>>;
}

/** A gateway over three replicas of one model, which are tried in order; closed when the test ends. */
export async function startReplicas(options: ReplicaOptions = {}): Promise<Replicas> {
  const {
    kinds = {},
    model = "",
    on = "",
    backend = ", continue_final_message: true",
    timeouts = {},
    budget = "100%",
  } = options;
  const limits = Object.entries({ connect: "200ms", first_token: "1s", idle: "300ms", total: "10s", ...timeouts });
  const engine = (name: "a" | "b" | "c"): SimulatorInput => ({
    kind: kinds[name] ?? "vllm",
    models: ["big"],
    script: [{ reply: { deltas: counted(COUNT) } }],
    ...options.engines?.[name],
  });
  const gateway = await startTestGateway<"a" | "b" | "c">({
    engines: { a: engine("a"), b: engine("b"), c: engine("c") },
    yaml: (urls) => `
backends:
${(["a", "b", "c"] as const)
  .map((name) => {
    const url = options.urls?.[name] ?? urls[name];
    const able = ["vllm", "sglang"].includes(kinds[name] ?? "vllm");
    return `  ${name}: { kind: ${kinds[name] ?? "vllm"}, url: "${url}"${able ? backend : ""} }`;
  })
  .join("\n")}
models:
  large:
    strategy: ordered
    on: [{ backend: a, model: big${on} }, { backend: b, model: big${on} }, { backend: c, model: big${on} }]
    ${model}
defaults:
  timeouts: { ${limits.map(([name, limit]) => `${name}: ${limit}`).join(", ")} }
  probe: { interval: 60s, timeout: 500ms }
  retry_budget: ${budget}
`,
  });
  onTestFinished(() => gateway.close());
  const { a, b, c } = gateway.engines;
  return {
    gateway,
    a,
    b,
    c,
    chat: async (more = {}) => {
      const body = { model: "large", stream: true, messages: [{ role: "user", content: "count" }], ...more };
      return seen(await ask(gateway.url, { body }));
    },
    bodies: (name) =>
      gateway.engines[name].log
        .filter(({ method }) => method === "POST")
        .map(({ body }) => JSON.parse(String(body)) as Record<string, unknown>),
    line: () => gateway.requestLines().at(-1) ?? {},
  };
}

/** Reads a stream of events and comments. */
function seen(answer: Answer): Seen {
  const parts = answer.text.split("\n\n").slice(0, -1);
  const data = parts.filter((part) => part.startsWith("data: ")).map((part) => part.slice("data: ".length));
  const chunks = data.filter((text) => text !== "[DONE]").map((text) => JSON.parse(text) as Record<string, unknown>);
  const choices = chunks.flatMap(({ choices }) => (choices ?? []) as Record<string, never>[]);
  const textOf = (field: string) => choices.map(({ delta }) => delta?.[field] ?? "").join("");
  return {
    ...answer,
    content: textOf("content"),
    reasoning: textOf("reasoning_content"),
    finishes: choices.flatMap(({ finish_reason }) => (finish_reason ? [finish_reason as string] : [])),
    done: data.filter((text) => text === "[DONE]").length,
    errors: chunks.flatMap(({ error }) => (error === undefined ? [] : [error as { code?: string }])),
    comments: parts.filter((part) => part.startsWith(":")).map((part) => part.slice(2)),
    chunks,
    usage: chunks.findLast(({ usage }) => usage !== undefined && usage !== null)?.usage as Seen["usage"],
  };
}
