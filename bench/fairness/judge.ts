import type { Priorities } from "./priorities.ts";
import type { QuietTeams } from "./quiet-teams.ts";

/** One line of the verdict. */
export interface Verdict {
  readonly what: string;
  readonly is: string;
  readonly mustBe: string;
  readonly ok: boolean;
}

/** A flood may make the others' 99th percentile slower by so much, in percent. */
export const SLOWER_PCT = 10;
/** The 95th percentile of interactive waits, in parts of batch's. */
const WAIT_RATIO = 1 / 5;
/** Batch has one part in 17 beside interactive alone; less the noise of a short run. */
const BATCH_FLOOR_PCT = (100 / 17) * 0.8;

/** What was measured, held to what is promised. */
export function judge(quiet: QuietTeams, shares: Priorities): Verdict[] {
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const pct = (value: number): string => `${value.toFixed(1)} %`;
  const fact = (what: string, is: string): Verdict => ({ what, is, mustBe: "-", ok: true });
  return [
    fact("by the clock, alone and beside the flood", `${ms(quiet.quietP99ByClock)}, ${ms(quiet.floodP99ByClock)}`),
    fact("p99 of the quiet teams, alone", ms(quiet.quietP99)),
    fact("p99 of the quiet teams, beside the flood", ms(quiet.floodP99)),
    {
      what: "slower by (median of the rounds)",
      is: pct(quiet.slowerPct),
      mustBe: `<= ${SLOWER_PCT} %`,
      ok: quiet.slowerPct <= SLOWER_PCT,
    },
    {
      what: `refused, of ${quiet.requests} requests of the quiet teams`,
      is: String(quiet.refused),
      mustBe: "0",
      ok: quiet.requests > 0 && quiet.refused === 0,
    },
    fact("requests of the flood that were served", String(quiet.floodServed)),
    fact("p95 wait, interactive", ms(shares.interactiveP95)),
    fact("p95 wait, batch", ms(shares.batchP95)),
    {
      what: "interactive waits, in parts of batch",
      is: shares.ratio.toFixed(3),
      mustBe: `<= ${WAIT_RATIO}`,
      ok: shares.ratio <= WAIT_RATIO,
    },
    {
      what: "batch, of all that was served",
      is: pct(shares.batchSharePct),
      mustBe: `>= ${BATCH_FLOOR_PCT.toFixed(1)} %`,
      ok: shares.batchSharePct >= BATCH_FLOOR_PCT,
    },
  ];
}
