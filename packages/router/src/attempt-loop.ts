import type { GatewayError } from "@signalbox/protocol";
import { AttemptFailure } from "./attempt-failure.ts";
import type { Permit } from "./backend-state.ts";
import type { Model } from "./policy.ts";
import type { Candidate } from "./strategy.ts";
import { type AttemptPlan, type AttemptRecord, type Turn, Walk, type WalkEffects } from "./walk.ts";

/** What the loop needs from outside. */
export interface AttemptEffects<T> extends WalkEffects {
  /** Resolves after `ms`, or at once when the request is aborted. */
  sleep(ms: number): Promise<void>;
  /** Sends the request and resolves at the first content; throws AttemptFailure before that. `permit` is to hear of life. */
  open(candidate: Candidate, model: Model, permit: Pick<Permit, "alive">): Promise<T>;
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

/**
 * Tries candidates until one commits: an ordered walk over the chain, one question a step.
 * @throws AllAttemptsFailed with the error for the client.
 */
export async function attemptLoop<T>(plan: AttemptPlan, effects: AttemptEffects<T>): Promise<Opened<T>> {
  const walk = new Walk(plan, effects);
  for (let turn = walk.next(); turn !== undefined; turn = walk.next()) {
    const opened = await attempt(walk, turn, effects);
    if (opened !== undefined) return opened;
    if (walk.pauseMs > 0) await effects.sleep(walk.pauseMs);
  }
  throw new AllAttemptsFailed(walk.conclusion(), walk.records, walk.attempts);
}

/** Undefined = it failed, and the walk knows. */
async function attempt<T>(walk: Walk, turn: Turn, effects: AttemptEffects<T>): Promise<Opened<T> | undefined> {
  try {
    return commit(walk, turn, await effects.open(turn.candidate, turn.model, turn.permit));
  } catch (error) {
    walk.fail(turn, failureOf(error, turn));
    return undefined;
  }
}

function commit<T>(walk: Walk, turn: Turn, reply: T): Opened<T> {
  walk.commit(turn);
  const { candidate, model, permit } = turn;
  return { reply, candidate, model, permit, records: walk.records, attempts: walk.attempts };
}

function failureOf(error: unknown, { candidate }: Turn): AttemptFailure {
  if (error instanceof AttemptFailure) return error;
  return new AttemptFailure({ how: "malformed" }, `${candidate.backend.name}: the attempt could not be made`, error);
}
