import { type FailureCause, GatewayError, type Outcome } from "@signalbox/protocol";
import type { AttemptFailure } from "./attempt-failure.ts";
import type { Permit, Unfit } from "./backend-state.ts";
import { clientErrorOf } from "./client-error.ts";
import { isReset, nextAfter } from "./next-after.ts";
import type { Model } from "./policy.ts";
import type { Candidate } from "./strategy.ts";

/** One line of a request's story: who was tried, or why not. */
export interface AttemptRecord {
  readonly backend: string;
  readonly model: string;
  readonly outcome: Outcome["kind"] | "skipped";
  readonly cause?: FailureCause | Unfit | undefined;
  readonly ms: number;
}

/** What a walk may choose from, asked for each model just before it is tried. */
export interface Choice {
  /** Fit now, best first. */
  readonly fit: readonly Candidate[];
  /** Not fit by the evidence at hand, but better than nothing; best first. */
  readonly panic: readonly Candidate[];
  /** Not to be tried, and why. */
  readonly refused: readonly { readonly deployment: { readonly backend: string }; readonly why: Unfit }[];
}

export interface AttemptPlan {
  /** The model and its fallbacks, in order. */
  readonly chain: readonly Model[];
  /** Attempts that the whole request may make, over all models and backends. */
  readonly attempts: number;
  /** Aborted when the client has left or the deadline is over, with the GatewayError that says so as its reason. */
  readonly signal: { readonly aborted: boolean; readonly reason: unknown };
}

/** What a walk needs from outside. */
export interface WalkEffects {
  now(): number;
  random(): number;
  choose(model: Model): Choice;
  /** May one more attempt be made, by the retry budget of all traffic? */
  takeRetry(): boolean;
  /** Milliseconds until one of the chain's backends may be worth a try. */
  retryInMs(): number;
}

/** A candidate whose turn it is, its slot taken. Ends in `commit` or `fail` of its walk. */
export interface Turn {
  readonly candidate: Candidate;
  readonly model: Model;
  readonly permit: Permit;
  /** By the walk's clock. */
  readonly startedAt: number;
}

const SAME_BACKEND_JITTER_MS = { least: 50, most: 250 };

/** Says nothing about the backend. */
const NO_EVIDENCE: Outcome = { kind: "client_gone" };

/**
 * Do probes and requests disagree about it? What both have seen fail is dead, and what is loading says so itself: an answer
 * without delay is worth more to the client than one more try. An open breaker whose wait is over no longer speaks against it,
 * so that a backend whose probes alone are broken is found again.
 */
function isMixed({ backend: { health }, state: { breaker } }: Candidate): boolean {
  return health.status !== "loading" && (health.status === "down") !== (breaker === "open");
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
  /** The retry budget has already granted the next attempt. */
  #granted = false;

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
    return undefined;
  }

  /** The first content of an attempt is in hand: the walk is at its end, and the turn's permit is the caller's to end. */
  commit(turn: Turn): void {
    this.#record(turn, { kind: "ok" });
  }

  /** An attempt came to nothing: its backend hears of it, and the walk moves on by what may still help. */
  fail(turn: Turn, failure: AttemptFailure): void {
    const next = nextAfter(failure);
    const repeat = next === "same_backend" && this.#mayRepeat(failure);
    const atOnce = repeat && isReset(failure);
    // Whether the backend or only an idle connection went away, the attempt on a new one will tell.
    this.#granted = atOnce && this.#effects.takeRetry();
    turn.permit.end(this.#granted ? NO_EVIDENCE : failure.outcome);
    this.#record(turn, failure.outcome);
    this.#failure = failure;
    if (next === "give_up" || (atOnce && !this.#granted)) this.#over = true;
    else if (next === "larger_model") this.#leaveSmall(turn.model);
    else if (next === "next_model") this.#escalate();
    else if (!repeat) this.#pass();
    else {
      this.#repeated = true;
      if (!atOnce) this.pauseMs = this.#jitter();
    }
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

  /** Whose turn it would be. */
  #candidate(): Candidate | undefined {
    if (this.#over || this.#plan.signal.aborted || this.#left <= 0) return undefined;
    while (this.#index >= this.#candidates.length || (this.#keepsOne && this.attempts > 0 && this.#left <= 1)) {
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
    this.#candidates = this.#panic ? choice.panic.filter(isMixed) : choice.fit;
    this.#index = 0;
    this.#repeated = false;
    return true;
  }

  #isLargeEnough({ context }: Model): boolean {
    return this.#minContext === undefined || (context !== undefined && context > this.#minContext);
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
    const permit = state.begin(now, this.#panic);
    if (permit === undefined) {
      // Why a forced one was not fit has been said.
      if (!this.#panic) this.#skip(backend.name, model, "full");
      return undefined;
    }
    this.attempts++;
    return { candidate, model, permit, startedAt: now };
  }

  /** On to the next candidate of the model. */
  #pass(): void {
    this.#index++;
    this.#repeated = false;
  }

  /** What the other candidates of the model would say is known. */
  #leaveModel(): void {
    this.#index = this.#candidates.length;
  }

  /** A model that does not declare its context was not known to be too small; one that does was found large enough. */
  #leaveSmall({ context }: Model): void {
    this.#minContext = context ?? 0;
    this.#leaveModel();
  }

  /** Another model is asked because of what the first one answered: once, and no replica of it. */
  #escalate(): void {
    if (this.#escalated) this.#over = true;
    this.#escalated = true;
    this.#leaveModel();
  }

  /** A dropped connection is made anew at once; a backend that failed has a second turn where it is the only one left. */
  #mayRepeat(failure: AttemptFailure): boolean {
    if (this.#repeated || this.#plan.signal.aborted || this.#left <= (this.#keepsOne ? 1 : 0)) return false;
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

  #skip(backend: string, model: Model, why: Unfit): void {
    if (why === "full" || why === "cooling_down" || why === "recovering" || why === "loading") this.#busy = true;
    this.records.push({ backend, model: model.name, outcome: "skipped", cause: why, ms: 0 });
  }

  #record({ candidate, model, startedAt }: Turn, outcome: Outcome): void {
    const cause = outcome.kind === "failed" ? outcome.cause : undefined;
    const ms = this.#effects.now() - startedAt;
    this.records.push({ backend: candidate.backend.name, model: model.name, outcome: outcome.kind, cause, ms });
  }
}
