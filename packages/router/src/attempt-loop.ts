import { type FailureCause, GatewayError, type Outcome } from "@signalbox/protocol";
import { AttemptFailure } from "./attempt-failure.ts";
import type { Permit, Unfit } from "./backend-state.ts";
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

/** What the loop may choose from, asked for each model just before it is tried. */
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

/** What the loop needs from outside. */
export interface AttemptEffects<T> {
  now(): number;
  random(): number;
  /** Resolves after `ms`, or at once when the request is aborted. */
  sleep(ms: number): Promise<void>;
  choose(model: Model): Choice;
  /** Sends the request and resolves at the first content; throws AttemptFailure before that. `permit` is to hear of life. */
  open(candidate: Candidate, model: Model, permit: Pick<Permit, "alive">): Promise<T>;
  /** May one more attempt be made, by the retry budget of all traffic? */
  takeRetry(): boolean;
  /** Milliseconds until one of the chain's backends may be worth a try. */
  retryInMs(): number;
}

export interface Opened<T> {
  readonly reply: T;
  readonly candidate: Candidate;
  readonly model: Model;
  /** To be ended once, at the end of the reply. */
  readonly permit: Permit;
  readonly records: readonly AttemptRecord[];
  /** Attempts made, this one included. */
  readonly attempts: number;
}

/** Thrown when no attempt committed: what to tell the client, and what happened. */
export class AllAttemptsFailed extends Error {
  override readonly name = "AllAttemptsFailed";
  readonly error: GatewayError;
  readonly records: readonly AttemptRecord[];
  readonly attempts: number;
  constructor(error: GatewayError, records: readonly AttemptRecord[], attempts: number) {
    super(error.message, { cause: error });
    this.error = error;
    this.records = records;
    this.attempts = attempts;
  }
}

/** What to do after an attempt failed. */
type Next = "other_backend" | "same_backend" | "larger_model" | "next_model" | "give_up";

const SAME_BACKEND_JITTER_MS = { least: 50, most: 250 };

/** Says nothing about the backend. */
const NO_EVIDENCE: Outcome = { kind: "client_gone" };

/** The connection was dropped unanswered: mostly an idle one that the engine closed as we wrote to it. */
function isReset({ end }: AttemptFailure): boolean {
  return end.how === "fault" && end.fault === "reset";
}

/**
 * Do probes and requests disagree about it? What both have seen fail is dead, and what is loading says so itself: an answer
 * without delay is worth more to the client than one more try. An open breaker whose wait is over no longer speaks against it,
 * so that a backend whose probes alone are broken is found again.
 */
function isMixed({ health, breaker }: Candidate["backend"]): boolean {
  return health.status !== "loading" && (health.status === "down") !== (breaker === "open");
}

/** Reads only the failure: what can still help this request? */
function nextAfter(failure: AttemptFailure): Next {
  const { end, outcome } = failure;
  if (end.how === "denied") return end.escalate ? "next_model" : "give_up";
  if (end.how === "refused") {
    switch (end.error.meaning) {
      case "caller":
      case "content_filter":
        return "give_up";
      case "context_length":
        return "larger_model";
      case "server":
        return end.error.status === 501 ? "other_backend" : "same_backend";
      default:
        return "other_backend";
    }
  }
  if (outcome.kind === "client_gone") return "give_up";
  if (isReset(failure)) return "same_backend";
  return end.how === "timeout" && end.which === "total" ? "give_up" : "other_backend";
}

/**
 * Tries candidates until one commits: an ordered walk over the chain, one question a step.
 * @throws AllAttemptsFailed with the error for the client.
 */
export async function attemptLoop<T>(plan: AttemptPlan, effects: AttemptEffects<T>): Promise<Opened<T>> {
  const walk = new Walk(plan, effects);
  for (const [place, model] of plan.chain.entries()) {
    if (walk.minContext !== undefined && !(model.context !== undefined && model.context > walk.minContext)) continue;
    const choice = effects.choose(model);
    for (const { deployment, why } of choice.refused) walk.skip(deployment.backend, model, why);
    const opened = await tryModel(walk, model, choice.fit, {
      force: false,
      keepOne: place === 0 && plan.chain.length > 1,
    });
    if (opened !== undefined) return opened;
    if (walk.over) break;
  }
  // Nobody fit to be tried: better one whose evidence is mixed than none.
  if (walk.attempts === 0 && !walk.over) {
    for (const model of plan.chain) {
      const mixed = effects.choose(model).panic.filter(({ backend }) => isMixed(backend));
      const opened = await tryModel(walk, model, mixed, { force: true, keepOne: false });
      if (opened !== undefined) return opened;
      if (walk.over) break;
    }
  }
  throw new AllAttemptsFailed(walk.conclusion(), walk.records, walk.attempts);
}

/** All candidates of one model, in order. Undefined = go on to the next model, or `walk.over`. */
async function tryModel<T>(
  walk: Walk<T>,
  model: Model,
  candidates: readonly Candidate[],
  { force, keepOne }: { readonly force: boolean; readonly keepOne: boolean },
): Promise<Opened<T> | undefined> {
  for (const [index, candidate] of candidates.entries()) {
    let sameAgain = true;
    for (;;) {
      // The last attempt belongs to a fallback where there is one: replicas of a model tend to fail together.
      if (keepOne && walk.attempts > 0 && walk.left <= 1) return undefined;
      const again = sameAgain && walk.left > (keepOne ? 2 : 1);
      const result = await walk.attempt(candidate, model, { force, again });
      if (result === "skipped") break;
      if (!(result instanceof AttemptFailure)) return result;
      const next = nextAfter(result);
      if (next === "give_up") walk.over = true;
      // A model that does not declare its context was not known to be too small; one that does was found large enough.
      if (next === "larger_model") walk.minContext = model.context ?? 0;
      if (next === "next_model") walk.escalate();
      if (walk.over || next === "larger_model" || next === "next_model") return undefined;
      const quick = isReset(result);
      const alone = index === candidates.length - 1;
      if (next !== "same_backend" || !sameAgain || !(quick || alone)) break;
      sameAgain = false;
      if (!quick) await walk.pause();
    }
    if (walk.over) return undefined;
  }
  return undefined;
}

/** The state of one request's walk over its candidates. */
class Walk<T> {
  readonly records: AttemptRecord[] = [];
  attempts = 0;
  over = false;
  /** After «too long»: only models with a larger context are worth a try. */
  minContext: number | undefined;
  readonly #plan: AttemptPlan;
  readonly #effects: AttemptEffects<T>;
  #failure: AttemptFailure | undefined;
  #busy = false;
  #escalated = false;
  /** The retry budget has already granted the next attempt. */
  #granted = false;

  constructor(plan: AttemptPlan, effects: AttemptEffects<T>) {
    this.#plan = plan;
    this.#effects = effects;
  }

  /** Attempts that may still be made. */
  get left(): number {
    return this.#plan.attempts - this.attempts;
  }

  skip(backend: string, model: Model, why: Unfit): void {
    if (why === "full" || why === "cooling_down" || why === "recovering" || why === "loading") this.#busy = true;
    this.records.push({ backend, model: model.name, outcome: "skipped", cause: why, ms: 0 });
  }

  /** Another model is asked because of what the first one answered: once, and no replica of it. */
  escalate(): void {
    if (this.#escalated) this.over = true;
    this.#escalated = true;
  }

  async pause(): Promise<void> {
    const { least, most } = SAME_BACKEND_JITTER_MS;
    await this.#effects.sleep(least + this.#effects.random() * (most - least));
  }

  /** `again`: a dropped connection may be followed by another attempt on the same backend. */
  async attempt(
    candidate: Candidate,
    model: Model,
    { force, again }: { readonly force: boolean; readonly again: boolean },
  ): Promise<Opened<T> | AttemptFailure | "skipped"> {
    const { backend } = candidate;
    const started = this.#effects.now();
    if (this.#plan.signal.aborted || this.left <= 0) {
      this.over = true;
      return "skipped";
    }
    const why = force ? undefined : backend.unfit(started);
    if (why !== undefined) {
      this.skip(backend.name, model, why);
      return "skipped";
    }
    if ((this.attempts > 0 || force) && !this.#takeRetry()) {
      this.over = true;
      return "skipped";
    }
    const permit = backend.begin(started, force);
    if (permit === undefined) {
      // Why a forced one was not fit has been said.
      if (!force) this.skip(backend.name, model, "full");
      return "skipped";
    }
    this.attempts++;
    try {
      const reply = await this.#effects.open(candidate, model, permit);
      this.#record(candidate, model, { kind: "ok" }, started);
      return { reply, candidate, model, permit, records: this.records, attempts: this.attempts };
    } catch (error) {
      const failure =
        error instanceof AttemptFailure
          ? error
          : new AttemptFailure({ how: "malformed" }, `${backend.name}: the attempt could not be made`, error);
      // Whether the backend or only an idle connection went away, the attempt on a new one will tell.
      this.#granted = again && isReset(failure) && !this.#plan.signal.aborted && this.#effects.takeRetry();
      permit.end(this.#granted ? NO_EVIDENCE : failure.outcome);
      this.#record(candidate, model, failure.outcome, started);
      this.#failure = failure;
      return failure;
    }
  }

  #takeRetry(): boolean {
    const granted = this.#granted || this.#effects.takeRetry();
    this.#granted = false;
    return granted;
  }

  #record(candidate: Candidate, model: Model, outcome: Outcome, started: number): void {
    const cause = outcome.kind === "failed" ? outcome.cause : undefined;
    const ms = this.#effects.now() - started;
    this.records.push({ backend: candidate.backend.name, model: model.name, outcome: outcome.kind, cause, ms });
  }

  /** What the client is told, from the last failure or from why nobody was tried. */
  conclusion(): GatewayError {
    const { reason } = this.#plan.signal;
    if (reason instanceof GatewayError) return reason;
    const retryAfterMs = Math.max(1000, this.#effects.retryInMs());
    if (this.#failure !== undefined) return errorOf(this.#failure, retryAfterMs);
    const names = this.records.map((record) => `${record.backend} (${record.cause})`).join(", ") || "none configured";
    const said = this.#busy ? "no backend has room now" : "no backend is available";
    return new GatewayError(this.#busy ? "backends_overloaded" : "backends_unavailable", `${said}: ${names}`, {
      retryAfterMs,
    });
  }
}

/** What a failed last attempt is to the client. */
function errorOf(failure: AttemptFailure, retryAfterMs: number): GatewayError {
  const { end, outcome, message } = failure;
  const cause = failure;
  if (end.how === "denied") return end.error;
  if (end.how === "refused") {
    const { error } = end;
    switch (error.meaning) {
      case "caller":
      case "content_filter":
        return new GatewayError("rejected_by_backend", message, {
          cause,
          status: error.status,
          upstreamBody: error.body,
        });
      case "context_length":
        return new GatewayError("context_length_exceeded", message, { cause, upstreamBody: error.body });
      case "busy":
      case "loading":
        return new GatewayError("backends_overloaded", message, {
          cause,
          retryAfterMs: error.retryAfterMs ?? retryAfterMs,
        });
      default:
        // 501: the engine was started without what the request needs (embeddings, mostly).
        return new GatewayError(error.status === 501 ? "capability_not_supported" : "upstream_failed", message, {
          cause,
        });
    }
  }
  if (outcome.kind === "client_gone") return new GatewayError("client_closed_request", message, { cause });
  if (outcome.kind === "shortage")
    return new GatewayError("gateway_overloaded", message, { cause, retryAfterMs: 1000 });
  if (end.how === "timeout") {
    return new GatewayError(end.which === "total" ? "deadline_exceeded" : "upstream_timeout", message, { cause });
  }
  if (end.how === "fault" && end.fault === "connect") {
    return new GatewayError("backends_unavailable", message, { cause, retryAfterMs });
  }
  return new GatewayError("upstream_failed", message, { cause });
}
