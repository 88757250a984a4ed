/** Beyond this many, those whose past no longer counts are forgotten. */
const KEPT = 64;

/**
 * Who had how much of something that is shared by weight: the virtual clock of start-time fair queuing. Whoever has the
 * earliest start is to be served next. One that was away starts at the present: what it did not use is not saved up.
 */
export class ServiceShares<K> {
  /** The start of what was served last. */
  #clock = 0;
  /** The end of what each had last; one that has passed says nothing. */
  readonly #ends = new Map<K, number>();
  #keep = KEPT;

  /** Where the next service of this one starts, in cost per weight. */
  startOf(one: K): number {
    const end = this.#ends.get(one);
    return end === undefined || end < this.#clock ? this.#clock : end;
  }

  /** It is served: `cost` above 0, `weight` above 0. */
  serve(one: K, cost: number, weight: number): void {
    const start = this.startOf(one);
    this.#clock = start;
    this.#ends.set(one, start + cost / weight);
    if (this.#ends.size <= this.#keep) return;
    for (const [other, end] of this.#ends) if (end <= this.#clock) this.#ends.delete(other);
    this.#keep = Math.max(KEPT, this.#ends.size * 2);
  }
}
