/** Something that is waited for. */
export interface Waiting {
  /** When the waiting began, in milliseconds of `performance.now()`. */
  readonly since: number;
  /** Nobody waits for it any more. */
  over: boolean;
}

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
    while (this.#first < this.#waiting.length && this.#waiting[this.#first]!.over) this.#first++;
    const first = this.#waiting[this.#first];
    if (first === undefined) {
      this.#waiting = [];
      this.#first = 0;
      return;
    }
    const left = this.#ms - (performance.now() - first.since);
    if (this.#first > 1000) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    if (left <= 0) this.#onLate();
    else this.#arm(Math.ceil(left));
  }
}
