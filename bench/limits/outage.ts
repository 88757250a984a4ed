import type { Asked } from "./asking.ts";
import { type Fullest, fullestWindows } from "./over-admission.ts";
import type { Outage } from "./run.ts";

/** What the loss of the store cost. */
export interface OutageCost {
  /** Requests that were neither answered nor refused, from the loss on. */
  readonly failed: number;
  /** The fullest of the windows that end after the loss. */
  readonly fullest: readonly Fullest[];
  /** Milliseconds from the loss to Redis' return. */
  readonly downMs: number;
  /** How long a decision took: 99 % were faster, in milliseconds. */
  readonly p99Ms: {
    readonly before: number;
    readonly firstSecond: number;
    readonly down: number;
    readonly back: number;
    readonly after: number;
  };
  readonly addedP99Ms: number;
  /** How long after the loss decisions took longer than before. */
  readonly addedForMs: number;
  /** Added to the median from a second after the loss on. */
  readonly addedLaterMs: number;
  /** From Redis' return until a team whose clients all ask one replica had its whole limit again; null = not in the run. */
  readonly sharedAgainMs: number | null;
}

const BASELINE_MS = 10_000;
const SECOND = 1000;
const BUCKET_MS = 250;
/** A bucket that is slower by this is not yet as before. */
const NOTICEABLE_MS = 10;
/** Of the limit of the team that asks one replica alone: a share of it would be a quarter. */
const WHOLE = 0.9;

const latencyOf = ({ sentAt, decidedBy }: Asked): number => decidedBy - sentAt;

/** What of all decisions was faster in this part of them; 0 of none. */
function quantile(asked: readonly Asked[], share: number): number {
  const sorted = asked.map(latencyOf).sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

/** Judges the part of a run in which its store was lost. `lone` is the team that asks one replica alone. */
export function outageCost(all: readonly Asked[], { lostAt, backAt }: Outage, lone: string): OutageCost {
  const asked = all.filter(({ unseen, failure }) => !unseen && failure === undefined);
  const between = (from: number, to: number): Asked[] => asked.filter(({ sentAt }) => sentAt >= from && sentAt < to);
  const before = between(lostAt - BASELINE_MS, lostAt);
  const later = between(lostAt + SECOND, backAt);
  const p99Ms = {
    before: quantile(before, 0.99),
    firstSecond: quantile(between(lostAt, lostAt + SECOND), 0.99),
    down: quantile(later, 0.99),
    back: quantile(between(backAt, backAt + SECOND), 0.99),
    after: quantile(between(backAt + SECOND, Number.POSITIVE_INFINITY), 0.99),
  };
  const fullest = fullestWindows(asked, lostAt).map((one) => ({ ...one, at: one.at - lostAt }));
  return {
    failed: all.filter(({ sentAt, failure }) => failure !== undefined && sentAt >= lostAt - SECOND).length,
    fullest,
    downMs: backAt - lostAt,
    p99Ms,
    addedP99Ms: Math.max(0, p99Ms.firstSecond - p99Ms.before),
    addedForMs: slowFor(between, lostAt, backAt, p99Ms.before + NOTICEABLE_MS),
    addedLaterMs: Math.max(0, quantile(later, 0.5) - quantile(before, 0.5)),
    sharedAgainMs: sharedAgain(asked, backAt, lone),
  };
}

/** Until the first quarter of a second in which 99 % are as fast as before. */
function slowFor(between: (from: number, to: number) => Asked[], from: number, to: number, limitMs: number): number {
  for (let at = from; at < to; at += BUCKET_MS) {
    if (quantile(between(at, at + BUCKET_MS), 0.99) <= limitMs) return at - from;
  }
  return to - from;
}

function sharedAgain(asked: readonly Asked[], backAt: number, lone: string): number | null {
  const times = asked.filter(({ team, admitted, sentAt }) => team === lone && admitted && sentAt >= backAt);
  const limit = times[0]?.rules[0]?.limit ?? 0;
  const sorted = times.map(({ sentAt }) => sentAt).sort((a, b) => a - b);
  const needed = Math.floor(limit * WHOLE);
  for (let last = needed - 1; last < sorted.length; last++) {
    if (sorted[last]! - sorted[last - needed + 1]! <= SECOND) return sorted[last]! - backAt;
  }
  return null;
}
