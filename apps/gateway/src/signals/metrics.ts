import { collectDefaultMetrics, type Metric, Registry } from "prom-client";

const seconds = {
  duration: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
  firstToken: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  perToken: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  reserve: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
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
  signalbox_requests_total: {
    type: "counter",
    help: "Requests answered, by HTTP status and error code (ok when none)",
    labels: ["team", "model", "endpoint", "status", "code"],
  },
  signalbox_tokens_total: {
    type: "counter",
    help: "Tokens, as the engines count them",
    labels: ["team", "model", "backend", "type"],
  },
  signalbox_request_duration_seconds: {
    type: "histogram",
    help: "From the request's head to the last byte of its answer",
    labels: ["model", "endpoint"],
    buckets: seconds.duration,
  },
  signalbox_time_to_first_token_seconds: {
    type: "histogram",
    help: "From the request's head to the first content of its answer",
    labels: ["model", "backend"],
    buckets: seconds.firstToken,
  },
  signalbox_time_per_output_token_seconds: {
    type: "histogram",
    help: "Between tokens of a streamed answer, on average",
    labels: ["model", "backend"],
    buckets: seconds.perToken,
  },
  signalbox_overhead_seconds: {
    type: "histogram",
    help: "Time to the first byte that was not spent waiting for a backend",
    labels: ["endpoint"],
    buckets: seconds.overhead,
  },
  signalbox_attempts_total: {
    type: "counter",
    help: "Attempts, by how they ended",
    labels: ["backend", "model", "outcome", "cause"],
  },
  signalbox_fallbacks_total: {
    type: "counter",
    help: "Requests answered by another model than the one chosen first",
    labels: ["from_model", "to_model"],
  },
  signalbox_hedges_total: {
    type: "counter",
    help: "Attempts beside a late one of this model: won, lost (the first answered after all), failed or client_gone",
    labels: ["model", "outcome"],
  },
  signalbox_in_flight_requests: { type: "gauge", help: "Requests under way", labels: [] },
  signalbox_open_connections: { type: "gauge", help: "Client connections that are open", labels: [] },
  signalbox_body_bytes: {
    type: "gauge",
    help: "Bytes of request bodies under way, those of up to 64 KiB apart",
    labels: [],
  },
  signalbox_event_loop_lag_seconds: {
    type: "gauge",
    help: "How late the event loop is: the least of the last three samples, by which requests are shed",
    labels: [],
  },
  signalbox_shed_ratio: {
    type: "gauge",
    help: "Share of new requests that are refused since the event loop lags",
    labels: [],
  },
  signalbox_shed_requests_total: {
    type: "counter",
    help: "Requests or connections refused for want of room: lag, requests, connections or bodies",
    labels: ["reason"],
  },
  signalbox_queue_seconds: {
    type: "histogram",
    help: "Time in the queue of requests that had to wait for a saturated backend, however it ended",
    labels: ["priority"],
    buckets: seconds.firstToken,
  },
  signalbox_queue_waiting_requests: {
    type: "gauge",
    help: "Requests that wait for a saturated backend",
    labels: ["priority"],
  },
  signalbox_queue_turned_away_total: {
    type: "counter",
    help: "Requests that did not get their turn: team_backlog (429), queue_full, expected_wait, max_wait or shutdown (503)",
    labels: ["reason"],
  },
  signalbox_log_lines_dropped_total: {
    type: "counter",
    help: "Lines of the log that nobody took: the disk is full, or the reader is slow or gone",
    labels: [],
  },
  signalbox_backend_in_flight_requests: { type: "gauge", help: "Attempts under way on a backend", labels: ["backend"] },
  signalbox_backend_up: {
    type: "gauge",
    help: "1 = ready, 0 = down or loading, by the last probe",
    labels: ["backend"],
  },
  signalbox_backend_queue_depth: {
    type: "gauge",
    help: "Requests waiting in the engine's own queue, as it says",
    labels: ["backend"],
  },
  signalbox_backend_override: {
    type: "gauge",
    help: "1 = set by hand to drain, open or close; no series = left to itself",
    labels: ["backend", "override"],
  },
  signalbox_breaker_state: { type: "gauge", help: "0 closed, 1 open, 2 half-open", labels: ["backend", "model"] },
  signalbox_breaker_transitions_total: {
    type: "counter",
    help: "Changes of a breaker's state",
    labels: ["backend", "model", "to"],
  },
  signalbox_rate_limited_total: {
    type: "counter",
    help: "Requests refused by a limit of their team, key or model: rate, concurrent or budget",
    labels: ["team", "limit"],
  },
  signalbox_budget_used_ratio: {
    type: "gauge",
    help: "Share of a team's budget that is used, with what requests under way have reserved; looked at every 5 s",
    labels: ["team", "meter", "period"],
  },
  signalbox_budget_alerts_total: {
    type: "counter",
    help: "Budgets that were used up to 50, 80 or 100 %, once for each period",
    labels: ["team", "meter", "period", "percent"],
  },
  signalbox_usage_entries_dropped_total: {
    type: "counter",
    help: "Entries of the usage ledger that are lost: the disk is full or Redis was gone for too long",
    labels: [],
  },
  signalbox_store_up: {
    type: "gauge",
    help: "1 = limits are shared by all replicas, 0 = Redis is away and each replica enforces its share",
    labels: [],
  },
  signalbox_store_transitions_total: {
    type: "counter",
    help: "Changes between shared limits and each replica's share",
    labels: ["to"],
  },
  signalbox_store_reserve_seconds: {
    type: "histogram",
    help: "Until the shared store decided about a request, or was given up",
    labels: [],
    buckets: seconds.reserve,
  },
  signalbox_store_instances: {
    type: "gauge",
    help: "Replicas that limits are shared out to while Redis is away",
    labels: [],
  },
  signalbox_store_backlog: {
    type: "gauge",
    help: "Counts that wait for Redis to be back",
    labels: [],
  },
  signalbox_store_dropped_total: {
    type: "counter",
    help: "Counts that Redis will never be told of: too many waited, or one was too old to be sent again",
    labels: [],
  },
  signalbox_tool_calls_total: {
    type: "counter",
    help: "Tool calls: clean, leaked into the text, coerced, repaired, failed (text in the end) or denied by the guard",
    labels: ["backend", "model", "dialect", "outcome"],
  },
  signalbox_unclosed_reasoning_total: {
    type: "counter",
    help: "Choices that began inside a thought and never left it, so that all of them is reasoning",
    labels: ["backend", "model", "dialect"],
  },
  signalbox_captures_total: {
    type: "counter",
    help: "Replies to be captured: written, full (the file is), dropped (too many at once) or error",
    labels: ["result"],
  },
  signalbox_tool_violations_total: {
    type: "counter",
    help: "Breaches of the guard's rules by tool calls, and what was done",
    labels: ["model", "rule", "action"],
  },
  signalbox_reasoning_remembered_total: {
    type: "counter",
    help: "Thoughts of tool calls: kept, unfit (too long, or a call id that may come again), evicted for want of room, restored, or missing",
    labels: ["model", "result"],
  },
  signalbox_stream_recoveries_total: {
    type: "counter",
    help: "Ways to bring a stream that broke to its end: finished, broken again, mismatched (another text came), refused (no backend began), not_tried or client_gone",
    labels: ["model", "how", "outcome"],
  },
  signalbox_malformed_events_total: {
    type: "counter",
    help: "Events of a stream that were skipped because they could not be read",
    labels: ["backend"],
  },
  signalbox_stored_keys: {
    type: "gauge",
    help: "Keys known from the store, those that ended lately among them",
    labels: [],
  },
  signalbox_stored_keys_age_seconds: {
    type: "gauge",
    help: "Since the keys of the store were last known to be all there are; +Inf = they were never read",
    labels: [],
  },
  signalbox_audit_records_total: {
    type: "counter",
    help: "Records of the audit file: written, or failed, where the action was refused",
    labels: ["result"],
  },
  signalbox_admin_refusals_total: {
    type: "counter",
    help: "Requests that the admin listener refused for want of a token or a role, by error code",
    labels: ["code"],
  },
  signalbox_alert_threshold: {
    type: "gauge",
    help: "What alerts compare with: seconds, shares or counts of server.alerts; by model where that is judged, and for the pool with model empty",
    labels: ["name", "severity", "model"],
  },
  signalbox_config_reloads_total: { type: "counter", help: "Attempts to load a changed config", labels: ["result"] },
  signalbox_config_reload_success: {
    type: "gauge",
    help: "1 = the config in force is the newest one seen, 0 = the last good one is kept",
    labels: [],
  },
} as const satisfies Record<string, MetricRow>;

type MetricName = keyof typeof metricTable;
type NameOf<Type extends MetricRow["type"]> = {
  [N in MetricName]: (typeof metricTable)[N]["type"] extends Type ? N : never;
}[MetricName];
type Labels<N extends MetricName> = Readonly<Record<(typeof metricTable)[N]["labels"][number], string>>;

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
      entry = { labels: { ...labels }, one: this.#make() };
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
