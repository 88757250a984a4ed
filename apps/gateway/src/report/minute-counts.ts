import type { NameOf } from "../signals/metric-table.ts";
import type { CountedSeries, Metrics } from "../signals/metrics.ts";

interface ReportedCount {
  readonly metric: NameOf<"counter"> | NameOf<"histogram">;
  /** The labels that it is kept by: series that differ in others alone are one. */
  readonly by: readonly string[];
}

/** What a report is made of: nothing is counted for it that was not counted before. */
const reportedCounts = {
  requests: { metric: "signalbox_requests_total", by: ["team", "model", "status", "code"] },
  response_time: { metric: "signalbox_request_duration_seconds", by: ["model"] },
  first_token: { metric: "signalbox_time_to_first_token_seconds", by: ["model"] },
  token_time: { metric: "signalbox_time_per_output_token_seconds", by: ["model"] },
  tokens: { metric: "signalbox_tokens_total", by: ["model", "backend", "type"] },
  team_tokens: { metric: "signalbox_tokens_total", by: ["team", "type"] },
  attempts: { metric: "signalbox_attempts_total", by: ["backend", "outcome"] },
  retries: { metric: "signalbox_retries_total", by: [] },
  fallbacks: { metric: "signalbox_fallbacks_total", by: [] },
  hedges: { metric: "signalbox_hedges_total", by: [] },
  recoveries: { metric: "signalbox_stream_recoveries_total", by: ["outcome"] },
  decisions: { metric: "signalbox_decisions_total", by: ["rule", "complexity"] },
  model_cost: { metric: "signalbox_cost_total", by: ["model"] },
  team_cost: { metric: "signalbox_cost_total", by: ["team"] },
  baseline_cost: { metric: "signalbox_baseline_cost_total", by: [] },
  queue_time: { metric: "signalbox_queue_seconds", by: ["priority"] },
  turned_away: { metric: "signalbox_queue_turned_away_total", by: ["reason"] },
  limited: { metric: "signalbox_rate_limited_total", by: ["team"] },
  tool_calls: { metric: "signalbox_tool_calls_total", by: ["model", "dialect", "outcome"] },
} as const satisfies Record<string, ReportedCount>;
export type CountName = keyof typeof reportedCounts;
const countNames = Object.keys(reportedCounts) as CountName[];

const MINUTE_MS = 60_000;
/** A report reaches back that far. */
export const MOST_MINUTES = 1440;
/** Most changes that are kept, of 12 bytes each (16 MB): with more of them the oldest minutes go. */
const MOST_CHANGES = 1_400_000;

/** A series, and where its numbers begin among those of all series. */
export interface KnownSeries {
  readonly count: CountName;
  readonly labels: Readonly<Record<string, string>>;
  /** Of a histogram: its numbers are the counts of its buckets, one more than bounds, and the sum. */
  readonly bounds: readonly number[] | undefined;
  readonly first: number;
}

/** What changed in one minute. */
export interface MinuteChanges {
  /** Milliseconds since 1970 at which it began. */
  readonly at: number;
  /** Requests that waited in the queue at its end. */
  readonly waiting: number;
  /** Which numbers, and by how much. */
  readonly cells: Uint32Array;
  readonly deltas: Float64Array;
}

export interface MinuteCountsOptions {
  readonly metrics: Pick<Metrics, "counted">;
  /** Milliseconds since 1970. */
  wallNow(): number;
  /** Requests that wait in the queue now. */
  waiting(): number;
  /** Most changes that are kept; 1,400,000 unless told. */
  readonly mostChanges?: number;
}

/** Keeps by how much counters and histograms grew, minute by minute: a day at most, and no more than 16 MB. */
export class MinuteCounts {
  readonly series: KnownSeries[] = [];
  readonly #options: MinuteCountsOptions;
  /** Of each count: its series by their labels, and which of them each series of the metric belongs to. */
  readonly #places = new Map<CountName, { readonly byLabels: Map<string, KnownSeries>; readonly of: KnownSeries[] }>();
  /** As they were at the end of the last minute, and as they are now. */
  #numbers = new Float64Array(1024);
  #sums = new Float64Array(1024);
  #used = 0;
  #minutes: MinuteChanges[] = [];
  #changes = 0;
  #at: number;
  /** From when on everything is known. */
  #since: number;

  constructor(options: MinuteCountsOptions) {
    this.#options = options;
    this.#since = options.wallNow();
    this.#at = this.#minute();
  }

  /** Milliseconds since 1970 from which on nothing is missing. */
  get since(): number {
    return this.#since;
  }

  /** To be called once a minute or more often: ends the minute when it is over. */
  tick(): void {
    if (this.#minute() === this.#at) return;
    this.#keep(this.#changesUntilNow(true));
    this.#at = this.#minute();
  }

  /** The minutes that began at `from` or later, the one under way among them. */
  changesSince(from: number): MinuteChanges[] {
    this.tick();
    return [...this.#minutes.filter(({ at }) => at >= from), this.#changesUntilNow(false)];
  }

  #minute(): number {
    return Math.floor(this.#options.wallNow() / MINUTE_MS) * MINUTE_MS;
  }

  #changesUntilNow(settles: boolean): MinuteChanges {
    this.#sums.fill(0);
    for (const name of countNames) this.#sumUp(name);
    const cells: number[] = [];
    const deltas: number[] = [];
    for (let cell = 0; cell < this.#used; cell++) {
      const delta = this.#sums[cell]! - this.#numbers[cell]!;
      if (delta === 0) continue;
      cells.push(cell);
      deltas.push(delta);
    }
    if (settles) this.#numbers.set(this.#sums);
    const waiting = this.#options.waiting();
    return { at: this.#at, waiting, cells: Uint32Array.from(cells), deltas: Float64Array.from(deltas) };
  }

  #sumUp(name: CountName): void {
    const counted = this.#options.metrics.counted(reportedCounts[name].metric);
    for (const [index, one] of counted.entries()) {
      const { first } = this.#known(name, index, one);
      const { counts } = one;
      if (counts !== undefined) for (let at = 0; at < counts.length; at++) this.#sums[first + at]! += counts[at]!;
      this.#sums[first + (counts?.length ?? 0)]! += one.value;
    }
  }

  /** Series of a metric are never dropped, and stay in the order in which they came. */
  #known(name: CountName, index: number, { labels, bounds, counts }: CountedSeries): KnownSeries {
    const places = this.#places.get(name) ?? { byLabels: new Map<string, KnownSeries>(), of: [] };
    this.#places.set(name, places);
    const known = places.of[index];
    if (known !== undefined) return known;
    const own = Object.fromEntries(reportedCounts[name].by.map((label) => [label, labels[label]!]));
    const key = JSON.stringify(own);
    const one = places.byLabels.get(key) ?? this.#add({ count: name, labels: own, bounds, first: this.#used }, counts);
    places.byLabels.set(key, one);
    places.of[index] = one;
    return one;
  }

  #add(added: KnownSeries, counts: Float64Array | undefined): KnownSeries {
    this.series.push(added);
    this.#used += counts === undefined ? 1 : counts.length + 1;
    if (this.#used > this.#numbers.length) {
      this.#numbers = larger(this.#numbers, this.#used * 2);
      this.#sums = larger(this.#sums, this.#used * 2);
    }
    return added;
  }

  #keep(minute: MinuteChanges): void {
    const { mostChanges = MOST_CHANGES } = this.#options;
    this.#minutes.push(minute);
    this.#changes += minute.cells.length;
    while (this.#minutes.length > MOST_MINUTES || this.#changes > mostChanges) {
      const gone = this.#minutes.shift()!;
      this.#changes -= gone.cells.length;
      this.#since = gone.at + MINUTE_MS;
    }
  }
}

function larger(numbers: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const copy = new Float64Array(length);
  copy.set(numbers);
  return copy;
}
