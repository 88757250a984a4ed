import { collectDefaultMetrics, type MetricObjectWithValues, type MetricValue, Registry } from "prom-client";
import { Histogram } from "../histogram.ts";
import { type Family, labelTextOf, type Series } from "./family.ts";

type Metric = MetricObjectWithValues<MetricValue<string> & { metricName?: string }>;

/** Watches the process itself (CPU, memory, event loop, garbage collection), and tells of it when asked. */
export function watchProcess(): () => Promise<readonly Family[]> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return async () => ((await registry.getMetricsAsJSON()) as unknown as Metric[]).map(familyOf);
}

function familyOf({ name, help, type, values }: Metric): Family {
  // The library has names for types, and says that they are numbers.
  const told = type as unknown as string;
  if (told === "histogram") return { name, help, type: "histogram", series: histogramsOf(values) };
  const series = values.map(({ labels, value }) => seriesOf(textsOf(labels), { value }));
  return { name, help, type: told === "counter" ? "counter" : "gauge", series };
}

const textsOf = (labels: object): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));

const seriesOf = (labels: Record<string, string>, one: Series["one"]): Series => ({
  labels,
  labelText: labelTextOf(labels),
  one,
});

/** Puts the lines of histograms together again, series by series. */
function histogramsOf(values: Metric["values"]): Series[] {
  const byLabels = new Map<
    string,
    { labels: Record<string, string>; bounds: number[]; counts: number[]; sum: number }
  >();
  for (const { labels, value, metricName } of values) {
    const { le, ...own } = textsOf(labels);
    const key = labelTextOf(own);
    const entry = byLabels.get(key) ?? { labels: own, bounds: [], counts: [], sum: 0 };
    byLabels.set(key, entry);
    if (le !== undefined) {
      entry.counts.push(value - entry.counts.reduce((all, one) => all + one, 0));
      if (le !== "+Inf") entry.bounds.push(Number(le));
    } else if (metricName?.endsWith("_sum")) entry.sum = value;
  }
  return [...byLabels.values()].map(({ labels, bounds, counts, sum }) => {
    const histogram = new Histogram(bounds, null);
    histogram.counts.set(counts);
    histogram.sum = sum;
    return seriesOf(labels, histogram);
  });
}
