/** Eight buckets from one power of two to the next: each is 9 % wider than the one before. */
export const NATIVE_SCHEMA = 3;
const PER_DOUBLING = 2 ** NATIVE_SCHEMA;
/** A microsecond or so; what took less counts as nothing. A bound of a bucket. */
export const ZERO_THRESHOLD: number = 2 ** -20;
const FIRST = -20 * PER_DOUBLING + 1;
/** One and a half days. */
const LAST = 17 * PER_DOUBLING;

/** Buckets that are filled, next to each other. */
export interface BucketRun {
  /** Of its first bucket: `i` is what is above 2^((i-1)/8) and at most 2^(i/8). */
  readonly index: number;
  readonly counts: readonly number[];
}

/** The buckets of one native histogram, by schema 3: always the same ones, so that nothing is found out as it grows. */
export class NativeBuckets {
  zeroCount = 0;
  readonly #counts = new Float64Array(LAST - FIRST + 1);

  /** Counts a number of at least 0. */
  count(value: number): void {
    if (value <= ZERO_THRESHOLD) {
      this.zeroCount++;
      return;
    }
    const index = Math.ceil(Math.log2(value) * PER_DOUBLING);
    this.#counts[Math.min(index, LAST) - FIRST]! += 1;
  }

  /** What is filled, from small to large. */
  runs(): readonly BucketRun[] {
    const runs: { index: number; counts: number[] }[] = [];
    let run: number[] | undefined;
    for (let at = 0; at < this.#counts.length; at++) {
      const count = this.#counts[at]!;
      if (count === 0) {
        run = undefined;
        continue;
      }
      if (run === undefined) {
        run = [];
        runs.push({ index: at + FIRST, counts: run });
      }
      run.push(count);
    }
    return runs;
  }
}
