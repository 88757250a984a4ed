import type { Outcome } from "@signalbox/protocol";

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

/** Why a backend is not taken now: said in a few words in the decision's reasons. */
export type Unfit = "down" | "loading" | "breaker_open" | "cooling_down" | "full" | "recovering";

/** An attempt under way. `end` is called exactly once, with the one outcome. */
export interface Permit {
  /**
   * Content came. Cheap enough for every batch of a stream; the first one matters most: a failed probe cannot eject a
   * backend that delivers, and a half-open trial is not given up while it does.
   */
  alive(now: number): void;
  end(outcome: Outcome): void;
}

/** One backend as the router sees it while it runs: health, breaker, load. The only mutable thing in the router. */
export interface BackendState {
  readonly name: string;
  readonly maxConcurrent: number;
  readonly inFlight: number;
  readonly health: Health;
  readonly load: EngineLoad | undefined;
  /** Models loaded in memory; undefined where the kind cannot tell. */
  readonly warm: ReadonlySet<string> | undefined;
  readonly breaker: "closed" | "open" | "half_open";
  /** Milliseconds of the injected clock until which it is cooling down after 429/503; 0 = not. */
  readonly coolingUntil: number;
  /** Undefined = may be tried now. No side effect. Under 1 microsecond when all is well. */
  unfit(now: number): Unfit | undefined;
  /** Milliseconds until it may be worth a try, for Retry-After; 0 = now. */
  retryInMs(now: number): number;
  /** Takes a slot (and, half-open, the probe's place). Undefined when it no longer may, or `force` is not set and it is unfit. */
  begin(now: number, force?: boolean): Permit | undefined;
  observe(health: Omit<Health, "since">, load: EngineLoad | undefined, warm: ReadonlySet<string> | undefined): void;
  /** Load that came with an ordinary reply. */
  observeLoad(load: EngineLoad): void;
}
