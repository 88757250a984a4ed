import type { AttemptEffects, Rival } from "./attempt-effects.ts";
import { AttemptFailure, attemptFailureOf } from "./attempt-failure.ts";
import type { Permit } from "./backend-state.ts";
import type { Turn, Walk } from "./walk.ts";

/** An attempt that committed. */
export interface Won<T> {
  readonly turn: Turn;
  readonly reply: T;
}

/**
 * Makes an attempt, and a second one beside it if the first shows nothing for `afterMs`. The first to commit wins, and the
 * other is given up at once; when one fails the other goes on, unless that failure holds for both.
 * Undefined = nobody committed, and the walk knows why.
 */
export async function attemptHedged<T>(
  walk: Walk,
  turn: Turn,
  afterMs: number,
  effects: AttemptEffects<T>,
): Promise<Won<T> | undefined> {
  const first = new Runner(turn, effects);
  const hedge = (await isLate(first, afterMs, effects)) ? walk.hedge(turn) : undefined;
  if (hedge === undefined) return settle(walk, await first.ended);
  const second = new Runner(hedge, effects);
  const earlier = await Promise.race([first.ended, second.ended]);
  const later = earlier === first ? second : first;
  const won = settle(walk, earlier);
  if (won === undefined && walk.isWanted(later.turn)) return settle(walk, await later.ended);
  later.withdraw();
  walk.withdraw(later.turn);
  return won;
}

/** One of two attempts. Hears of its own life, on behalf of its permit. */
class Runner<T> implements Pick<Permit, "alive"> {
  readonly turn: Turn;
  /** Itself, once it has a result; never rejects. */
  readonly ended: Promise<Runner<T>>;
  result: Won<T> | AttemptFailure | undefined;
  /** Its first content is there, though it may be held back. */
  begun = false;
  readonly #rival: Rival<T>;

  constructor(turn: Turn, effects: AttemptEffects<T>) {
    this.turn = turn;
    this.#rival = effects.openRival(turn.candidate, turn.model, this);
    this.ended = this.#end();
  }

  async #end(): Promise<this> {
    try {
      this.result = { turn: this.turn, reply: await this.#rival.reply };
    } catch (error) {
      this.result = attemptFailureOf(error, this.turn.candidate.backend.name);
    }
    return this;
  }

  alive(now: number): void {
    this.begun = true;
    this.turn.permit.alive(now);
  }

  withdraw(): void {
    this.#rival.withdraw();
  }
}

/** Has it neither ended nor begun after so long? */
function isLate<T>(runner: Runner<T>, afterMs: number, effects: AttemptEffects<T>): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = effects.startTimer(afterMs, () => resolve(!runner.begun));
    void runner.ended.then(() => {
      stop();
      resolve(false);
    });
  });
}

function settle<T>(walk: Walk, { turn, result }: Runner<T>): Won<T> | undefined {
  if (result instanceof AttemptFailure) {
    walk.fail(turn, result);
    return undefined;
  }
  walk.commit(turn);
  return result;
}
