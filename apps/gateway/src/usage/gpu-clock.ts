/**
 * Shares the time of a backend's GPUs among the requests that it works on. While n requests are under way each of them pays
 * 1/n of what the GPUs take, so that the sum over all requests is the number of GPUs times the time in which the backend
 * was busy. Constant work for a request, however many there are.
 */
export class GpuClock {
  readonly #gpus: number;
  #underWay = 0;
  /** Requests that the backend works on for others than this process. */
  #others = 0;
  /** GPU milliseconds that a request would have paid that has been under way since the clock began. */
  #virtual = 0;
  #at = 0;
  /** Of a millisecond: what has been used and was not yet paid, so that rounding loses nothing. */
  #rest = 0;

  /** `gpus`: more than 0; a part of one is a fraction. */
  constructor(gpus: number) {
    this.#gpus = gpus;
  }

  /** A request goes to the backend. Gives the reading to hand to `end`. */
  begin(nowMs: number): number {
    this.#advance(nowMs);
    if (this.#underWay === 0) this.#virtual = 0;
    this.#underWay++;
    return this.#virtual;
  }

  /** The request is over, in whatever way: the whole GPU milliseconds that it pays. To be called once for each `begin`. */
  end(reading: number, nowMs: number): number {
    this.#advance(nowMs);
    this.#underWay--;
    const owed = this.#virtual - reading + this.#rest;
    const paid = Math.floor(owed);
    this.#rest = owed - paid;
    return paid;
  }

  /** From now on the backend works on so many requests of others: they pay their part elsewhere. */
  shareWith(others: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#others = others;
  }

  #advance(nowMs: number): void {
    if (this.#underWay > 0) this.#virtual += ((nowMs - this.#at) * this.#gpus) / (this.#underWay + this.#others);
    this.#at = nowMs;
  }
}
