import { type FailureCause, GatewayError, type Outcome } from "@signalbox/protocol";
import type { WalkEffects } from "./attempt-effects.ts";
import type { AttemptFailure } from "./attempt-failure.ts";
import type { Holder, Permit, Unfit } from "./backend-state.ts";
import { clientErrorOf } from "./client-error.ts";
import { isReset, nextAfter } from "./next-after.ts";
import type { Deployment, Model } from "./policy.ts";
import type { Candidate } from "./strategy.ts";

/** One line of a request's story: who was tried, or why not. */
export interface AttemptRecord {
  readonly backend: string;
  readonly model: string;
  readonly outcome: Outcome["kind"] | "skipped";
  readonly cause?: FailureCause | Unfit | undefined;
  readonly ms: number;
  /** Of an attempt that ran beside another: the model whose attempt was late. */
  readonly hedge?: string | undefined;
}

export interface AttemptPlan {
  /** The model and its fallbacks, in order. */
  readonly chain: readonly Model[];
  /** Attempts that the whole request may make, over all models and backends. */
  readonly attempts: number;
  /** Whose the request is. */
  readonly holder?: Holder | undefined;
  /** Aborted when the client has left or the deadline is over, with the GatewayError that says so as its reason. */
  readonly signal: { readonly aborted: boolean; readonly reason: unknown };
}

/** A candidate whose turn it is, its slot taken. Ends in `commit`, `fail` or `withdraw` of its walk. */
export interface Turn {
  readonly candidate: Candidate;
  readonly model: Model;
  readonly permit: Permit;
  /** By the walk's clock. */
  readonly startedAt: number;
  /** The model whose attempt was late, so that this one runs beside it; undefined = it came in the walk's order. */
  readonly hedge: string | undefined;
}

const SAME_BACKEND_JITTER_MS = { least: 50, most: 250 };

/** Says nothing about the backend. */
const NO_EVIDENCE: Outcome = { kind: "client_gone" };
const NOBODY: readonly Deployment[] = [];
const WITHDRAWN: Outcome = { kind: "cancelled" };

/**
 * Do probes and requests disagree about it? What both have seen fail is dead, and what is loading says so itself: an answer
 * without delay is worth more to the client than one more try. An open breaker whose wait is over no longer speaks against it,
 * so that a backend whose probes alone are broken is found again.
 */
function isMixed({ backend: { health }, state: { breaker } }: Candidate): boolean {
  return health.status !== "loading" && (health.status === "down") !== (breaker === "open");
}

/** The engine says that it must load the model first. To give up on it would abort the load, so that it never gets warm. */
function isCold({ backend, deployment }: Candidate): boolean {
  return backend.warm !== undefined && !backend.warm.has(deployment.model);
}

/** One request's way over its candidates: the models of the chain in order, and the backends of each. */
export class Walk {
  readonly records: AttemptRecord[] = [];
  /** Attempts made. */
  attempts = 0;
  /** Milliseconds to wait before the next turn. */
  pauseMs = 0;
  readonly #plan: AttemptPlan;
  readonly #effects: WalkEffects;
  /** Where it stands: a model of the chain, and one of its candidates. */
  #place = -1;
  #candidates: readonly Candidate[] = [];
  #index = 0;
  /** The candidate has had its second turn. */
  #repeated = false;
  /** Nobody fit was found: those whose evidence is mixed are walked over. */
  #panic = false;
  #over = false;
  /** After «too long»: only models with a larger context are worth a try. */
  #minContext: number | undefined;
  #failure: AttemptFailure | undefined;
  #busy = false;
  #escalated = false;
  /** The model that said that another one is needed. */
  #refusedBy: Model | undefined;
  /** Turns that have not ended: two of them where one is hedged. */
  #underWay = 0;
  /** The retry budget has already granted the next attempt. */
  #granted = false;
  /** Deployments that were asked beside another: they had their turn. */
  #hedged: readonly Deployment[] = NOBODY;

  constructor(plan: AttemptPlan, effects: WalkEffects) {
    this.#plan = plan;
    this.#effects = effects;
  }

  /** The next candidate that may be tried; undefined = nobody is left, or nothing more would help. */
  next(): Turn | undefined {
    this.pauseMs = 0;
    for (let candidate = this.#candidate(); candidate !== undefined; candidate = this.#candidate()) {
      const turn = this.#begin(candidate);
      if (turn !== undefined) return turn;
      this.#pass();
    }
    this.#giveBack();
    return undefined;
  }

  /**
   * May another attempt run beside this one, if it is late? Not beside one that finds out whether a backend is back, or
   * that makes it load a model: it must not be given up.
   */
  isHedgeable({ candidate }: Turn): boolean {
    return !this.#panic && candidate.state.breaker === "closed" && !isCold(candidate);
  }

  /**
   * Another attempt to run beside `late`: on another backend of its model, or else of a model further down the chain.
   * Undefined = nobody is fit for it, or the budgets say no; then nothing has changed.
   */
  hedge(late: Turn): Turn | undefined {
    if (this.#plan.signal.aborted || this.#left <= 0) return undefined;
    const now = this.#effects.now();
    const found = this.#findHedge(late, now);
    if (found === undefined || !this.#takeRetry()) return undefined;
    const { candidate, model } = found;
    const turn = this.#take(candidate, model, now, late.model.name);
    if (turn === undefined) return undefined;
    this.#hedged = [...this.#hedged, candidate.deployment];
    this.#candidates = this.#unhedged(this.#candidates);
    return turn;
  }

  /** Is an attempt that runs beside a failed one still of use? Not if what that one came to holds for it as well. */
  isWanted({ model }: Turn): boolean {
    // Of a request that was aborted both attempts come to their ends by themselves.
    return this.#plan.signal.aborted || (!this.#over && model !== this.#refusedBy);
  }

  /** An attempt was given up because of what another one beside it came to: that says nothing about its backend. */
  withdraw(turn: Turn): void {
    this.#underWay--;
    turn.permit.end(WITHDRAWN);
    this.#record(turn, WITHDRAWN);
  }

  /** The first content of an attempt is in hand: the walk is at its end, and the turn's permit is the caller's to end. */
  commit(turn: Turn): void {
    this.#giveBack();
    this.#record(turn, { kind: "ok" });
  }

  /** An attempt came to nothing: its backend hears of it, and the walk moves on by what may still help. */
  fail(turn: Turn, failure: AttemptFailure): void {
    this.#underWay--;
    const next = nextAfter(failure);
    const repeat = next === "same_backend" && this.#mayRepeat(turn, failure);
    const atOnce = repeat && isReset(failure) && this.#underWay === 0;
    // Whether the backend or only an idle connection went away, the attempt on a new one will tell.
    this.#granted = atOnce && this.#effects.takeRetry();
    turn.permit.end(this.#granted ? NO_EVIDENCE : failure.outcome);
    this.#record(turn, failure.outcome);
    this.#failure = failure;
    if (next === "give_up" || (atOnce && !this.#granted)) this.#over = true;
    else if (next === "larger_model") this.#leaveSmall(turn.model);
    else if (next === "next_model") this.#escalate(turn.model);
    else if (repeat) {
      this.#repeated = true;
      if (!atOnce) this.pauseMs = this.#jitter();
    } else if (turn.hedge === undefined) this.#pass();
  }

  /** What the client is told when nobody committed: from the last failure, or from why nobody was tried. */
  conclusion(): GatewayError {
    const { reason } = this.#plan.signal;
    if (reason instanceof GatewayError) return reason;
    const retryAfterMs = Math.max(1000, this.#effects.retryInMs());
    if (this.#failure !== undefined) return clientErrorOf(this.#failure, retryAfterMs);
    const names = this.records.map((record) => `${record.backend} (${record.cause})`).join(", ") || "none configured";
    const said = this.#busy ? "no backend has room now" : "no backend is available";
    return new GatewayError(this.#busy ? "backends_overloaded" : "backends_unavailable", `${said}: ${names}`, {
      retryAfterMs,
    });
  }

  /** Attempts that may still be made. */
  get #left(): number {
    return this.#plan.attempts - this.attempts;
  }

  /** The last attempt belongs to a fallback where there is one: replicas of a model tend to fail together. */
  get #keepsOne(): boolean {
    return this.#place === 0 && this.#plan.chain.length > 1 && !this.#panic;
  }

  get #keepsLast(): boolean {
    return this.#keepsOne && this.attempts > 0 && this.#left <= 1;
  }

  /** Whose turn it would be. */
  #candidate(): Candidate | undefined {
    if (this.#over || this.#plan.signal.aborted || this.#left <= 0) return undefined;
    while (this.#index >= this.#candidates.length || this.#keepsLast) {
      if (!this.#enterModel()) return undefined;
    }
    return this.#candidates[this.#index];
  }

  /** Goes on to the next model; false = there is none. */
  #enterModel(): boolean {
    const { chain } = this.#plan;
    do this.#place++;
    while (chain[this.#place] !== undefined && !this.#isLargeEnough(chain[this.#place]!));
    if (this.#place >= chain.length && !this.#panic && this.attempts === 0) {
      // Nobody fit to be tried: better one whose evidence is mixed than none.
      this.#panic = true;
      this.#place = 0;
    }
    const model = chain[this.#place];
    if (model === undefined) return false;
    const choice = this.#effects.choose(model);
    if (!this.#panic) for (const { deployment, why } of choice.refused) this.#skip(deployment.backend, model, why);
    this.#candidates = this.#panic ? choice.panic.filter(isMixed) : this.#unhedged(choice.fit);
    this.#index = 0;
    this.#repeated = false;
    return true;
  }

  #isLargeEnough({ context }: Model): boolean {
    return this.#minContext === undefined || (context ?? 0) > this.#minContext;
  }

  /** Takes the slot of a candidate; undefined = it may not be tried now, or nobody may. */
  #begin(candidate: Candidate): Turn | undefined {
    const { backend, state } = candidate;
    const model = this.#plan.chain[this.#place]!;
    const now = this.#effects.now();
    const why = this.#panic ? undefined : state.unfit(now);
    if (why !== undefined) {
      this.#skip(backend.name, model, why);
      return undefined;
    }
    if ((this.attempts > 0 || this.#panic) && !this.#takeRetry()) {
      this.#over = true;
      return undefined;
    }
    const turn = this.#take(candidate, model, now, undefined);
    // Why a forced one was not fit has been said.
    if (turn === undefined && !this.#panic) this.#skip(backend.name, model, "full");
    return turn;
  }

  #take(candidate: Candidate, model: Model, now: number, hedge: string | undefined): Turn | undefined {
    const permit = candidate.state.begin(now, this.#panic, this.#plan.holder);
    if (permit === undefined) {
      this.#granted = this.attempts > 0 || this.#panic;
      return undefined;
    }
    this.attempts++;
    this.#underWay++;
    return { candidate, model, permit, startedAt: now, hedge };
  }

  /** Whom to ask beside a late attempt: nobody who is full, pausing, recovering or cold, and no backend twice. */
  #findHedge({ candidate: late, model }: Turn, now: number): { candidate: Candidate; model: Model } | undefined {
    const suits = (candidate: Candidate): boolean =>
      candidate.backend !== late.backend &&
      candidate.state.breaker === "closed" &&
      candidate.state.unfit(now) === undefined &&
      !isCold(candidate);
    const replica = this.#keepsLast ? undefined : this.#candidates.slice(this.#index + 1).find(suits);
    if (replica !== undefined) return { candidate: replica, model };
    for (const other of this.#plan.chain.slice(this.#place + 1)) {
      const candidate = this.#isLargeEnough(other)
        ? this.#unhedged(this.#effects.choose(other).fit).find(suits)
        : undefined;
      if (candidate !== undefined) return { candidate, model: other };
    }
    return undefined;
  }

  /** Without those that had their turn beside another. */
  #unhedged(candidates: readonly Candidate[]): readonly Candidate[] {
    if (this.#hedged === NOBODY) return candidates;
    return candidates.filter(({ deployment }) => !this.#hedged.includes(deployment));
  }

  /** On to the next candidate of the model. */
  #pass(): void {
    this.#index++;
    this.#repeated = false;
  }

  /** What the other candidates of the model would say is known. */
  #leave(model: Model): void {
    this.#refusedBy = model;
    if (model === this.#plan.chain[this.#place]) this.#index = this.#candidates.length;
  }

  /** A model that does not declare its context was not known to be too small; one that does was found large enough. */
  #leaveSmall(model: Model): void {
    this.#minContext = model.context ?? 0;
    this.#leave(model);
  }

  /** Another model is asked because of what the first one answered: once, and no replica of it. */
  #escalate(model: Model): void {
    if (this.#escalated) this.#over = true;
    this.#escalated = true;
    this.#leave(model);
  }

  /** A dropped connection is made anew at once; a backend that failed has a second turn where it is the only one left. */
  #mayRepeat(turn: Turn, failure: AttemptFailure): boolean {
    if (
      turn.hedge !== undefined ||
      this.#repeated ||
      this.#plan.signal.aborted ||
      this.#left <= (this.#keepsOne ? 1 : 0)
    )
      return false;
    return isReset(failure) || this.#index === this.#candidates.length - 1;
  }

  #jitter(): number {
    const { least, most } = SAME_BACKEND_JITTER_MS;
    return least + this.#effects.random() * (most - least);
  }

  #takeRetry(): boolean {
    const granted = this.#granted || this.#effects.takeRetry();
    this.#granted = false;
    return granted;
  }

  #giveBack(): void {
    if (this.#granted) this.#effects.giveBackRetry();
  }

  #skip(backend: string, model: Model, why: Unfit): void {
    if (why === "full" || why === "cooling_down" || why === "recovering" || why === "loading") this.#busy = true;
    this.records.push({ backend, model: model.name, outcome: "skipped", cause: why, ms: 0, hedge: undefined });
  }

  #record({ candidate, model, startedAt, hedge }: Turn, outcome: Outcome): void {
    const backend = candidate.backend.name;
    const cause = outcome.kind === "failed" ? outcome.cause : undefined;
    const ms = this.#effects.now() - startedAt;
    this.records.push({ backend, model: model.name, outcome: outcome.kind, cause, ms, hedge });
  }
}
