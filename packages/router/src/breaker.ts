import { EventEmitter } from "node:events";
import type { Outcome } from "@signalbox/protocol";
import CircuitBreaker from "opossum";

export type BreakerState = "closed" | "open" | "half_open";

/** When a breaker opens, how long it waits and how it lets traffic back in. Times in milliseconds. */
export interface BreakerSettings {
  /** Opens after this many failures in a row. */
  readonly consecutiveFailures: number;
  /** Opens when this share of the window's outcomes failed ... */
  readonly failureShare: number;
  /** ... and the window has at least this many outcomes. */
  readonly minimumOutcomes: number;
  readonly windowMs: number;
  /** The first wait; doubles with every failed probe up to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Each wait is longer or shorter by up to this share. */
  readonly jitter: number;
  /** A probe that shows no sign of life for this long counts as failed. */
  readonly probeDeadlineMs: number;
  /** While the slow start lasts, its limit also doubles after this long without a failure. */
  readonly rampStepMs: number;
}

/** Opens on the 3rd failure in a row; back within 9 s of the recovery, because no wait is longer than 8.8 s. */
export const breakerDefaults: BreakerSettings = {
  consecutiveFailures: 3,
  failureShare: 0.5,
  minimumOutcomes: 10,
  windowMs: 10_000,
  backoffMs: 1000,
  maxBackoffMs: 8000,
  jitter: 0.1,
  probeDeadlineMs: 30_000,
  rampStepMs: 10_000,
};

export interface BreakerOptions extends Partial<BreakerSettings> {
  readonly name: string;
  /** Where the slow start ends. */
  readonly maxConcurrent: number;
  now(): number;
  /** In [0, 1). */
  random(): number;
  onChange?(from: BreakerState, to: BreakerState): void;
}

/** One attempt as the breaker knows it. */
export interface Ticket {
  /** Which outage or recovery it began in: a failure that began before the breaker opened says nothing new. */
  readonly epoch: number;
  readonly ramp: boolean;
  readonly forced: boolean;
  aliveAt: number;
  delivered: boolean;
}

const BUCKETS = 10;
/** opossum's own reset timer must never fire: the injected clock decides when a probe is due. It is the longest timer there is. */
const NEVER_MS = 2 ** 31 - 1;

const severity: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

/** Of two breakers in a row on one way, the one that says what may pass. */
export function worseOf(one: BreakerState, other: BreakerState): BreakerState {
  return severity[one] >= severity[other] ? one : other;
}

/**
 * A circuit breaker for replies that take minutes: opossum holds the state and the rolling window; what counts, when to
 * probe and how traffic comes back is decided here, on the injected clock and at the end of each reply.
 */
export class Breaker {
  readonly #settings: BreakerSettings;
  readonly #options: BreakerOptions;
  readonly #circuit: CircuitBreaker;
  readonly #window = new EventEmitter();
  #bucketEndsAt = 0;
  #epoch = 0;
  #consecutive = 0;
  /** Failed probes and openings since the last full recovery. */
  #step = 0;
  #openUntil = 0;
  #probe: Ticket | undefined;
  #forcedThisStep = false;
  /** Infinity = no slow start under way. */
  #rampLimit = Number.POSITIVE_INFINITY;
  #rampInFlight = 0;
  #rampSuccesses = 0;
  #rampSince = 0;
  #announced: BreakerState = "closed";

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#settings = { ...breakerDefaults, ...definedOnly(options) };
    this.#circuit = new CircuitBreaker(async () => {}, {
      name: options.name,
      timeout: false,
      resetTimeout: NEVER_MS,
      rollingCountTimeout: this.#settings.windowMs,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#window,
    });
  }

  get state(): BreakerState {
    if (this.#circuit.closed) return "closed";
    return this.#options.now() >= this.#openUntil ? "half_open" : "open";
  }

  /** The state that was told last: half-open from the first probe on, while `state` is from the end of the wait. */
  get announced(): BreakerState {
    return this.#announced;
  }

  /** Why no attempt may begin now; undefined = one may. */
  refuses(now: number): "breaker_open" | "recovering" | undefined {
    if (this.#circuit.closed) {
      if (this.#rampLimit === Number.POSITIVE_INFINITY) return undefined;
      this.#growWithTime(now);
      return this.#rampInFlight >= this.#rampLimit ? "recovering" : undefined;
    }
    this.#expireProbe(now);
    return this.#probe === undefined && now >= this.#openUntil ? undefined : "breaker_open";
  }

  /** Milliseconds until a probe may begin; 0 when one may, or when the breaker is closed. */
  retryInMs(now: number): number {
    if (this.#circuit.closed) return 0;
    this.#expireProbe(now);
    // While a probe runs nobody knows how long it takes: the shortest wait is the honest guess.
    return Math.max(this.#openUntil - now, this.#probe === undefined ? 0 : this.#settings.backoffMs);
  }

  /**
   * Would `begin` give a ticket? `force` = even before the wait is over: at most once between two probes, and never beside
   * a running one, so that an outage sees no more tries than it has waits.
   */
  admits(now: number, force = false): boolean {
    const refused = this.refuses(now);
    return refused === undefined || (force && this.#mayForce(refused));
  }

  /** Undefined when no attempt may begin; see `admits`. */
  begin(now: number, force = false): Ticket | undefined {
    const refused = this.refuses(now);
    const early = refused !== undefined;
    if (early && !(force && this.#mayForce(refused))) return undefined;
    const closed = this.#circuit.closed;
    const ramp = closed && this.#rampLimit !== Number.POSITIVE_INFINITY;
    const ticket: Ticket = { epoch: this.#epoch, ramp, forced: early, aliveAt: now, delivered: false };
    if (ramp) this.#rampInFlight++;
    if (!closed) {
      this.#probe = ticket;
      if (early) this.#forcedThisStep = true;
      else this.#announce("half_open");
    }
    return ticket;
  }

  /** Content came: a probe's deadline starts anew. */
  alive(ticket: Ticket, now: number): void {
    ticket.aliveAt = now;
    ticket.delivered = true;
  }

  /** Settles an attempt: exactly once for each ticket. */
  end(ticket: Ticket, outcome: Outcome, now: number): void {
    const wasProbe = this.#probe === ticket;
    if (wasProbe) this.#probe = undefined;
    if (ticket.ramp && ticket.epoch === this.#epoch) this.#rampInFlight--;
    // What is neither says nothing about the backend. A request whose own deadline passed while tokens were still coming
    // does not either.
    const failed = outcome.kind === "failed" && !(outcome.cause === "total" && ticket.delivered);
    if (outcome.kind === "ok" || outcome.kind === "caller_error") this.#succeed(ticket, now);
    else if (failed) this.#fail(ticket, wasProbe, now);
  }

  /** The backend was seen to come back by other means: the next attempt may probe at once. */
  hasten(now: number): void {
    this.#openUntil = Math.min(this.#openUntil, now);
  }

  /** Opens it until `hasten` or `reset`. What is under way says nothing to it any more. */
  trip(): void {
    this.#epoch++;
    this.#probe = undefined;
    this.#forcedThisStep = false;
    this.#circuit.open();
    this.#openUntil = Number.POSITIVE_INFINITY;
    this.#announce("open");
  }

  /** Closes it and forgets everything: failures, waits, the slow start. What is under way says nothing to it any more. */
  reset(): void {
    this.#epoch++;
    this.#consecutive = 0;
    this.#step = 0;
    this.#rampLimit = Number.POSITIVE_INFINITY;
    this.#close();
  }

  /** Gives back opossum's timer and listeners. Who still holds the breaker finds it as it was. */
  close(): void {
    const { closed } = this.#circuit;
    this.#circuit.shutdown();
    if (closed) this.#circuit.close();
  }

  #succeed(ticket: Ticket, now: number): void {
    if (ticket.epoch !== this.#epoch) return;
    this.#consecutive = 0;
    if (!this.#circuit.closed) {
      this.#recover(now);
      return;
    }
    this.#count(now, false);
    if (!ticket.ramp || this.#rampLimit === Number.POSITIVE_INFINITY) return;
    this.#rampSuccesses++;
    if (this.#rampSuccesses >= this.#rampLimit) this.#doubleRamp(now);
  }

  #fail(ticket: Ticket, wasProbe: boolean, now: number): void {
    if (!this.#circuit.closed) {
      if (!wasProbe) return;
      if (!ticket.forced) this.#forcedThisStep = false;
      this.#wait(now);
      return;
    }
    if (ticket.epoch !== this.#epoch) return;
    this.#count(now, true);
    this.#consecutive++;
    // One failure among successes is what this backend may always have had: it would never be through.
    if (this.#rampLimit !== Number.POSITIVE_INFINITY && this.#consecutive > 1) {
      this.#rampLimit = Math.max(1, this.#rampLimit / 2);
      this.#rampSuccesses = 0;
      this.#rampSince = now;
    }
    if (this.#shouldOpen()) this.#open(now);
  }

  #mayForce(refused: "breaker_open" | "recovering"): boolean {
    return refused === "breaker_open" && this.#probe === undefined && !this.#forcedThisStep;
  }

  #shouldOpen(): boolean {
    if (this.#consecutive >= this.#settings.consecutiveFailures) return true;
    const { fires, failures } = this.#circuit.stats;
    return fires >= this.#settings.minimumOutcomes && failures >= fires * this.#settings.failureShare;
  }

  #open(now: number): void {
    this.#epoch++;
    this.#forcedThisStep = false;
    this.#circuit.open();
    this.#wait(now);
  }

  #wait(now: number): void {
    const { backoffMs, maxBackoffMs, jitter } = this.#settings;
    const backoff = Math.min(backoffMs * 2 ** this.#step, maxBackoffMs);
    this.#step++;
    this.#openUntil = now + backoff * (1 - jitter + 2 * jitter * this.#options.random());
    this.#announce("open");
  }

  #recover(now: number): void {
    this.#rampInFlight = 0;
    // The probe was the 1 of 1, 2, 4, ...
    this.#rampLimit = 1;
    this.#doubleRamp(now);
    this.#close();
  }

  #close(): void {
    this.#probe = undefined;
    this.#circuit.close();
    // What failed before must not count against the recovered backend.
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#window.emit("rotate");
    this.#announce("closed");
  }

  #doubleRamp(now: number): void {
    this.#rampLimit *= 2;
    this.#rampSuccesses = 0;
    this.#rampSince = now;
    if (this.#rampLimit < this.#options.maxConcurrent && this.#rampLimit < 1024) return;
    this.#rampLimit = Number.POSITIVE_INFINITY;
    this.#step = 0;
  }

  #growWithTime(now: number): void {
    if (now - this.#rampSince >= this.#settings.rampStepMs) this.#doubleRamp(now);
  }

  #expireProbe(now: number): void {
    const probe = this.#probe;
    if (probe === undefined || now - probe.aliveAt < this.#settings.probeDeadlineMs) return;
    this.#probe = undefined;
    if (!probe.forced) this.#forcedThisStep = false;
    this.#wait(now);
  }

  #count(now: number, failed: boolean): void {
    const bucketMs = this.#settings.windowMs / BUCKETS;
    if (now >= this.#bucketEndsAt) {
      const passed = Math.min(BUCKETS, Math.ceil((now - this.#bucketEndsAt) / bucketMs) + 1);
      for (let bucket = 0; bucket < passed; bucket++) this.#window.emit("rotate");
      this.#bucketEndsAt = now + bucketMs;
    }
    // `success` is not emitted: opossum would keep a latency for each of them.
    this.#circuit.emit("fire");
    if (failed) this.#circuit.emit("failure");
  }

  #announce(state: BreakerState): void {
    if (state === this.#announced) return;
    const from = this.#announced;
    this.#announced = state;
    this.#options.onChange?.(from, state);
  }
}

function definedOnly(options: BreakerOptions): Partial<BreakerSettings> {
  const entries = Object.entries(options).filter(([key, value]) => key in breakerDefaults && value !== undefined);
  return Object.fromEntries(entries);
}
