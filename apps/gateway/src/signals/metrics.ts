import { Counter, Gauge, Histogram, Registry } from "prom-client";

const seconds = {
  duration: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
  firstToken: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  perToken: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  overhead: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
};

interface MetricRow {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

/** Every metric that Signalbox has. Label values come from the config only. docs/metrics.md is held to this table. */
export const metricTable = {
  signalbox_requests_total: { type: "counter", help: "Requests answered, by HTTP status and error code (ok when none)", labels: ["team", "model", "endpoint", "status", "code"] },
  signalbox_tokens_total: { type: "counter", help: "Tokens, as the engines count them", labels: ["team", "model", "backend", "type"] },
  signalbox_request_duration_seconds: { type: "histogram", help: "From the request's head to the last byte of its answer", labels: ["model", "endpoint"], buckets: seconds.duration },
  signalbox_time_to_first_token_seconds: { type: "histogram", help: "From the request's head to the first content of its answer", labels: ["model", "backend"], buckets: seconds.firstToken },
  signalbox_time_per_output_token_seconds: { type: "histogram", help: "Between tokens of a streamed answer, on average", labels: ["model", "backend"], buckets: seconds.perToken },
  signalbox_overhead_seconds: { type: "histogram", help: "Time to the first byte that was not spent waiting for a backend", labels: ["endpoint"], buckets: seconds.overhead },
  signalbox_attempts_total: { type: "counter", help: "Attempts, by how they ended", labels: ["backend", "model", "outcome", "cause"] },
  signalbox_fallbacks_total: { type: "counter", help: "Requests answered by another model than the one chosen first", labels: ["from_model", "to_model"] },
  signalbox_in_flight_requests: { type: "gauge", help: "Requests under way", labels: [] },
  signalbox_backend_in_flight_requests: { type: "gauge", help: "Attempts under way on a backend", labels: ["backend"] },
  signalbox_backend_up: { type: "gauge", help: "1 = ready, 0 = down or loading, by the last probe", labels: ["backend"] },
  signalbox_backend_queue_depth: { type: "gauge", help: "Requests waiting in the engine's own queue, as it says", labels: ["backend"] },
  signalbox_breaker_state: { type: "gauge", help: "0 closed, 1 open, 2 half-open", labels: ["backend"] },
  signalbox_breaker_transitions_total: { type: "counter", help: "Changes of a breaker's state", labels: ["backend", "to"] },
  signalbox_rate_limited_total: { type: "counter", help: "Requests refused by a team's limits", labels: ["team", "limit"] },
  signalbox_malformed_events_total: { type: "counter", help: "Events of a stream that were skipped because they could not be read", labels: ["backend"] },
  signalbox_config_reloads_total: { type: "counter", help: "Attempts to load a changed config", labels: ["result"] },
  signalbox_config_reload_success: { type: "gauge", help: "1 = the config in force is the newest one seen, 0 = the last good one is kept", labels: [] },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof metricTable;
type NameOf<Type extends MetricRow["type"]> = { [N in MetricName]: (typeof metricTable)[N]["type"] extends Type ? N : never }[MetricName];
type Labels<N extends MetricName> = Record<(typeof metricTable)[N]["labels"][number], string>;

/** The metrics of one gateway. */
export interface Metrics {
  readonly registry: Registry;
  add<N extends NameOf<"counter">>(name: N, labels: Labels<N>, by?: number): void;
  observe<N extends NameOf<"histogram">>(name: N, labels: Labels<N>, value: number): void;
  set<N extends NameOf<"gauge">>(name: N, labels: Labels<N>, value: number): void;
  /** Drops every series of a gauge, before it is set anew (a backend that left the config). */
  reset(name: NameOf<"gauge">): void;
}

/** A series of its own per set of label values, looked up by one string: prom-client hashes labels at every call. */
interface Series {
  observe?(value: number): void;
  inc?(value: number): void;
}

/** Metrics in a registry of their own. `collect` runs before each scrape, to set gauges. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const counters = new Map<string, Counter<string>>();
  const gauges = new Map<string, Gauge<string>>();
  const histograms = new Map<string, Histogram<string>>();
  for (const [name, row] of Object.entries(metricTable) as [string, MetricRow][]) {
    const options = { name, help: row.help, labelNames: row.labels, registers: [registry] };
    if (row.type === "counter") counters.set(name, new Counter(options));
    else if (row.type === "gauge") gauges.set(name, new Gauge(options));
    else histograms.set(name, new Histogram({ ...options, buckets: [...(row.buckets ?? [])] }));
  }
  const series = new Map<string, Series>();

  function seriesOf(name: string, labels: Record<string, string>, make: () => Series): Series {
    let key = name;
    for (const label in labels) key += `\u0000${labels[label]}`;
    let one = series.get(key);
    if (one === undefined) {
      one = make();
      series.set(key, one);
    }
    return one;
  }

  return {
    registry,
    add: (name, labels, by = 1) => seriesOf(name, labels, () => counters.get(name)!.labels(labels)).inc!(by),
    observe: (name, labels, value) => seriesOf(name, labels, () => histograms.get(name)!.labels(labels)).observe!(value),
    set: (name, labels, value) => gauges.get(name)!.set(labels, value),
    reset: (name) => gauges.get(name)!.reset(),
  };
}
