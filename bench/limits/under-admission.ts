import { PerfectLimiter } from "./perfect-limiter.ts";
import type { Ask } from "./trace.ts";

/** What a team got, beside what it was to get. */
interface Share {
  readonly asked: number;
  readonly admitted: number;
  /** A perfect limiter would have admitted so many. */
  readonly due: number;
}

/** Refusals that should not have been. */
export interface UnderAdmission {
  /** Requests that were due and not admitted, in percent of those due, over all teams together. */
  readonly falsePct: number;
  readonly teams: Readonly<Record<string, Share & { readonly falsePct: number }>>;
}

const clocks: readonly ((ask: Ask) => number)[] = [
  ({ sentAt }) => sentAt,
  ({ sentAt, decidedBy }) => (sentAt + decidedBy) / 2,
  ({ decidedBy }) => decidedBy,
];

/**
 * Puts the same requests, at the same times, with the same reservations and the same use, to a perfect sliding-window
 * limiter, and counts how many more it admits. Not each refusal for itself: in a flood a limiter that is late by a moment
 * has a free place at almost all times, so nearly each refusal would be one that a perfect limiter, put in its place just
 * then, would not have made; what its teams lose by that is the moment.
 *
 * When a decision was made is known to lie between two times, so the perfect limiter is asked three times, at the one,
 * at the other and in the middle, and the one that comes closest counts.
 */
export function underAdmission(asks: readonly Ask[]): UnderAdmission {
  const tries = clocks.map((clock) => compare(asks, clock));
  return tries.reduce((best, one) => (one.falsePct < best.falsePct ? one : best));
}

function compare(asks: readonly Ask[], clock: (ask: Ask) => number): UnderAdmission {
  const limiter = new PerfectLimiter();
  const teams: Record<string, { asked: number; admitted: number; due: number }> = {};
  for (const ask of asks.toSorted((a, b) => clock(a) - clock(b))) {
    teams[ask.team] ??= { asked: 0, admitted: 0, due: 0 };
    const share = teams[ask.team]!;
    const at = clock(ask);
    share.asked++;
    if (ask.admitted) share.admitted++;
    if (limiter.admit(ask, at, Math.max(0, ask.overBy - at))) share.due++;
  }
  const shares = Object.values(teams);
  // What one team has too much does not make up for what another one lacks.
  const missing = shares.reduce((sum, share) => sum + missingOf(share), 0);
  const due = shares.reduce((sum, share) => sum + share.due, 0);
  const listed = Object.entries(teams).map(([name, share]) => [
    name,
    { ...share, falsePct: percent(missingOf(share), share.due) },
  ]);
  return { falsePct: percent(missing, due), teams: Object.fromEntries(listed) };
}

const missingOf = ({ due, admitted }: Share): number => Math.max(0, due - admitted);
const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (part / whole) * 100);
