/** So many pieces may wait; one more is not taken. */
const MAX_WAITING = 64;
/** What they hold in memory, all together; one that is alone may hold more. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Work that nobody waits for, a piece in each turn of the event loop, so that what is being answered goes first. */
export class LateWork {
  readonly #waiting: { readonly work: () => void; readonly bytes: number }[] = [];
  #bytes = 0;

  /** Does a piece later, which holds so many bytes until then; false = too much waits, and it will not be done. */
  add(bytes: number, work: () => void): boolean {
    const { length } = this.#waiting;
    if (length >= MAX_WAITING || (length > 0 && this.#bytes + bytes > MAX_BYTES)) return false;
    this.#bytes += bytes;
    if (this.#waiting.push({ work, bytes }) === 1) setImmediate(() => this.#next());
    return true;
  }

  /** Does all that waits, now. */
  finish(): void {
    while (this.#waiting.length > 0) this.#doOne();
  }

  #next(): void {
    this.#doOne();
    if (this.#waiting.length > 0) setImmediate(() => this.#next());
  }

  #doOne(): void {
    const first = this.#waiting.shift();
    if (first === undefined) return;
    this.#bytes -= first.bytes;
    first.work();
  }
}
