import type { Outcome } from "@signalbox/protocol";
import type { BreakerState } from "./breaker.ts";

/** The last thing that was learned about a backend's readiness. */
export interface Health {
  readonly status: "unknown" | "ready" | "loading" | "down";
  readonly reason: string;
  /** Milliseconds of the injected clock. */
  readonly since: number;
}

/** What an engine says of its own load (see a kind's probe). */
export interface EngineLoad {
  readonly running?: number;
  readonly waiting?: number;
  readonly kvUse?: number;
  readonly slots?: number;
}

/** From when on an engine counts as saturated, by what it says of itself. */
export interface SaturationLimits {
  /** More requests than this wait in the engine's own queue. */
  readonly waiting: number;
  /** At least this share of its KV cache is in use, 0 to 1. */
  readonly kvUse: number;
}

/** What an operator can set by hand: see `OwnedBackendState.setOverride`. */
export const overrides = ["drain", "open", "close"] as const;
export type Override = (typeof overrides)[number];

/** Why a deployment is not taken now: said in a few words in the decision's reasons. */
export const unfitReasons = [
  "draining",
  "opened_by_hand",
  "down",
  "loading",
  "breaker_open",
  "recovering",
  "cooling_down",
  "full",
] as const;
export type Unfit = (typeof unfitReasons)[number];

/** Whose an attempt is. */
export interface Holder {
  readonly name: string;
  /** Its share of what is scarce; above 0. */
  readonly weight: number;
}

/** What one holder has of a backend. */
export interface Holding {
  /** Attempts under way. */
  held: number;
  weight: number;
  /** When it last began one, or waited for it, in milliseconds of the injected clock. */
  seenAt: number;
}

/** An attempt under way. `end` is called exactly once, with the one outcome. */
export interface Permit {
  /**
   * Content came. Cheap enough for every batch of a stream; the first one matters most: a failed probe cannot eject a
   * backend that delivers, and a half-open trial is not given up while it does.
   */
  alive(now: number): void;
  end(outcome: Outcome): void;
}

/** One backend as the router sees it while it runs: what all its models share. */
export interface BackendState {
  readonly name: string;
  readonly maxConcurrent: number;
  readonly inFlight: number;
  readonly health: Health;
  readonly load: EngineLoad | undefined;
  /** When the engine said so, and how many attempts of ours were under way then. */
  readonly loadAt: number;
  readonly loadInFlight: number;
  /** Load that is older than so many milliseconds says nothing any more. */
  readonly loadTtlMs: number;
  readonly saturation: SaturationLimits;
  /** How long a good reply takes, on average, in milliseconds. */
  readonly replyMs: number;
  /** Who has attempts under way, or had some lately, by name. */
  readonly holdings: ReadonlyMap<string, Holding>;
  /** Models loaded in memory; undefined where the kind cannot tell. */
  readonly warm: ReadonlySet<string> | undefined;
  /** Set by hand; undefined = the backend is left to itself. */
  readonly override: Override | undefined;
  /** Of all its deployments the one that lets least through. */
  readonly breaker: BreakerState;
  observe(health: Omit<Health, "since">, load: EngineLoad | undefined, warm: ReadonlySet<string> | undefined): void;
  /** Somebody waits for it, and counts among those who share it. */
  expect(holder: Holder, now: number): void;
  /** Load that came with an ordinary reply. */
  observeLoad(load: EngineLoad): void;
}

/** One model on one backend while it runs: may it be tried? Beside `BackendState` the only mutable thing in the router. */
export interface DeploymentState {
  readonly backend: BackendState;
  /** The name that the backend knows. */
  readonly model: string;
  /** Its own, or the one of the backend's address where that lets less through. */
  readonly breaker: BreakerState;
  /** Milliseconds of the injected clock until which it is cooling down after 429/503; 0 = not. */
  readonly coolingUntil: number;
  /** Its last word was 429 or 503. */
  readonly strained: boolean;
  /** Undefined = may be tried now. No side effect. Under 1 microsecond when all is well. */
  unfit(now: number): Unfit | undefined;
  /** Milliseconds until it may be worth a try, for Retry-After; 0 = now. */
  retryInMs(now: number): number;
  /**
   * Takes a slot (and, half-open, the probe's place), for `holder` where it is known. Undefined when it no longer may, or
   * `force` is not set and it is unfit.
   */
  begin(now: number, force?: boolean, holder?: Holder): Permit | undefined;
}
