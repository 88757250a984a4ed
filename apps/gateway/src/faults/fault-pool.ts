import type { KindName, LogEntry, Simulator, SimulatorInput } from "@signalbox/simulator";
import { onTestFinished } from "vitest";
import { startTestGateway, type TestGateway } from "../end-to-end/test-gateway.ts";
import { type Answer, ask, type Reading, readAnswer } from "./wire-client.ts";

/** Timeouts of the product's defaults, divided so that a suite of faults stays short. */
const fast = { connect: 200, first_token: 300, idle: 400, total: 10_000, cold_start: 2000 };

const numbered = (letter: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${letter}${i} `);

/** What each engine says: numbered tokens, so that a lost, doubled or foreign one shows. */
export const words = { primary: numbered("p", 40).join(""), fallback: numbered("f", 40).join("") };

export interface PoolOptions {
  readonly kind?: KindName;
  readonly primary?: Partial<SimulatorInput>;
  readonly fallback?: Partial<SimulatorInput> | false;
  readonly timeouts?: Partial<typeof fast>;
  /** More of the primary backend's settings, as YAML members. */
  readonly settings?: string;
  /** More of `defaults`, as YAML members. */
  readonly defaults?: string;
  /** A URL in place of the primary engine's; the engine still runs. */
  readonly url?: string;
  readonly contexts?: { readonly large: number; readonly small: number };
  readonly probed?: boolean;
}

export interface Pool {
  readonly gateway: TestGateway<"primary" | "fallback">;
  readonly primary: Simulator;
  readonly fallback: Simulator;
  /** Asks for the model `large`, which falls back on `small`. */
  chat(stream: boolean, more?: Readonly<Record<string, unknown>>): Promise<Answer & Reading>;
  /** Inference requests that an engine saw. */
  seen(engine: "primary" | "fallback"): readonly LogEntry[];
  breakerOf(engine: "primary" | "fallback"): string;
  /** The gateway's own account of the last request. */
  lastLine(): Readonly<Record<string, unknown>>;
}

/** A gateway over a primary and a fallback engine, with short timeouts; closed when the test ends. */
export async function startPool(options: PoolOptions = {}): Promise<Pool> {
  const { kind = "vllm", settings = "", defaults = "", contexts } = options;
  const timeouts = Object.entries({ ...fast, ...options.timeouts }).map(([name, ms]) => `${name}: ${ms}ms`);
  const withFallback = options.fallback !== false;
  const gateway = await startTestGateway<"primary" | "fallback">({
    engines: {
      primary: { kind, models: ["big"], script: [{ reply: { deltas: numbered("p", 40) } }], ...options.primary },
      fallback: {
        kind: "sglang",
        models: ["tiny"],
        script: [{ reply: { deltas: numbered("f", 40) } }],
        ...options.fallback,
      },
    },
    yaml: ({ primary, fallback }) => `
backends:
  primary: { kind: ${kind}, url: "${options.url ?? primary}"${settings} }
  fallback: { kind: sglang, url: "${fallback}" }
models:
  large: { on: [{ backend: primary, model: big }]${contexts ? `, context: ${contexts.large}` : ""}${withFallback ? ", fallback: [small]" : ""} }
  small: { on: [{ backend: fallback, model: tiny }]${contexts ? `, context: ${contexts.small}` : ""} }
defaults:
  timeouts: { ${timeouts.join(", ")} }
  ${/probe:/.test(defaults) ? "" : "probe: { interval: 60s, timeout: 500ms }"}
  ${defaults}
`,
    ...(options.probed === undefined ? {} : { probed: options.probed }),
  });
  onTestFinished(() => gateway.close());
  const { primary, fallback } = gateway.engines;
  return {
    gateway,
    primary,
    fallback,
    async chat(stream, more = {}) {
      const answer = await ask(gateway.url, { body: chatBody(stream, more) });
      return { ...answer, ...readAnswer(answer) };
    },
    seen: (engine) => inferenceOf(gateway.engines[engine]),
    breakerOf: (engine) => gateway.gateway.serving.backends.get(engine)!.state.breaker,
    lastLine: () => gateway.requestLines().at(-1) ?? {},
  };
}

/** A chat request for the model `large`. */
export function chatBody(stream: boolean, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { model: "large", stream, messages: [{ role: "user", content: "count" }], ...more };
}

/** The inference requests in an engine's log. */
export function inferenceOf(engine: Simulator): readonly LogEntry[] {
  return engine.log.filter(({ method }) => method === "POST");
}

/** Resolves when `holds` does; rejects after `ms`. */
export async function until(holds: () => boolean, ms: number, what: string): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
