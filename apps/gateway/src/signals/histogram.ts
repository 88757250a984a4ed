import { NativeBuckets } from "./native-buckets.ts";

/** One observation, with the trace of the request that it was made for. */
export interface Exemplar {
  /** 32 hex digits. */
  readonly traceId: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** One series of a histogram: classic buckets, and native ones beside them. */
export class Histogram {
  /** Upper bounds of the classic buckets, ascending, without +Inf. */
  readonly bounds: readonly number[];
  /** Of each bucket by itself; one more than bounds. */
  readonly counts: Float64Array;
  /** Null = it has classic buckets alone. */
  readonly native: NativeBuckets | null;
  sum = 0;
  /** The newest of each bucket; empty until there is one. */
  exemplars: (Exemplar | undefined)[] = [];

  constructor(bounds: readonly number[], native: NativeBuckets | null = new NativeBuckets()) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
    this.native = native;
  }

  /** Counts a number of at least 0, in the metric's unit; with the trace that shows how it came about, if one is kept. */
  observe(value: number, traceId?: string): void {
    const bounds = this.bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]! += 1;
    this.sum += value;
    this.native?.count(value);
    if (traceId !== undefined) this.exemplars[bucket] = { traceId, value, at: Date.now() };
  }
}
