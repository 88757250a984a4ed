import type { ErrorCode } from "@signalbox/protocol";
import type { Quota } from "./quota.ts";

/** What a request takes or took. Numbers that are not whole are rounded up, those that are none count as 0. */
export interface Used {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** In 1e-9 of the currency. */
  readonly cost: number;
  /** Milliseconds of all its GPUs together. */
  readonly gpuMs: number;
}

/** What a request wants to be counted against, with estimates of what it will take. */
export interface Claim extends Used {
  readonly quotas: readonly Quota[];
}

/** How a limit stands after a request was admitted or refused. */
export interface Allowance {
  readonly limit: number;
  /** At least 0. */
  readonly remaining: number;
  /** Milliseconds until all of it is free again, if nothing else comes. */
  readonly resetMs: number;
}

/** The tightest limits of a request, of requests and of tokens of any kind; what is not limited is not there. */
export interface LimitState {
  readonly requests?: Allowance;
  readonly tokens?: Allowance;
  /** The shared store could not be asked: this replica decided by its own share of the limits. */
  readonly local?: true;
}

/** What an admitted request holds. Ends once; a second end does nothing. */
export interface Reservation {
  /** The request is over: `used` is what it really took, also when the client left early. */
  settle(used: Used): void;
  /** The request came to nothing, before any backend worked on it: all that was reserved is free again. */
  release(): void;
}

/** Why a request was not admitted. */
export interface Refusal {
  readonly code: ErrorCode & ("rate_limit_exceeded" | "concurrency_limit_exceeded" | "budget_exceeded");
  /** Says which limit, its number and when to come back. */
  readonly message: string;
  /** When the same request would be admitted, if nothing else came; at least 1. Slots: a guess by how long they were held of late. */
  readonly retryAfterMs: number;
  /** The budget that is spent: nothing that the client does brings it back sooner. Undefined = it is none. */
  readonly spent: Quota | undefined;
}

export type Admission =
  | { readonly ok: true; readonly reservation: Reservation; readonly state: LimitState }
  | ({ readonly ok: false; readonly state: LimitState } & Refusal);

/**
 * Where the use of limits is counted. Takes everything that a request needs at once or nothing at all, so that no two
 * requests share the last of a limit. A store in this process answers at once, a shared one with a promise.
 */
export interface LimitStore {
  /** An estimate above the smallest limit of its meter counts as that limit, else the request could never be admitted. */
  reserve(claim: Claim): Admission | Promise<Admission>;
}
