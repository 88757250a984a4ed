import type { Team } from "../config/config.ts";
import type { Rate } from "../config/units.ts";
import { Bag, type Bagged } from "../runtime/bag.ts";
import {
  type Admission,
  type Allowance,
  isUnlimited,
  type LimitState,
  type LimitStore,
  type Reservation,
} from "./limits.ts";
import { createSlidingWindow, type SlidingWindow } from "./sliding-window.ts";

export interface MemoryStoreOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** A slot that nobody gave back is free again after this time; longer than any request may take. */
  readonly reservationTtlMs: number;
}

/** What is counted for one team. */
interface Usage {
  requests: SlidingWindow | undefined;
  tokens: SlidingWindow | undefined;
  /** Requests under way. */
  readonly open: Bag<MemoryReservation>;
  /** How long requests took of late, in milliseconds; 0 = not known yet. */
  holdMs: number;
}

const unlimited: Admission = Object.freeze({
  ok: true,
  reservation: Object.freeze({ settle: () => {}, release: () => {} }),
  state: Object.freeze({}),
});

/** Counts in this process: a few microseconds a request, a few kilobytes a team, nothing admitted over a limit. */
export function createMemoryStore(options: MemoryStoreOptions): LimitStore {
  const { now, reservationTtlMs } = options;
  const byTeam = new Map<string, Usage>();

  function usageOf(team: Team): Usage {
    let usage = byTeam.get(team.name);
    if (usage === undefined) {
      usage = { requests: undefined, tokens: undefined, open: new Bag(), holdMs: 0 };
      byTeam.set(team.name, usage);
    }
    usage.requests = windowFor(usage.requests, team.limits.requests);
    usage.tokens = windowFor(usage.tokens, team.limits.tokens);
    return usage;
  }

  return {
    reserve(team, estimate) {
      if (isUnlimited(team.limits)) return unlimited;
      const time = now();
      const usage = usageOf(team);
      const { requests, tokens, open } = usage;
      const { limits } = team;
      const amount =
        limits.tokens === undefined ? 0 : Math.min(Math.max(0, Math.ceil(estimate) || 0), limits.tokens.limit);
      const concurrent = limits.concurrent ?? Number.POSITIVE_INFINITY;
      const requestsWait = requests?.waitMs(time, 1, limits.requests!.limit) ?? 0;
      const tokensWait = tokens?.waitMs(time, amount, limits.tokens!.limit) ?? 0;
      if (requestsWait > 0 || tokensWait > 0) return overRate(team, usage, requestsWait, tokensWait, time);
      if (open.size >= concurrent) dropExpired(open, time);
      if (open.size >= concurrent) return overConcurrency(team, usage, concurrent, time);
      const requestsAt = requests?.add(time, 1) ?? 0;
      const tokensAt = tokens?.add(time, amount) ?? 0;
      const reservation = new MemoryReservation(usage, now, time, reservationTtlMs, amount, requestsAt, tokensAt);
      open.add(reservation);
      return { ok: true, reservation, state: stateOf(team, usage, time) };
    },
    retain(teams) {
      for (const name of byTeam.keys()) if (!teams?.has(name)) byTeam.delete(name);
    },
  };
}

/** A reload that changes a limit's number keeps what was used; one that changes its window begins anew. */
function windowFor(current: SlidingWindow | undefined, rate: Rate | undefined): SlidingWindow | undefined {
  if (rate === undefined || current?.windowMs === rate.windowMs) return rate && current;
  return createSlidingWindow(rate.windowMs);
}

/** Slots that nobody gave back; looked for only when they are needed. */
function dropExpired(open: Bag<MemoryReservation>, now: number): void {
  for (const reservation of [...open.items]) {
    if (reservation.expiresAt <= now) open.delete(reservation);
  }
}

function stateOf({ limits }: Team, usage: Usage, now: number): LimitState {
  const { requests, tokens } = usage;
  if (requests !== undefined && tokens !== undefined) {
    return {
      requests: allowance(requests, limits.requests!.limit, now),
      tokens: allowance(tokens, limits.tokens!.limit, now),
    };
  }
  if (requests !== undefined) return { requests: allowance(requests, limits.requests!.limit, now) };
  return tokens === undefined ? {} : { tokens: allowance(tokens, limits.tokens!.limit, now) };
}

function allowance(window: SlidingWindow, limit: number, now: number): Allowance {
  return { limit, remaining: Math.max(0, limit - window.used(now)), resetMs: window.resetMs(now) };
}

function overRate(team: Team, usage: Usage, requestsWait: number, tokensWait: number, now: number): Admission {
  const name = tokensWait > requestsWait ? "tokens" : "requests";
  const { limit, windowMs } = team.limits[name]!;
  const retryAfterMs = Math.max(requestsWait, tokensWait);
  const rate = `${limit} ${name} in ${formatWindow(windowMs)}`;
  const message = `team ${team.name}: limit of ${rate} reached; try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  return { ok: false, code: "rate_limit_exceeded", message, retryAfterMs, state: stateOf(team, usage, now) };
}

function overConcurrency(team: Team, usage: Usage, concurrent: number, now: number): Admission {
  // With n requests under way that each take t, one ends every t/n.
  const retryAfterMs = Math.min(60_000, Math.max(1000, Math.ceil(usage.holdMs / concurrent)));
  const message = `team ${team.name}: limit of ${concurrent} requests at once reached; try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  return { ok: false, code: "concurrency_limit_exceeded", message, retryAfterMs, state: stateOf(team, usage, now) };
}

function formatWindow(ms: number): string {
  if (ms === 86_400_000) return "1 day";
  if (ms === 3_600_000) return "1 hour";
  return ms === 60_000 ? "1 min" : `${ms / 1000} s`;
}

class MemoryReservation implements Reservation, Bagged {
  place = -1;
  readonly expiresAt: number;
  private ended = false;
  private readonly usage: Usage;
  private readonly now: () => number;
  private readonly began: number;
  private readonly amount: number;
  private readonly requests: SlidingWindow | undefined;
  private readonly requestsAt: number;
  private readonly tokens: SlidingWindow | undefined;
  private readonly tokensAt: number;

  constructor(
    usage: Usage,
    now: () => number,
    began: number,
    ttlMs: number,
    amount: number,
    requestsAt: number,
    tokensAt: number,
  ) {
    this.usage = usage;
    this.now = now;
    this.began = began;
    this.expiresAt = began + ttlMs;
    this.amount = amount;
    this.requests = usage.requests;
    this.requestsAt = requestsAt;
    this.tokens = usage.tokens;
    this.tokensAt = tokensAt;
  }

  settle(actual: number): void {
    if (!this.end()) return;
    const time = this.now();
    const held = time - this.began;
    this.usage.holdMs = this.usage.holdMs === 0 ? held : this.usage.holdMs * 0.9 + held * 0.1;
    const difference = Math.ceil(actual) - this.amount;
    // The team's present window: a reload may have replaced the one that was reserved from.
    if (difference > 0) this.usage.tokens?.add(time, difference);
    else if (difference < 0) this.tokens?.giveBack(time, this.tokensAt, -difference);
  }

  release(): void {
    if (!this.end()) return;
    const time = this.now();
    this.requests?.giveBack(time, this.requestsAt, 1);
    this.tokens?.giveBack(time, this.tokensAt, this.amount);
  }

  private end(): boolean {
    if (this.ended) return false;
    this.ended = true;
    this.usage.open.delete(this);
    return true;
  }
}
