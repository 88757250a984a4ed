import { setTimeout as sleep } from "node:timers/promises";
import { type Lab, openLab } from "../lab/lab.ts";
import type { Lane } from "../lab/lane.ts";
import { peakOf } from "../lab/peak-of.ts";
import { type Act, type Plan, planOf } from "../lab/plan.ts";
import type { Measure } from "./measure.ts";

const EVERY_MS = 20;
const POLL_MS = 20;
const SETTLED_MS = 850;
const limits = { failures: 5, detectMs: 2000, backMs: 10_000 } as const;
/** The waits of a breaker: doubled from the first, each up to a tenth shorter; and one try more when the wait is over at the end. */
const triesIn = (ms: number): number => {
  let tries = 0;
  for (let wait = 900, at = wait; at <= ms; wait = Math.min(wait * 2, 7200), at += wait) tries++;
  return tries;
};

/** Ways for a backend to go and to come back; `close` = it refuses connections. */
const flaps: Readonly<Record<string, Act | "close">> = {
  "500": { do: "status", status: 500 },
  reset: { do: "reset" },
  refused: "close",
  silence: { do: "silence" },
};

interface Flap {
  readonly attemptsUntilOpen: number;
  readonly detectMs: number;
  readonly triesInOutage: number;
  readonly allowedTries: number;
  readonly backMs: number;
  /** Most requests at once in each of four bursts behind the recovery. */
  readonly ramp: readonly number[];
  readonly notServed: number;
  readonly ok: boolean;
}

/** How a backend that goes and comes back is left and found again. */
export const breakerRecovery: Measure = {
  title: "ms from a backend's recovery until it answers again, the most over four ways of flapping",
  target: "<= 10,000; open after <= 5 failures or 2 s, a try per wait, then 2, 4, 8, ... at once",
  async run({ size, say }) {
    const outageMs = size === "full" ? 12_000 : 1500;
    const found: Record<string, Flap> = {};
    const chosen = Object.entries(flaps).slice(0, size === "full" ? 4 : 1);
    for (const [name, how] of chosen) {
      found[name] = await flapOnce(how, outageMs);
      say(`${name}: ${JSON.stringify(found[name])}`);
    }
    const all = Object.values(found);
    return { value: Math.max(...all.map(({ backMs }) => backMs)), ok: all.every(({ ok }) => ok), details: found };
  },
};

async function flapOnce(how: Act | "close", outageMs: number): Promise<Flap> {
  await using lab = await openLab({
    engines: ["a", "b"],
    config: ({ a, b }) => ({
      backends: { a: { kind: "vllm", url: a, max_concurrent: 64 }, b: { kind: "vllm", url: b } },
      models: {
        large: { on: [{ backend: "a", model: "lab" }], fallback: ["small"] },
        small: { on: [{ backend: "b", model: "lab" }] },
      },
      // Requests alone are to find out, and time: not the probes.
      defaults: { timeouts: { first_token: "1s" }, probe: { interval: "1h" } },
    }),
  });
  const { a } = lab.engines;
  const script = new FlapScript(lab);
  script.begin();
  await sleep(500);
  const before = await attemptsAt(lab, how);
  const downAt = performance.now();
  if (how === "close") await a.close();
  else a.outage = how;
  while (!(await isOpen(lab)) && performance.now() - downAt < 2 * limits.detectMs) await sleep(POLL_MS);
  const detectMs = performance.now() - downAt;
  // An attempt is counted when its request is over; the first wait is longer than that takes.
  await sleep(SETTLED_MS);
  const opened = await attemptsAt(lab, how);
  await sleep(outageMs);
  const triesInOutage = (await attemptsAt(lab, how)) - opened;
  if (how === "close") await a.open();
  else a.outage = undefined;
  const backAt = performance.now();
  const backMs = await script.untilServed(backAt);
  await script.end();
  // Each success counts towards the next step.
  const first = 2 * (1 + script.servedSince(backAt));
  const ramp = await script.bursts(4);
  const attemptsUntilOpen = opened - before;
  // A connection that is dropped without an answer may have been an idle one that the engine closed: it is tried once more.
  const each = how !== "close" && how.do === "reset" ? 2 : 1;
  const allowedTries = each * (triesIn(SETTLED_MS + outageMs) + 1);
  const doubling = ramp.every((peak, index) => peak <= (index === 0 ? first : 2 * ramp[index - 1]!));
  const detected = attemptsUntilOpen <= limits.failures || detectMs <= limits.detectMs;
  const { notServed } = script;
  const ok = detected && triesInOutage <= allowedTries && backMs <= limits.backMs && doubling && notServed === 0;
  return { attemptsUntilOpen, detectMs, triesInOutage, allowedTries, backMs, ramp, notServed, ok };
}

/** Attempts at `a`, when they begin; where it refuses connections, as the gateway counts them when they are over. */
async function attemptsAt({ gateway, engines }: Lab<"a" | "b">, how: Act | "close"): Promise<number> {
  if (how !== "close") return engines.a.attempts;
  return (await gateway.scrape()).sum("signalbox_attempts_total", { backend: "a", outcome: "failed" });
}

const isOpen = async ({ gateway }: Lab<"a" | "b">): Promise<boolean> =>
  (await gateway.scrape()).sum("signalbox_breaker_transitions_total", { backend: "a", to: "open" }) > 0;

/** Fifty requests a second through an outage, and bursts behind it. */
class FlapScript {
  notServed = 0;
  readonly #lab: Lab<"a" | "b">;
  readonly #idle: Lane[] = [];
  readonly #under = new Set<Promise<void>>();
  #number = 0;
  /** When `a` answered. */
  readonly #servedAt: number[] = [];
  #on: Promise<void> | undefined;
  #stopped = false;

  constructor(lab: Lab<"a" | "b">) {
    this.#lab = lab;
  }

  begin(): void {
    this.#on = this.#keepAsking();
  }

  async end(): Promise<void> {
    this.#stopped = true;
    await this.#on;
    await Promise.all(this.#under);
  }

  /** Answers of `a` since then. */
  servedSince(since: number): number {
    return this.#servedAt.filter((at) => at >= since).length;
  }

  /** Resolves with the milliseconds until `a` answered again. */
  async untilServed(since: number): Promise<number> {
    while (this.servedSince(since) === 0) {
      if (performance.now() - since > 2 * limits.backMs) throw new Error("the backend was not asked again");
      await sleep(1);
    }
    return this.#servedAt.find((at) => at >= since)! - since;
  }

  /** Most requests that `a` worked on at once in each of so many bursts of 40. */
  async bursts(count: number): Promise<number[]> {
    const peaks: number[] = [];
    for (let burst = 0; burst < count; burst++) {
      const plans = Array.from({ length: 40 }, () => planOf({ number: this.#number++, delayMs: 100 }));
      await Promise.all(plans.map((plan) => this.#ask(plan)));
      const visits = plans.flatMap((plan) => plan.visits.filter(({ engine }) => engine === "a"));
      peaks.push(peakOf(visits.map(({ at, endedAt = at }) => ({ from: at, to: endedAt }))));
    }
    return peaks;
  }

  async #keepAsking(): Promise<void> {
    while (!this.#stopped) {
      const asked = this.#ask(planOf({ number: this.#number++, stream: this.#number % 2 === 0 }));
      this.#under.add(asked);
      void asked.finally(() => this.#under.delete(asked));
      await sleep(EVERY_MS);
    }
  }

  async #ask(plan: Plan): Promise<void> {
    const lane = this.#idle.pop() ?? this.#lab.lane();
    const { verdict } = await this.#lab.ask(lane, plan, { model: "large" });
    this.#idle.push(lane);
    if (verdict.end !== "ok" || verdict.wrong !== undefined) this.notServed++;
    const last = plan.visits.at(-1);
    if (last?.engine === "a" && last.act.do === "answer") this.#servedAt.push(last.endedAt ?? 0);
  }
}
