import { type Family, labelTextOf } from "./exposition/family.ts";
import { type Form, formFor } from "./exposition/negotiate.ts";
import { watchProcess } from "./exposition/process-families.ts";
import { Histogram } from "./histogram.ts";
import { type Labels, type MetricRow, metricTable, type NameOf } from "./metric-table.ts";

/** One series of a counter or a gauge. */
export interface NumberSeries {
  value: number;
}

/** One series of a histogram. */
export type HistogramSeries = Pick<Histogram, "observe">;

/** A series as it was counted until now. */
export interface CountedSeries {
  readonly labels: LabelValues;
  /** Of a histogram alone: the upper bounds of its buckets, and what each of them has by itself; the last one has no bound. */
  readonly bounds: readonly number[] | undefined;
  readonly counts: Float64Array | undefined;
  /** Of a histogram the sum. */
  readonly value: number;
}

/** Metrics in one of the forms that scrapers ask for. */
interface Exposition {
  readonly contentType: string;
  readonly body: string | Buffer;
}

/**
 * The metrics of one gateway. A series is looked up by its labels once and then kept by whoever counts, so that counting is
 * next to nothing.
 */
export interface Metrics {
  counter<N extends NameOf<"counter">>(name: N, labels: Labels<N>): NumberSeries;
  histogram<N extends NameOf<"histogram">>(name: N, labels: Labels<N>): HistogramSeries;
  gauge<N extends NameOf<"gauge">>(name: N, labels: Labels<N>): NumberSeries;
  /** All series of a counter so far. */
  series<N extends NameOf<"counter">>(name: N): readonly { readonly labels: Labels<N>; readonly value: number }[];
  /** All series of a counter or a histogram so far, in the order in which they came; none ever goes. */
  counted(name: NameOf<"counter"> | NameOf<"histogram">): readonly CountedSeries[];
  /** Drops every series of a gauge, before it is set anew (a backend that left the config). */
  reset(name: NameOf<"gauge">): void;
  /** All of them, in the form that an Accept header asks for; Prometheus' text unless given. */
  expose(accept?: string): Promise<Exposition>;
  /** All of them, in Prometheus' text format. */
  text(): Promise<string>;
}

type LabelValues = Readonly<Record<string, string>>;
interface Entry<S> {
  readonly labels: LabelValues;
  readonly labelText: string;
  readonly one: S;
}

/** All series of one metric, by their label values. */
class SeriesMap<S> {
  readonly #series = new Map<string, Entry<S>>();
  readonly #names: readonly string[];
  readonly #make: () => S;

  constructor(names: readonly string[], make: () => S) {
    this.#names = names;
    this.#make = make;
  }

  of(labels: LabelValues): S {
    let key = "";
    for (const name of this.#names) key += `${labels[name]}\u0000`;
    let entry = this.#series.get(key);
    if (entry === undefined) {
      // In the order of the table, whoever asked first.
      const ordered = Object.fromEntries(this.#names.map((name) => [name, labels[name]!]));
      entry = { labels: ordered, labelText: labelTextOf(ordered), one: this.#make() };
      this.#series.set(key, entry);
    }
    return entry.one;
  }

  clear(): void {
    this.#series.clear();
  }

  [Symbol.iterator](): Iterator<Entry<S>> {
    return this.#series.values();
  }
}

/** Metrics by the table, and those of the process itself (CPU, memory, event loop). */
export function createMetrics(): Metrics {
  const ofProcess = watchProcess();
  const numbers = new Map<string, SeriesMap<NumberSeries>>();
  const histograms = new Map<string, SeriesMap<Histogram>>();
  const own = Object.entries(metricTable).map(
    ([name, { help, type, labels, buckets }]: [string, MetricRow]): Family => {
      if (type === "histogram") {
        const series = new SeriesMap(labels, () => new Histogram(buckets ?? []));
        histograms.set(name, series);
        return { name, help, type, series };
      }
      const series = new SeriesMap<NumberSeries>(labels, () => ({ value: 0 }));
      numbers.set(name, series);
      return { name, help, type, series };
    },
  );
  const write = async (form: Form): Promise<string | Buffer> => form.write([...(await ofProcess()), ...own]);
  return {
    counter: (name, labels) => numbers.get(name)!.of(labels),
    gauge: (name, labels) => numbers.get(name)!.of(labels),
    histogram: (name, labels) => histograms.get(name)!.of(labels),
    series: <N extends NameOf<"counter">>(name: N) =>
      [...numbers.get(name)!].map(({ labels, one }) => ({ labels: labels as Labels<N>, value: one.value })),
    counted(name) {
      const histogram = histograms.get(name);
      if (histogram === undefined)
        return [...numbers.get(name)!].map(({ labels, one: { value } }) => {
          return { labels, bounds: undefined, counts: undefined, value };
        });
      return [...histogram].map(({ labels, one: { bounds, counts, sum } }) => ({ labels, bounds, counts, value: sum }));
    },
    reset: (name) => numbers.get(name)!.clear(),
    async expose(accept) {
      const form = formFor(accept);
      return { contentType: form.contentType, body: await write(form) };
    },
    text: async () => String(await write(formFor(undefined))),
  };
}
