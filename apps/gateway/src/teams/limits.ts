import type { ErrorCode } from "@signalbox/protocol";
import type { Limits, Team } from "../config/config.ts";

/** How a limit stands after a request was admitted or refused. */
export interface Allowance {
  readonly limit: number;
  /** At least 0. */
  readonly remaining: number;
  /** Milliseconds until all of it is free again, if nothing else comes. */
  readonly resetMs: number;
}

/** The limits of a team that has some; what is not limited is not there. */
export interface LimitState {
  readonly requests?: Allowance;
  readonly tokens?: Allowance;
}

/** What an admitted request holds: its tokens, until they leave the window, and a slot. Ends once; a second end does nothing. */
export interface Reservation {
  /** The request is over: `tokens` is what its prompt and its reply really took, also when the client left early. */
  settle(tokens: number): void;
  /** The request came to nothing, before any backend worked on it: all that was reserved is free again. */
  release(): void;
}

export type Admission =
  | { readonly ok: true; readonly reservation: Reservation; readonly state: LimitState }
  | {
      readonly ok: false;
      readonly code: ErrorCode & ("rate_limit_exceeded" | "concurrency_limit_exceeded");
      /** Says which limit, its number and when to come back. */
      readonly message: string;
      /** When the same request would be admitted, if nothing else came; at least 1. */
      readonly retryAfterMs: number;
      readonly state: LimitState;
    };

/**
 * Where the use of limits is counted. Takes everything that a request needs at once or nothing at all, so that no two
 * requests share the last of a limit. A store in this process answers at once, a shared one with a promise.
 */
export interface LimitStore {
  /** `tokens`: estimate for prompt and reply; one above the team's limit counts as the limit, else it could never be admitted. */
  reserve(team: Team, tokens: number): Admission | Promise<Admission>;
  /** Forgets teams that a new config no longer has. */
  retain(teams: ReadonlyMap<string, Team> | undefined): void;
}

/** True when nothing needs counting. */
export function isUnlimited(limits: Limits): boolean {
  return limits.requests === undefined && limits.tokens === undefined && limits.concurrent === undefined;
}

/** Adds OpenAI's `x-ratelimit-*` headers to a flat list of names and values; none for a team without limits. */
export function pushLimitHeaders(headers: string[], { requests, tokens }: LimitState): void {
  if (requests !== undefined) {
    headers.push("x-ratelimit-limit-requests", String(requests.limit));
    headers.push("x-ratelimit-remaining-requests", String(requests.remaining));
    headers.push("x-ratelimit-reset-requests", formatReset(requests.resetMs));
  }
  if (tokens !== undefined) {
    headers.push("x-ratelimit-limit-tokens", String(tokens.limit));
    headers.push("x-ratelimit-remaining-tokens", String(tokens.remaining));
    headers.push("x-ratelimit-reset-tokens", formatReset(tokens.resetMs));
  }
}

/** `20ms`, `1s`, `8.64s`, `6m0s`, `1h0m3s`: durations as OpenAI writes them. */
export function formatReset(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const whole = Math.ceil(ms);
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = `${(whole % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
