import type { GatewayError } from "@signalbox/protocol";
import type { AttemptEffects } from "./attempt-effects.ts";
import { attemptFailureOf } from "./attempt-failure.ts";
import type { Permit } from "./backend-state.ts";
import { attemptHedged, type Won } from "./hedged-attempt.ts";
import type { Model } from "./policy.ts";
import type { Candidate } from "./strategy.ts";
import { type AttemptPlan, type AttemptRecord, type Turn, Walk } from "./walk.ts";

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
    const hedgeAfterMs = effects.hedgeAfterMs(turn.model);
    const won =
      hedgeAfterMs === undefined || !walk.isHedgeable(turn)
        ? await attempt(walk, turn, effects)
        : await attemptHedged(walk, turn, hedgeAfterMs, effects);
    if (won !== undefined) {
      const { candidate, model, permit } = won.turn;
      return { reply: won.reply, candidate, model, permit, records: walk.records, attempts: walk.attempts };
    }
    if (walk.pauseMs > 0) await effects.sleep(walk.pauseMs);
  }
  throw new AllAttemptsFailed(walk.conclusion(), walk.records, walk.attempts);
}

/** Undefined = it failed, and the walk knows. */
async function attempt<T>(walk: Walk, turn: Turn, effects: AttemptEffects<T>): Promise<Won<T> | undefined> {
  try {
    const reply = await effects.open(turn.candidate, turn.model, turn.permit);
    walk.commit(turn);
    return { turn, reply };
  } catch (error) {
    walk.fail(turn, attemptFailureOf(error, turn.candidate.backend.name));
    return undefined;
  }
}
