import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "../../packages/simulator/src/index.ts";
import { startPool } from "./pool.ts";
import { percentile, type Size } from "./quiet-teams.ts";
import { startCrowd } from "./traffic.ts";

/** What became of interactive and batch requests that both would have taken the whole pool. Times in milliseconds. */
export interface Priorities {
  readonly interactiveP95: number;
  readonly batchP95: number;
  /** The first in parts of the second. */
  readonly ratio: number;
  /** Of all that was served, in percent. */
  readonly batchSharePct: number;
  readonly served: number;
  readonly refused: number;
}

const SLOTS = 20;
const CLIENTS = 80;
/** Until both wait as long as they will. */
const SETTLE_MS = 3000;

/** A team of each of the two priorities keeps more requests waiting than the pool can take. */
export async function priorityShares({ rounds, ms, seed }: Size): Promise<Priorities> {
  const teams = { chat: { priority: "interactive" }, reports: { priority: "batch" } };
  const pool = await startPool({ teams, maxConcurrent: SLOTS });
  try {
    const chat = startCrowd(pool, "chat", CLIENTS, createRandom(seed));
    const reports = startCrowd(pool, "reports", CLIENTS, createRandom(seed + 1));
    await sleep(SETTLE_MS);
    const from = { chat: chat.heard.length, reports: reports.heard.length };
    await sleep(2 * rounds * ms);
    const interactive = chat.heard.slice(from.chat);
    const batch = reports.heard.slice(from.reports);
    await Promise.all([chat.stop(), reports.stop()]);
    const served = [...interactive, ...batch].filter(({ status }) => status === 200).length;
    const servedBatch = batch.filter(({ status }) => status === 200).length;
    const waitOf = (heard: typeof batch): number =>
      percentile(
        heard.map(({ queueMs }) => queueMs),
        0.95,
      );
    return {
      interactiveP95: waitOf(interactive),
      batchP95: waitOf(batch),
      ratio: waitOf(interactive) / waitOf(batch),
      batchSharePct: (servedBatch / served) * 100,
      served,
      refused: interactive.length + batch.length - served,
    };
  } finally {
    await pool.close();
  }
}
