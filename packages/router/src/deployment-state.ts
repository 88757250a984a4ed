import type { FailureCause, Outcome } from "@signalbox/protocol";
import type { BackendState, DeploymentState, Holder, Holding, Permit, Unfit } from "./backend-state.ts";
import { Breaker, type BreakerState, type Ticket, worseOf } from "./breaker.ts";
import type { BackendStateOptions } from "./create-backend-state.ts";

/** What a deployment needs of its backend: the part that all of the backend's models share. */
export interface SharedState extends BackendState {
  readonly options: BackendStateOptions;
  /** Can the backend be reached at all? One for all its models, so that an outage of the host has one probe a wait. */
  readonly reach: Breaker;
  enter(now: number, holder: Holder | undefined): Holding | undefined;
  alive(now: number): void;
  leave(outcome: Outcome, tookMs: number, now: number, holding: Holding | undefined): void;
}

/** Reasons that panic mode may overrule; the others mean "alive, but not now", or that somebody said so. */
const forcible: ReadonlySet<Unfit> = new Set<Unfit>(["down", "loading", "breaker_open"]);

/** Nobody can tell when an operator gives a backend back. */
const HELD_RETRY_MS = 30_000;

/** Says nothing. */
const NEUTRAL: Outcome = { kind: "client_gone" };
const REACHED: Outcome = { kind: "ok" };

/** What a failure says of the way to the backend: an answer of any kind came over it. */
const answered: Readonly<Record<FailureCause, boolean>> = {
  connect: false,
  // An idle connection that was closed, a proxy, a crash: the next connect will tell.
  reset: false,
  // The silence may be the model's or the network's.
  first_token: false,
  total: false,
  stall: true,
  cut: true,
  malformed: true,
  server_error: true,
};

/** What an outcome is to the breaker of the backend's address, which counts connects alone. */
function reachOf(outcome: Outcome): Outcome {
  if (outcome.kind === "failed") {
    if (outcome.cause === "connect") return outcome;
    return answered[outcome.cause] ? REACHED : NEUTRAL;
  }
  return outcome.kind === "client_gone" || outcome.kind === "shortage" ? NEUTRAL : REACHED;
}

/** What an outcome is to the breaker of one model: whether the host can be reached is not its matter. */
function ownOf(outcome: Outcome): Outcome {
  return outcome.kind === "failed" && outcome.cause === "connect" ? NEUTRAL : outcome;
}

/** A model on a backend: its breaker, and its pauses after 429 and 503. Holds no referenced timer. */
export class LiveDeploymentState implements DeploymentState {
  readonly backend: SharedState;
  readonly model: string;
  coolingUntil = 0;
  strained = false;
  readonly #own: Breaker;
  #cooldownMs = 0;
  #announced: BreakerState;

  constructor(backend: SharedState, model: string) {
    this.backend = backend;
    this.model = model;
    const { options } = backend;
    this.#announced = backend.reach.announced;
    this.#own = new Breaker({
      ...options.breaker,
      name: `${options.name}/${model}`,
      maxConcurrent: options.maxConcurrent,
      now: options.now,
      random: options.random,
      onChange: () => this.announce(),
    });
  }

  get breaker(): BreakerState {
    return worseOf(this.backend.reach.state, this.#own.state);
  }

  unfit(now: number): Unfit | undefined {
    const { override, health, reach, inFlight, maxConcurrent } = this.backend;
    if (override === "drain") return "draining";
    if (override === "open") return "opened_by_hand";
    if (health.status === "down" || health.status === "loading") return health.status;
    const refused = reach.refuses(now) ?? this.#own.refuses(now);
    if (refused !== undefined) return refused;
    if (this.coolingUntil > now) return "cooling_down";
    return inFlight >= maxConcurrent ? "full" : undefined;
  }

  retryInMs(now: number): number {
    const why = this.unfit(now);
    if (why === undefined) return 0;
    if (why === "draining" || why === "opened_by_hand") return HELD_RETRY_MS;
    const { options, reach, replyMs, inFlight, maxConcurrent } = this.backend;
    const cooling = Math.max(0, this.coolingUntil - now);
    const breaker = Math.max(reach.retryInMs(now), this.#own.retryInMs(now));
    if (why === "down" || why === "loading") return Math.max(cooling, breaker, options.probeIntervalMs ?? 5000);
    if (why === "full" || why === "recovering") {
      // Replies end evenly spread: the next one of n ends after about an n-th of a reply's time.
      const nextSlot = replyMs / Math.max(1, Math.min(inFlight, maxConcurrent));
      return Math.max(cooling, Math.min(30_000, Math.max(100, nextSlot)));
    }
    return Math.max(cooling, breaker);
  }

  begin(now: number, force = false, holder?: Holder): Permit | undefined {
    const { reach, inFlight, maxConcurrent } = this.backend;
    const why = this.unfit(now);
    if (why !== undefined) {
      if (!force || !forcible.has(why)) return undefined;
      if (this.coolingUntil > now || inFlight >= maxConcurrent) return undefined;
    }
    if (!reach.admits(now, force) || !this.#own.admits(now, force)) return undefined;
    const holding = this.backend.enter(now, holder);
    return new LivePermit(this, reach.begin(now, force)!, this.#own.begin(now, force)!, now, holding);
  }

  alive(reach: Ticket, own: Ticket, now: number): void {
    this.backend.alive(now);
    this.backend.reach.alive(reach, now);
    this.#own.alive(own, now);
  }

  settle(reach: Ticket, own: Ticket, began: number, outcome: Outcome, holding: Holding | undefined): void {
    const { backend } = this;
    const now = backend.options.now();
    const judged = backend.override === "close" && outcome.kind === "failed" ? NEUTRAL : outcome;
    backend.reach.end(reach, reachOf(judged), now);
    this.#own.end(own, ownOf(judged), now);
    if (outcome.kind === "backpressure") this.#coolDown(outcome.retryAfterMs, now);
    if (outcome.kind === "ok") {
      this.#cooldownMs = 0;
      this.strained = false;
    }
    backend.leave(outcome, now - began, now, holding);
  }

  /** Tells a change of the two breakers together. */
  announce(): void {
    const from = this.#announced;
    const to = worseOf(this.backend.reach.announced, this.#own.announced);
    if (to === from) return;
    this.#announced = to;
    this.backend.options.onBreakerChange?.({ backend: this.backend.name, model: this.model, from, to });
  }

  /** The backend was seen to come back by other means: the next attempt may probe at once. */
  hasten(now: number): void {
    this.#own.hasten(now);
  }

  /** Closed and nothing known, as on the first day. */
  forget(): void {
    this.coolingUntil = 0;
    this.#cooldownMs = 0;
    this.strained = false;
    this.#own.reset();
  }

  /** Gives back what the breaker holds. Requests that still hold the state may go on with it. */
  close(): void {
    this.#own.close();
  }

  #coolDown(retryAfterMs: number | undefined, now: number): void {
    const { cooldownMs = 1000, maxCooldownMs = 30_000, maxRetryAfterMs = 300_000 } = this.backend.options;
    this.strained = true;
    if (retryAfterMs !== undefined) {
      const believed = Math.min(Math.max(0, retryAfterMs), maxRetryAfterMs);
      this.coolingUntil = Math.max(this.coolingUntil, now + believed);
      return;
    }
    // Attempts that ran side by side say the same thing at once: one step for all of them.
    if (this.coolingUntil > now) return;
    this.#cooldownMs = this.#cooldownMs === 0 ? cooldownMs : Math.min(this.#cooldownMs * 2, maxCooldownMs);
    this.coolingUntil = now + this.#cooldownMs;
  }
}

class LivePermit implements Permit {
  readonly #state: LiveDeploymentState;
  readonly #reach: Ticket;
  readonly #own: Ticket;
  readonly #began: number;
  readonly #holding: Holding | undefined;
  #ended = false;

  constructor(state: LiveDeploymentState, reach: Ticket, own: Ticket, began: number, holding: Holding | undefined) {
    this.#state = state;
    this.#reach = reach;
    this.#own = own;
    this.#began = began;
    this.#holding = holding;
  }

  alive(now: number): void {
    this.#state.alive(this.#reach, this.#own, now);
  }

  end(outcome: Outcome): void {
    // A second outcome would free a slot that is not held.
    if (this.#ended) return;
    this.#ended = true;
    this.#state.settle(this.#reach, this.#own, this.#began, outcome, this.#holding);
  }
}
