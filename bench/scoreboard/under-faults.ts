import { fast, full } from "../faults/profile.ts";
import { createScheduler, type Result } from "../faults/run.ts";
import { scenarios } from "../faults/table.ts";
import type { Measure } from "./measure.ts";

/** Of a short run: the error of 114 MB. */
const fewIds: readonly string[] = ["F20"];
const limits = { lagMaxMs: 200, lagP99Ms: 50, cpuShare: 0.05 } as const;
const played = new Map<string, Promise<Result[]>>();

/** Plays the fault table once for all measures that read its figures, a row at a time: what they measure bears no company. */
function play(size: "short" | "full", seed: number): Promise<Result[]> {
  const key = `${size} ${seed}`;
  let results = played.get(key);
  if (results === undefined) {
    const profile = size === "full" ? full : fast;
    const scheduler = createScheduler({ profile, seed, beside: 1 });
    const chosen = scenarios.filter(
      ({ id, skipped }) => skipped === undefined && (size === "full" || fewIds.includes(id)),
    );
    results = Promise.all(chosen.map((scenario) => scheduler.play(scenario)));
    played.set(key, results);
  }
  return results;
}

const worst = (results: readonly Result[], of: (result: Result) => number): Result =>
  results.reduce((most, one) => (of(one) > of(most) ? one : most));

/** How long anything held up the event loop. */
export const eventLoopLag: Measure = {
  title: "ms that the event loop was held up at most, over every fault of the table",
  target: "<= 200, and 99 % <= 50",
  async run({ size, seed }) {
    const results = await play(size, seed);
    const most = worst(results, ({ lagMaxMs }) => lagMaxMs);
    const p99 = worst(results, ({ lagP99Ms }) => lagP99Ms);
    // A short run is taken in company, which is what it would measure.
    const ok = size === "short" || (most.lagMaxMs <= limits.lagMaxMs && p99.lagP99Ms <= limits.lagP99Ms);
    const p99Ms = { [p99.id]: p99.lagP99Ms };
    return { value: most.lagMaxMs, ok, details: { rows: results.length, maxMs: { [most.id]: most.lagMaxMs }, p99Ms } };
  },
};

/** What the process does when a fault is over. */
export const cpuAfterwards: Measure = {
  title: "share of a core that is used in the 10 s after a fault, the most over every fault of the table",
  target: "< 0.05",
  async run({ size, seed }) {
    const results = await play(size, seed);
    const most = worst(results, ({ cpuAfter }) => cpuAfter);
    const ok = size === "short" || most.cpuAfter < limits.cpuShare;
    return { value: most.cpuAfter, ok, details: { rows: results.length, row: most.id } };
  },
};
