import { writeLater } from "../runtime/write-later.ts";
import { type Script, type ScriptCall, type ScriptRunner, scripts } from "../teams/scripts.ts";

/** Calls that go together at most: Redis works on nothing else for a few milliseconds. */
const MOST = 64;
/** So long the end of a reservation may wait for a reservation to go with. */
const ENDS_WAIT_MS = 2;

interface Waiting extends ScriptCall {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * Sends the reservations and the ends of reservations of one turn of the event loop in one call: to send and to read it
 * costs hardly more than for one of them. A reservation waits for nothing but the end of the turn; an end, for which nobody
 * waits, goes with the next reservation, or after 2 ms. Where Redis refuses one of them, all that went together reject.
 */
export class ScriptTurns implements ScriptRunner {
  readonly #runner: ScriptRunner;
  #waiting: Waiting[] = [];
  #sendsThisTurn = false;
  #timing = false;

  constructor(runner: ScriptRunner) {
    this.#runner = runner;
  }

  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    if (script !== scripts.reserve && script !== scripts.settle) return this.#runner.run(script, keys, args);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ script, keys, args, resolve, reject });
      if (script === scripts.settle) this.#sendSoon();
      else if (!this.#sendsThisTurn) {
        this.#sendsThisTurn = true;
        writeLater(this.#sendAll);
      }
    });
  }

  #sendSoon(): void {
    if (this.#timing) return;
    this.#timing = true;
    setTimeout(this.#sendLate, ENDS_WAIT_MS);
  }

  readonly #sendLate = (): void => {
    this.#timing = false;
    this.#sendAll();
  };

  readonly #sendAll = (): void => {
    this.#sendsThisTurn = false;
    const all = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < all.length; from += MOST)
      this.#send(from === 0 && all.length <= MOST ? all : all.slice(from, from + MOST));
  };

  #send(calls: readonly Waiting[]): void {
    const reject = (error: unknown): void => {
      for (const call of calls) call.reject(error);
    };
    if (calls.length === 1) {
      const { script, keys, args, resolve } = calls[0]!;
      this.#runner.run(script, keys, args).then(resolve, reject);
      return;
    }
    const allKeys: string[] = [];
    const allArgs: (string | number)[] = [];
    for (const { script, keys, args } of calls) {
      allArgs.push(script === scripts.reserve ? "r" : "s", keys.length, args.length);
      for (const key of keys) allKeys.push(key);
      for (const arg of args) allArgs.push(arg);
    }
    this.#runner.run(scripts.turn, allKeys, allArgs).then((answers) => {
      for (let at = 0; at < calls.length; at++) calls[at]!.resolve((answers as readonly unknown[])[at]);
    }, reject);
  }
}
