import { type Figures, figuresOf, targets } from "../limits/figures.ts";
import { runLimits } from "../limits/run.ts";
import type { Measure } from "./measure.ts";

const REPLICAS = 4;
const runs = new Map<string, Promise<Figures>>();

/** One run of traffic for all that is read from it. */
function run(size: "short" | "full", seed: number, say: (line: string) => void): Promise<Figures> {
  const key = `${size} ${seed}`;
  let figures = runs.get(key);
  if (figures === undefined) {
    const seconds = size === "full" ? 60 : 8;
    figures = runLimits({ store: "redis", replicas: REPLICAS, seconds, seed, fault: "kill", say }).then(figuresOf);
    runs.set(key, figures);
  }
  return figures;
}

/** How much more than their limits four replicas let through together. */
export const overAdmission: Measure = {
  title: "% of requests over their limit in the fullest window of four replicas that share a Redis",
  target: "<= 1; exact tokens 0, realistic <= 5; 0 while Redis is away",
  async run({ size, seed, say }) {
    const figures = await run(size, seed, say);
    const { over_requests_pct: value, over_tokens_pct: tokens, redis_down_over: down } = figures;
    const kept = value <= targets.over_requests_pct && figures.over_concurrent_pct === 0;
    const tokensKept = tokens.exact === 0 && tokens.realistic <= targets.over_tokens_pct.realistic;
    const isDownKept =
      down !== null && down.over_requests_pct + down.over_concurrent_pct + down.over_tokens_pct.exact === 0;
    // Processes that share their cores with other tests are late, and a store that is late is left.
    const ok = size === "short" || (kept && tokensKept && isDownKept);
    return { value, ok, details: { tokens, down, concurrent: figures.over_concurrent_pct } };
  },
};

/** How much less than they may. */
export const underAdmissionShare: Measure = {
  title: "% of requests that were refused though a perfect limiter would have admitted so many more",
  target: "<= 2",
  async run({ size, seed, say }) {
    const { false_429_pct: value, teams, waits } = await run(size, seed, say);
    return { value, ok: size === "short" || value <= targets.false_429_pct, details: { teams, waits } };
  },
};

/** What it costs to lose the Redis. */
export const storeLoss: Measure = {
  title: "ms that the 99th percentile of decisions takes longer when Redis is killed",
  target: "<= 50 for <= 1 s, then <= 0.2; 0 failed requests",
  async run({ size, seed, say }) {
    const { outage, failures } = await run(size, seed, say);
    if (outage === null) throw new Error("Redis was not lost");
    const { failed, addedP99Ms: value, addedForMs, addedLaterMs, p99Ms, sharedAgainMs } = outage;
    const kept = value <= targets.added_p99_ms && addedForMs <= targets.added_for_ms;
    const isQuick = size === "short" || (kept && addedLaterMs <= targets.added_later_ms);
    return {
      value,
      ok: failed === 0 && isQuick,
      details: { failed, failures, addedForMs, addedLaterMs, p99Ms, sharedAgainMs },
    };
  },
};
