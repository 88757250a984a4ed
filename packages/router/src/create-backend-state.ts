import type { Outcome } from "@signalbox/protocol";
import type {
  BackendState,
  DeploymentState,
  EngineLoad,
  Health,
  Holder,
  Holding,
  Override,
  SaturationLimits,
} from "./backend-state.ts";
import { Breaker, type BreakerSettings, type BreakerState, worseOf } from "./breaker.ts";
import { LiveDeploymentState, type SharedState } from "./deployment-state.ts";

/** A deployment's breaker, its own or the one of the backend's address, has moved. */
export interface BreakerChange {
  readonly backend: string;
  readonly model: string;
  readonly from: BreakerState;
  readonly to: BreakerState;
}

/** How a backend is judged. Times in milliseconds. */
export interface BackendStateOptions {
  readonly name: string;
  /** Attempts under way at once, all models together; Infinity = no limit. */
  readonly maxConcurrent: number;
  /** Milliseconds, never going back. */
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** When its engine counts as saturated; never unless told. */
  readonly saturation?: SaturationLimits;
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
  onBreakerChange?(change: BreakerChange): void;
  /** There may be room: an attempt on it has ended, or, where not `ended`, its engine has told its load. */
  onRoom?(backend: BackendState, ended: boolean): void;
}

const NEVER: SaturationLimits = { waiting: Number.POSITIVE_INFINITY, kvUse: Number.POSITIVE_INFINITY };
/** Load is believed for so many intervals between probes. */
const LOAD_PROBES = 3;
/** Beyond this many, holders that hold nothing are forgotten. */
const KEPT_HOLDERS = 256;

/** The owner's view of a backend's state: what others only read, it also adjusts and ends. */
export interface OwnedBackendState extends BackendState {
  /** In the order in which they were first asked for. */
  readonly deployments: Iterable<DeploymentState>;
  /** The state of a model on this backend: always the same one until `retain` drops it. */
  deployment(model: string): DeploymentState;
  /** For a reload: drops every model that is not among these. */
  retain(models: ReadonlySet<string>): void;
  /**
   * By hand, over all evidence. `drain`: nothing new, what is under way goes on. `open`: the breakers are open. `close`:
   * they are closed, what they knew is forgotten and failures do not count. Undefined gives control back: after `open` with
   * one probe and a slow start, as after an outage.
   */
  setOverride(override: Override | undefined): void;
  /** Gives back what the breakers hold; the state is not used afterwards. */
  close(): void;
}

/** A backend of which nothing is known yet: health unknown, nothing in flight, no model. Holds no referenced timer. */
export function createBackendState(options: BackendStateOptions): OwnedBackendState {
  return new LiveBackendState(options);
}

class LiveBackendState implements OwnedBackendState, SharedState {
  readonly name: string;
  readonly maxConcurrent: number;
  readonly saturation: SaturationLimits;
  readonly options: BackendStateOptions;
  readonly reach: Breaker;
  inFlight = 0;
  health: Health;
  load: EngineLoad | undefined;
  loadAt = Number.NEGATIVE_INFINITY;
  loadInFlight = 0;
  readonly loadTtlMs: number;
  readonly holdings = new Map<string, Holding>();
  warm: ReadonlySet<string> | undefined;
  override: Override | undefined;
  replyMs = 1000;
  readonly #deployments = new Map<string, LiveDeploymentState>();
  #aliveAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(options: BackendStateOptions) {
    this.options = options;
    this.name = options.name;
    this.maxConcurrent = options.maxConcurrent;
    this.saturation = options.saturation ?? NEVER;
    this.loadTtlMs = LOAD_PROBES * (options.probeIntervalMs ?? 5000);
    this.health = { status: "unknown", reason: "not probed yet", since: options.now() };
    this.reach = new Breaker({
      ...options.breaker,
      name: options.name,
      maxConcurrent: options.maxConcurrent,
      now: options.now,
      random: options.random,
      onChange: () => {
        for (const deployment of this.#deployments.values()) deployment.announce();
      },
    });
  }

  get deployments(): Iterable<DeploymentState> {
    return this.#deployments.values();
  }

  get breaker(): BreakerState {
    let worst = this.reach.state;
    for (const { breaker } of this.#deployments.values()) worst = worseOf(worst, breaker);
    return worst;
  }

  deployment(model: string): DeploymentState {
    let state = this.#deployments.get(model);
    if (state === undefined) {
      state = new LiveDeploymentState(this, model);
      this.#deployments.set(model, state);
    }
    return state;
  }

  retain(models: ReadonlySet<string>): void {
    for (const [model, state] of this.#deployments) {
      if (models.has(model)) continue;
      state.close();
      this.#deployments.delete(model);
    }
  }

  observe(health: Omit<Health, "since">, load: EngineLoad | undefined, warm: ReadonlySet<string> | undefined): void {
    const now = this.options.now();
    if (health.status === "down" && this.#deliversAt(now)) return;
    if (health.status === "ready" && this.health.status === "down") this.#hasten(now);
    this.#setHealth(health.status, health.reason, now);
    this.warm = warm;
    this.#setLoad(load, now);
  }

  observeLoad(load: EngineLoad): void {
    this.#setLoad({ ...this.load, ...load }, this.options.now());
  }

  setOverride(override: Override | undefined): void {
    const before = this.override;
    if (override === before) return;
    this.override = override;
    if (override === "open") this.reach.trip();
    else if (override === "close") this.#forget();
    else if (before === "open") this.reach.hasten(this.options.now());
  }

  close(): void {
    this.retain(new Set());
    this.reach.close();
  }

  enter(now: number, holder: Holder | undefined): Holding | undefined {
    this.inFlight++;
    if (holder === undefined) return undefined;
    const holding = this.#holdingOf(holder, now);
    holding.held++;
    return holding;
  }

  expect(holder: Holder, now: number): void {
    this.#holdingOf(holder, now);
  }

  alive(now: number): void {
    this.#aliveAt = now;
  }

  leave(outcome: Outcome, tookMs: number, now: number, holding: Holding | undefined): void {
    this.inFlight--;
    if (holding !== undefined) holding.held--;
    this.#learn(outcome, tookMs, now);
    this.options.onRoom?.(this, true);
  }

  #learn(outcome: Outcome, tookMs: number, now: number): void {
    // An answer that is an error is one model's matter, and the probe is asked about the backend.
    const answered = outcome.kind === "failed" && (outcome.cause === "server_error" || outcome.cause === "malformed");
    if (outcome.kind === "failed" && !answered) this.#failedAt = now;
    if (outcome.kind === "ok" || outcome.kind === "caller_error") this.#aliveAt = now;
    if (outcome.kind !== "ok") return;
    this.replyMs += (tookMs - this.replyMs) / 8;
    if (this.health.status !== "ready") this.#setHealth("ready", "answered a request", now);
  }

  #setLoad(load: EngineLoad | undefined, now: number): void {
    this.load = load;
    this.loadAt = now;
    this.loadInFlight = this.inFlight;
    this.options.onRoom?.(this, false);
  }

  #holdingOf({ name, weight }: Holder, now: number): Holding {
    const holding = this.holdings.get(name) ?? this.#newHolding(name);
    holding.weight = weight;
    holding.seenAt = now;
    return holding;
  }

  #newHolding(name: string): Holding {
    if (this.holdings.size >= KEPT_HOLDERS)
      for (const [other, { held }] of this.holdings) if (held === 0) this.holdings.delete(other);
    const holding = { held: 0, weight: 1, seenAt: 0 };
    this.holdings.set(name, holding);
    return holding;
  }

  #forget(): void {
    this.reach.reset();
    for (const deployment of this.#deployments.values()) deployment.forget();
  }

  #hasten(now: number): void {
    if (this.override === "open") return;
    this.reach.hasten(now);
    for (const deployment of this.#deployments.values()) deployment.hasten(now);
  }

  #setHealth(status: Health["status"], reason: string, now: number): void {
    this.health = { status, reason, since: status === this.health.status ? this.health.since : now };
  }

  #deliversAt(now: number): boolean {
    return this.#aliveAt > this.#failedAt && now - this.#aliveAt <= (this.options.trustMs ?? 10_000);
  }
}
