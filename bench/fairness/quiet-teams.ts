import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, hashText } from "../../packages/simulator/src/index.ts";
import { median } from "../rounds.ts";
import { type Pool, startPool } from "./pool.ts";
import { arrivals, type Heard, startCrowd } from "./traffic.ts";

export interface Size {
  readonly rounds: number;
  /** Of one half of a round, in milliseconds. */
  readonly ms: number;
  readonly seed: number;
  say(line: string): void;
}

/** What nine teams saw of a tenth that floods. Times in milliseconds, without what other programs took. */
export interface QuietTeams {
  readonly quietP99: number;
  readonly floodP99: number;
  /** By how much the second is above the first, in percent: the median of the rounds. */
  readonly slowerPct: number;
  /** Both by the clock. */
  readonly quietP99ByClock: number;
  readonly floodP99ByClock: number;
  readonly requests: number;
  /** Of their requests while the flood went on, those that were not answered with 200. */
  readonly refused: number;
  readonly floodServed: number;
  readonly waitedP99: number;
}

const SLOTS = 20;
const PER_SECOND = 3;
const FLOOD_CLIENTS = 100;
/** Until a flood has filled the pool, and until what it left has gone. */
const SETTLE_MS = 1500;

const victims = Array.from({ length: 9 }, (_, i) => `quiet-${i}`);

/**
 * Nine teams send requests at their own pace, in each round once alone and once while a tenth team keeps the pool
 * saturated; the same requests at the same times, so that only the flood differs.
 */
export async function quietTeams(size: Size): Promise<QuietTeams> {
  const teams = Object.fromEntries(["flood", ...victims].map((name) => [name, {}]));
  const pool = await startPool({ teams, maxConcurrent: SLOTS });
  const quiet: Heard[][] = [];
  const flooded: Heard[][] = [];
  let floodServed = 0;
  try {
    await arrivals(pool, victims, { perSecond: PER_SECOND, ms: 2000, random: createRandom(1) });
    for (let round = 0; round < size.rounds; round++) {
      const seed = hashText(`round ${round}`, size.seed);
      // Whatever changes on the machine from half to half is to meet both alike.
      for (const half of round % 2 === 0 ? ["quiet", "flood"] : ["flood", "quiet"]) {
        if (half === "quiet") quiet.push(await quietHalf(pool, seed, size.ms));
        else {
          const { heard, served } = await floodHalf(pool, seed, size.ms);
          flooded.push(heard);
          floodServed += served;
        }
      }
      size.say(
        `  round ${round + 1}   quiet p99 ${p99(quiet[round]!).toFixed(0)}   flood p99 ${p99(flooded[round]!).toFixed(0)}`,
      );
    }
  } finally {
    await pool.close();
  }
  const all = flooded.flat();
  return {
    quietP99: p99(quiet.flat()),
    floodP99: p99(all),
    slowerPct: median(quiet.map((each, round) => (p99(flooded[round]!) / p99(each) - 1) * 100)),
    quietP99ByClock: byClock(quiet.flat()),
    floodP99ByClock: byClock(all),
    requests: all.length,
    refused: all.filter(({ status }) => status !== 200).length,
    floodServed,
    waitedP99: percentile(
      all.map(({ queueMs }) => queueMs),
      0.99,
    ),
  };
}

function quietHalf(pool: Pool, seed: number, ms: number): Promise<Heard[]> {
  return arrivals(pool, victims, { perSecond: PER_SECOND, ms, random: createRandom(seed) });
}

async function floodHalf(pool: Pool, seed: number, ms: number): Promise<{ heard: Heard[]; served: number }> {
  const crowd = startCrowd(pool, "flood", FLOOD_CLIENTS, createRandom(seed + 1));
  await sleep(SETTLE_MS);
  const heard = await quietHalf(pool, seed, ms);
  await crowd.stop();
  await sleep(SETTLE_MS);
  return { heard, served: crowd.heard.filter(({ status }) => status === 200).length };
}

const p99 = (heard: readonly Heard[]): number =>
  percentile(
    heard.map(({ ms }) => ms),
    0.99,
  );

const byClock = (heard: readonly Heard[]): number =>
  percentile(
    heard.map(({ clockMs }) => clockMs),
    0.99,
  );

/** The value under which this share of the others is; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
