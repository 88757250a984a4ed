/** Who decides about requests: the Redis that replicas share, or each replica by its share of the limits. */
export type StoreState = "shared" | "local";

/** How the store is. */
export interface StoreLevel {
  readonly state: StoreState;
  /** `host:port` of the Redis, once one was found. */
  readonly address: string | undefined;
  /** Why each replica decides by itself; undefined = it does not. */
  readonly why: string | undefined;
  /** Replicas that limits are shared out to. */
  readonly instances: number;
  /** Calls that wait for Redis to be back. */
  readonly backlog: number;
  /** For how long it has been so. */
  readonly sinceMs: number;
}

/** Who is told of what happens to the store. */
export interface StoreSignals {
  /** Another one decides from now on, or, at the start, this replica alone. `lastedMs`: how long it was otherwise. */
  turned(level: StoreLevel, lastedMs: number): void;
  /** The shared store decided, or was given up, so long after it was asked. */
  reserved(ms: number): void;
  /** So many calls will never reach Redis. */
  dropped(count: number): void;
}
