import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import { type Labels, type MetricRow, metricTable, type NameOf } from "./metric-table.ts";

/** One series of a counter or a gauge. */
export interface NumberSeries {
  value: number;
}

/** One series of a histogram. */
export interface HistogramSeries {
  /** In the metric's unit. */
  observe(value: number): void;
}

/**
 * The metrics of one gateway. A series is looked up by its labels once and then kept by whoever counts: prom-client hashes
 * the labels at every call, which costs more than the rest of a request's accounting. prom-client writes the exposition.
 */
export interface Metrics {
  counter<N extends NameOf<"counter">>(name: N, labels: Labels<N>): NumberSeries;
  histogram<N extends NameOf<"histogram">>(name: N, labels: Labels<N>): HistogramSeries;
  gauge<N extends NameOf<"gauge">>(name: N, labels: Labels<N>): NumberSeries;
  /** All series of a counter so far. */
  series<N extends NameOf<"counter">>(name: N): readonly { readonly labels: Labels<N>; readonly value: number }[];
  /** Drops every series of a gauge, before it is set anew (a backend that left the config). */
  reset(name: NameOf<"gauge">): void;
  /** The exposition, in Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

type LabelValues = Readonly<Record<string, string>>;
interface Sample {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

class Bucketed implements HistogramSeries {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.#counts[bucket]! += 1;
    this.#sum += value;
  }

  samples(name: string, labels: LabelValues): Sample[] {
    let count = 0;
    const buckets = [...this.#counts].map((inBucket, i) => {
      count += inBucket;
      return { metricName: `${name}_bucket`, labels: { ...labels, le: this.#bounds[i] ?? "+Inf" }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

/** All series of one metric, by their label values. */
class Family<S> {
  readonly series = new Map<string, { readonly labels: LabelValues; readonly one: S }>();
  readonly #names: readonly string[];
  readonly #make: () => S;

  constructor(names: readonly string[], make: () => S) {
    this.#names = names;
    this.#make = make;
  }

  of(labels: LabelValues): S {
    let key = "";
    for (const name of this.#names) key += `${labels[name]}\u0000`;
    let entry = this.series.get(key);
    if (entry === undefined) {
      // In the order of the table, whoever asked first.
      entry = { labels: Object.fromEntries(this.#names.map((name) => [name, labels[name]!])), one: this.#make() };
      this.series.set(key, entry);
    }
    return entry.one;
  }
}

/** Metrics in a registry of their own, the process's own (CPU, memory, event loop) among them. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const numbers = new Map<string, Family<NumberSeries>>();
  const histograms = new Map<string, Family<Bucketed>>();
  for (const [name, row] of Object.entries(metricTable) as [string, MetricRow][]) {
    let samples: () => Sample[];
    if (row.type === "histogram") {
      const family = new Family(row.labels, () => new Bucketed(row.buckets ?? []));
      histograms.set(name, family);
      samples = () => [...family.series.values()].flatMap(({ labels, one }) => one.samples(name, labels));
    } else {
      const family = new Family<NumberSeries>(row.labels, () => ({ value: 0 }));
      numbers.set(name, family);
      samples = () => [...family.series.values()].map(({ labels, one }) => ({ labels, value: one.value }));
    }
    const metric = {
      name,
      help: row.help,
      type: row.type,
      get: async () => ({ name, help: row.help, type: row.type, values: samples() }),
    };
    // All that the registry asks of a metric is its name and `get`.
    registry.registerMetric(metric as unknown as Metric);
  }
  return {
    counter: (name, labels) => numbers.get(name)!.of(labels),
    gauge: (name, labels) => numbers.get(name)!.of(labels),
    histogram: (name, labels) => histograms.get(name)!.of(labels),
    series: <N extends NameOf<"counter">>(name: N) =>
      [...numbers.get(name)!.series.values()].map(({ labels, one }) => ({
        labels: labels as Labels<N>,
        value: one.value,
      })),
    reset: (name) => numbers.get(name)!.series.clear(),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
