import type { Outcome } from "@signalbox/protocol";
import type { BackendState, EngineLoad, Health, Permit, Unfit } from "./backend-state.ts";
import { Breaker, type BreakerSettings, type BreakerState, type Ticket } from "./breaker.ts";

/** How a backend is judged. Times in milliseconds. */
export interface BackendStateOptions {
  readonly name: string;
  /** Attempts under way at once; Infinity = no limit. */
  readonly maxConcurrent: number;
  /** Milliseconds, never going back. */
  now(): number;
  /** In [0, 1). */
  random(): number;
  readonly breaker?: Partial<BreakerSettings>;
  /** First pause after a 429 or 503 without Retry-After; doubles while they go on. 1000 unless told. */
  readonly cooldownMs?: number;
  /** Longest pause without Retry-After. 30,000 unless told. */
  readonly maxCooldownMs?: number;
  /** Longest Retry-After that is believed. 300,000 unless told. */
  readonly maxRetryAfterMs?: number;
  /** A failed probe is not believed for this long after the backend delivered something. 10,000 unless told. */
  readonly trustMs?: number;
  /** Time between two probes: when a backend that is down may be worth another look. 5000 unless told. */
  readonly probeIntervalMs?: number;
  onBreakerChange?(backend: string, from: BreakerState, to: BreakerState): void;
}

/** The owner's view of a backend's state: what others only read, it also adjusts and ends. */
export interface OwnedBackendState extends BackendState {
  /** For a reload: what is in flight and what was learned stays. */
  setMaxConcurrent(maxConcurrent: number): void;
  /** Gives back what the breaker holds; the state is not used afterwards. */
  close(): void;
}

/** Reasons that panic mode may overrule; the others mean "alive, but not now". */
const forcible: ReadonlySet<Unfit> = new Set<Unfit>(["down", "loading", "breaker_open"]);

/** A backend of which nothing is known yet: health unknown, breaker closed, nothing in flight. Holds no referenced timer. */
export function createBackendState(options: BackendStateOptions): OwnedBackendState {
  return new LiveBackendState(options);
}

class LiveBackendState implements OwnedBackendState {
  readonly name: string;
  maxConcurrent: number;
  inFlight = 0;
  health: Health;
  load: EngineLoad | undefined;
  warm: ReadonlySet<string> | undefined;
  coolingUntil = 0;
  readonly #options: BackendStateOptions;
  readonly #breaker: Breaker;
  #cooldownMs = 0;
  #aliveAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;
  /** Moving average of how long a good reply takes. */
  #replyMs = 1000;

  constructor(options: BackendStateOptions) {
    this.#options = options;
    this.name = options.name;
    this.maxConcurrent = options.maxConcurrent;
    this.health = { status: "unknown", reason: "not probed yet", since: options.now() };
    this.#breaker = new Breaker({
      ...options.breaker,
      name: options.name,
      maxConcurrent: options.maxConcurrent,
      now: options.now,
      random: options.random,
      onChange: (from, to) => options.onBreakerChange?.(options.name, from, to),
    });
  }

  get breaker(): BreakerState {
    return this.#breaker.state;
  }

  unfit(now: number): Unfit | undefined {
    const { status } = this.health;
    if (status === "down" || status === "loading") return status;
    const refused = this.#breaker.refuses(now);
    if (refused !== undefined) return refused;
    if (this.coolingUntil > now) return "cooling_down";
    return this.inFlight >= this.maxConcurrent ? "full" : undefined;
  }

  retryInMs(now: number): number {
    const why = this.unfit(now);
    if (why === undefined) return 0;
    const cooling = Math.max(0, this.coolingUntil - now);
    const breaker = this.#breaker.retryInMs(now);
    if (why === "down" || why === "loading") return Math.max(cooling, breaker, this.#options.probeIntervalMs ?? 5000);
    if (why === "full" || why === "recovering") {
      // Replies end evenly spread: the next one of n ends after about an n-th of a reply's time.
      const nextSlot = this.#replyMs / Math.max(1, Math.min(this.inFlight, this.maxConcurrent));
      return Math.max(cooling, Math.min(30_000, Math.max(100, nextSlot)));
    }
    return Math.max(cooling, breaker);
  }

  begin(now: number, force = false): Permit | undefined {
    const why = this.unfit(now);
    if (why !== undefined) {
      if (!force || !forcible.has(why)) return undefined;
      if (this.coolingUntil > now || this.inFlight >= this.maxConcurrent) return undefined;
    }
    const ticket = this.#breaker.begin(now, force);
    if (ticket === undefined) return undefined;
    this.inFlight++;
    return new LivePermit(this, ticket, now);
  }

  observe(health: Omit<Health, "since">, load: EngineLoad | undefined, warm: ReadonlySet<string> | undefined): void {
    const now = this.#options.now();
    if (health.status === "down" && this.#deliversAt(now)) return;
    if (health.status === "ready" && this.health.status === "down") this.#breaker.hasten(now);
    this.#setHealth(health.status, health.reason, now);
    this.load = load;
    this.warm = warm;
  }

  observeLoad(load: EngineLoad): void {
    this.load = { ...this.load, ...load };
  }

  setMaxConcurrent(maxConcurrent: number): void {
    this.maxConcurrent = maxConcurrent;
    this.#breaker.setMaxConcurrent(maxConcurrent);
  }

  close(): void {
    this.#breaker.close();
  }

  alive(ticket: Ticket, now: number): void {
    this.#aliveAt = now;
    this.#breaker.alive(ticket, now);
  }

  settle(ticket: Ticket, began: number, outcome: Outcome): void {
    const now = this.#options.now();
    this.inFlight--;
    this.#breaker.end(ticket, outcome, now);
    if (outcome.kind === "backpressure") this.#coolDown(outcome.retryAfterMs, now);
    if (outcome.kind === "failed") this.#failedAt = now;
    if (outcome.kind === "ok" || outcome.kind === "caller_error") this.#aliveAt = now;
    if (outcome.kind !== "ok") return;
    this.#cooldownMs = 0;
    this.#replyMs += (now - began - this.#replyMs) / 8;
    if (this.health.status !== "ready") this.#setHealth("ready", "answered a request", now);
  }

  #setHealth(status: Health["status"], reason: string, now: number): void {
    this.health = { status, reason, since: status === this.health.status ? this.health.since : now };
  }

  #deliversAt(now: number): boolean {
    return this.#aliveAt > this.#failedAt && now - this.#aliveAt <= (this.#options.trustMs ?? 10_000);
  }

  #coolDown(retryAfterMs: number | undefined, now: number): void {
    if (retryAfterMs !== undefined) {
      const believed = Math.min(Math.max(0, retryAfterMs), this.#options.maxRetryAfterMs ?? 300_000);
      this.coolingUntil = Math.max(this.coolingUntil, now + believed);
      return;
    }
    // Attempts that ran side by side say the same thing at once: one step for all of them.
    if (this.coolingUntil > now) return;
    const { cooldownMs = 1000, maxCooldownMs = 30_000 } = this.#options;
    this.#cooldownMs = this.#cooldownMs === 0 ? cooldownMs : Math.min(this.#cooldownMs * 2, maxCooldownMs);
    this.coolingUntil = now + this.#cooldownMs;
  }
}

class LivePermit implements Permit {
  readonly #state: LiveBackendState;
  readonly #ticket: Ticket;
  readonly #began: number;
  #ended = false;

  constructor(state: LiveBackendState, ticket: Ticket, began: number) {
    this.#state = state;
    this.#ticket = ticket;
    this.#began = began;
  }

  alive(now: number): void {
    this.#state.alive(this.#ticket, now);
  }

  end(outcome: Outcome): void {
    // A second outcome would free a slot that is not held.
    if (this.#ended) return;
    this.#ended = true;
    this.#state.settle(this.#ticket, this.#began, outcome);
  }
}
