/** So much may wait; more is not taken. */
const MAX_WAITING = 64;

/** Work that nobody waits for, a piece in each turn of the event loop, so that what is being answered goes first. */
export class LateWork {
  readonly #waiting: (() => void)[] = [];

  /** Does a piece later; false = too many wait, and it will not be done. */
  add(work: () => void): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    if (this.#waiting.push(work) === 1) setImmediate(() => this.#next());
    return true;
  }

  /** Does all that waits, now. */
  finish(): void {
    for (const work of this.#waiting.splice(0)) work();
  }

  #next(): void {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(() => this.#next());
  }
}
