/** Something that is waited for. */
export interface Waiting {
  /** When the waiting began, in milliseconds of `performance.now()`. */
  readonly since: number;
  /** Nobody waits for it any more. */
  over: boolean;
}

/** Those that are over are let go when there are so many of them. */
const MOST_OVER = 64;

/** Those that wait, each for the same time at most: one timer for all of them, set for the one that has waited longest. */
export class DeadlineQueue<T extends Waiting> {
  readonly #ms: number;
  readonly #onLate: () => void;
  #waiting: T[] = [];
  #first = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onLate` is called when one has waited for `ms`. */
  constructor(ms: number, onLate: () => void) {
    this.#ms = ms;
    this.#onLate = onLate;
  }

  add(one: T): void {
    this.#dropOver();
    this.#waiting.push(one);
    if (this.#timer === undefined) this.#arm(this.#ms);
  }

  /** Everybody who still waits, the longest first; then nobody does. */
  takeAll(): T[] {
    const all = this.#waiting.slice(this.#first).filter(({ over }) => !over);
    this.#waiting = [];
    this.#first = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return all;
  }

  #arm(ms: number): void {
    // This process may have been away: what came meanwhile lies in its sockets, and is read before anybody is called late.
    this.#timer = setTimeout(() => setImmediate(() => this.#look()), ms);
  }

  #look(): void {
    if (this.#timer === undefined) return;
    this.#timer = undefined;
    this.#dropOver();
    const first = this.#waiting[this.#first];
    if (first === undefined) return;
    const left = this.#ms - (performance.now() - first.since);
    if (left <= 0) this.#onLate();
    else this.#arm(Math.ceil(left));
  }

  /** Answers come in about the order of the questions: who is kept longer than needed grows old with all that it holds. */
  #dropOver(): void {
    const waiting = this.#waiting;
    while (this.#first < waiting.length && waiting[this.#first]!.over) this.#first++;
    if (this.#first === waiting.length || this.#first > MOST_OVER) {
      this.#waiting = waiting.slice(this.#first);
      this.#first = 0;
    }
  }
}
