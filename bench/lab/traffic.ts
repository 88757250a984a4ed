import { createHash } from "node:crypto";
import { createRandom } from "../../packages/simulator/src/index.ts";
import { type Act, breaks, type Plan, planOf } from "./plan.ts";
import { talkOf } from "./talk.ts";

/** Ways for one request to go wrong, each as likely as the others. */
const faults = [
  "500",
  "503",
  "429",
  "reset",
  "error_event",
  "malformed_event",
  "leaves",
  "leaves_early",
  ...breaks,
] as const;
type FaultName = (typeof faults)[number];

const engineName = "a";

/** What a fault does to a plan. A fault of streams is one of streams alone. */
function withFault(name: FaultName, plan: Plan, random: () => number): Plan {
  const first = (...acts: Act[]): Plan => ({ ...plan, acts });
  switch (name) {
    case "500":
      // Now and then the next attempt fails, too.
      return first({ do: "status", status: 500 }, random() < 0.3 ? { do: "status", status: 502 } : { do: "answer" });
    case "503":
    case "429":
      // A real pause of the backend every so often; otherwise there would be nothing but pauses.
      return first({ do: "status", status: Number(name), retryAfter: random() < 0.02 ? 1 : 0 });
    case "reset":
      return first({ do: "reset" });
    case "error_event":
      return { ...first({ do: "error_event", tokens: 1 + Math.floor(random() * (plan.tokens - 1)) }), stream: true };
    case "malformed_event":
      return { ...first({ do: "malformed_event" }), stream: true };
    case "leaves": {
      const leaveAfter = Math.max(1, Math.floor(random() * plan.tokens));
      const bytes = talkOf(engineName, { ...plan, stream: true, toolCall: false }).tokenEnds[leaveAfter - 1]!;
      return { ...first({ do: "break", bytes, how: "stall" }), stream: true, toolCall: false, leaveAfter };
    }
    case "leaves_early":
      return { ...first({ do: "silence" }), leaveAfter: 0 };
    default: {
      // A whole reply that stalls is waited for ten times as long; one in eight shows it.
      if (name === "stall" && random() < 0.75) plan = { ...plan, stream: true };
      const bytes = Math.floor(random() * (talkOf(engineName, plan).finishedAt - 1));
      return first({ do: "break", bytes, how: name });
    }
  }
}

/**
 * A request of a seeded mix: half of them streams of 4 to 24 tokens, a tool call in twenty, and `faultShare` of them with
 * a fault. The same seed and number give the same plan.
 */
export function mixedPlan(seed: number, number: number, faultShare: number): Plan {
  const random = createRandom(Math.imul(seed, 0x9e3779b1) ^ number);
  const plan = planOf({
    number,
    stream: random() < 0.5,
    tokens: 4 + Math.floor(random() * 21),
    toolCall: random() < 0.05,
    pieceBytes: random() < 0.5 ? Number.POSITIVE_INFINITY : 200 + Math.floor(random() * 2000),
  });
  if (random() >= faultShare) return plan;
  return withFault(faults[Math.floor(random() * faults.length)]!, plan, random);
}

/** Keys of two teams: one that never meets its limits, and one that does. */
export const keys = { steady: "sk-lab-steady-6d1f0c2b", tight: "sk-lab-tight-93ab57e0" } as const;
const hashOf = (key: string): string => `sha256:${createHash("sha256").update(key).digest("hex")}`;

/** The team that asks for this plan; one request in fifty is of the one with the tight limits. */
export const teamOf = (number: number): keyof typeof keys => (number % 50 === 7 ? "tight" : "steady");

/** Where the engines of a policy are. */
export type EngineUrls = Readonly<Record<"a" | "b" | "c", string>>;

/** A policy with everything on: `a` and `b` serve large, `c` small, which is its fallback. Timeouts are short, and so are stalls. */
export function mixedPolicy({ a, b, c }: EngineUrls, tightPerSecond: number): Readonly<Record<string, unknown>> {
  const backend = (url: string) => ({ kind: "vllm", url, max_concurrent: 1000 });
  const on = (...names: string[]) => names.map((name) => ({ backend: name, model: "lab" }));
  const able = { context: "128k", tools: true };
  return {
    store: "memory",
    backends: { a: backend(a), b: backend(b), c: backend(c) },
    models: {
      large: { on: on("a", "b"), strategy: "two_choices", ...able, fallback: ["small"] },
      small: { on: on("c"), ...able },
    },
    routing: [{ when: { complexity: "complex" }, use: "small" }, { use: "large" }],
    teams: {
      steady: {
        keys: [hashOf(keys.steady)],
        limits: { requests: "100M/min", tokens: "100000M/min", concurrent: 10_000 },
      },
      tight: {
        keys: [hashOf(keys.tight)],
        models: ["auto", "large", "small"],
        limits: { requests: `${tightPerSecond}/s`, tokens: "100000M/min" },
      },
    },
    defaults: {
      timeouts: { connect: "1s", first_token: "250ms", idle: "500ms", total: "20s" },
      attempts: 3,
      retry_budget: "20%",
      probe: { interval: "2s", timeout: "1s" },
    },
  };
}
