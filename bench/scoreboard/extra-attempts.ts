import { setTimeout as sleep } from "node:timers/promises";
import { openLab } from "../lab/lab.ts";
import type { Lane } from "../lab/lane.ts";
import { type Act, type Plan, planOf } from "../lab/plan.ts";
import type { EngineUrls } from "../lab/traffic.ts";
import type { Measure } from "./measure.ts";

const PER_SECOND = 500;
const TICK_MS = 20;
/** Retries that are always granted, each second. */
const FLOOR_PER_SECOND = 10;
const limits = { share: 1.1, attempts: 3 } as const;

/**
 * Ways for everybody to be gone at once. Where a backend says that it may be asked again at once, neither breaker nor pause
 * helps, and the budget alone holds: there it is set to what the target asks of it.
 */
const outages: Readonly<Record<string, { readonly act: Act; readonly budget?: string }>> = {
  "500": { act: { do: "status", status: 500 } },
  reset: { act: { do: "reset" } },
  "503": { act: { do: "status", status: 503 } },
  "429": { act: { do: "status", status: 429 } },
  "429, retry-after 0, retry_budget 10%": { act: { do: "status", status: 429, retryAfter: 0 }, budget: "10%" },
};

const policy = ({ a, b, c }: EngineUrls, budget = "20%"): Readonly<Record<string, unknown>> => ({
  backends: { a: { kind: "vllm", url: a }, b: { kind: "vllm", url: b }, c: { kind: "vllm", url: c } },
  models: {
    large: {
      on: [
        { backend: "a", model: "lab" },
        { backend: "b", model: "lab" },
      ],
      fallback: ["small"],
    },
    small: { on: [{ backend: "c", model: "lab" }] },
  },
  defaults: { probe: { interval: "1h" }, retry_budget: budget },
});

interface Load {
  readonly requests: number;
  readonly attempts: number;
  /** Attempts beyond the floor, in parts of the requests. */
  readonly share: number;
  readonly mostOfOne: number;
  readonly slowestMs: number;
}

/** How much harder clients' requests hit a pool that is wholly down, for the retries made of them. */
export const extraAttempts: Measure = {
  title: "attempts per request in a total outage at 500 requests a second, beyond 10 a second",
  target: "<= 1.1, and at most 3 of one request",
  async run({ size, say }) {
    const seconds = size === "full" ? 10 : 1;
    const found: Record<string, Load> = {};
    const chosen = Object.entries(outages).slice(size === "full" ? 0 : -1);
    for (const [name, { act, budget }] of chosen) {
      found[name] = await underOutage(act, budget, seconds);
      say(`${name}: ${JSON.stringify(found[name])}`);
    }
    const loads = Object.values(found);
    const value = Math.max(...loads.map(({ share }) => share));
    const mostOfOne = Math.max(...loads.map((load) => load.mostOfOne));
    return { value, ok: value <= limits.share && mostOfOne <= limits.attempts, details: { ...found, mostOfOne } };
  },
};

async function underOutage(outage: Act, budget: string | undefined, seconds: number): Promise<Load> {
  await using lab = await openLab({ engines: ["a", "b", "c"], config: (urls) => policy(urls, budget) });
  const engines = Object.values(lab.engines);
  const idle: Lane[] = [];
  const plans: Plan[] = [];
  let slowestMs = 0;
  const one = async (): Promise<void> => {
    const plan = planOf({ number: plans.length, stream: plans.length % 2 === 0 });
    plans.push(plan);
    const client = idle.pop() ?? lab.lane();
    const { heard } = await lab.ask(client, plan, { model: "large" });
    slowestMs = Math.max(slowestMs, heard.ms);
    idle.push(client);
  };
  for (const engine of engines) engine.outage = outage;
  const began = performance.now();
  const under: Promise<void>[] = [];
  while (under.length < seconds * PER_SECOND) {
    const due = Math.min(seconds * PER_SECOND, ((performance.now() - began) / 1000) * PER_SECOND);
    while (under.length < due) under.push(one());
    await sleep(TICK_MS);
  }
  await Promise.all(under);
  const attempts = engines.reduce((sum, engine) => sum + engine.attempts, 0);
  // A second's worth may have been saved up before.
  const floor = FLOOR_PER_SECOND * (1 + Math.ceil((performance.now() - began) / 1000));
  const mostOfOne = Math.max(...plans.map(({ visits }) => visits.length));
  return {
    requests: plans.length,
    attempts,
    share: Math.max(0, attempts - floor) / plans.length,
    mostOfOne,
    slowestMs,
  };
}
