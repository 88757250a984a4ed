/** Buckets for what language models take: first tokens from milliseconds to minutes, tokens at 1 to 1,000 a second, replies of minutes. */
const seconds = {
  // A series of each team, model and endpoint: 2 and 3 s, 30 s and 600 s are what limits are mostly set to.
  request: [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 120, 300, 600],
  attempt: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600],
  firstToken: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300],
  perToken: [0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2.5],
  reserve: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
  overhead: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
};

/** What a metric is. */
export interface MetricRow {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, ascending. */
  readonly buckets?: readonly number[];
}

/** Every metric that Signalbox has. Label values come from the config only. The table of docs/metrics.md is written from this one. */
export const metricTable = {
  signalbox_requests_total: {
    type: "counter",
    help: "Requests answered, by HTTP status and error code (ok when none)",
    labels: ["team", "model", "endpoint", "status", "code"],
  },
  signalbox_tokens_total: {
    type: "counter",
    help: "Tokens, as the engines count them: input, output, and of these cached_input and reasoning where the engine says so",
    labels: ["team", "model", "backend", "type"],
  },
  signalbox_request_duration_seconds: {
    type: "histogram",
    help: "From the request's head to the last byte of its answer",
    labels: ["team", "model", "endpoint"],
    buckets: seconds.request,
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
  signalbox_attempt_duration_seconds: {
    type: "histogram",
    help: "From an attempt's begin to the end of its answer, or to its failure",
    labels: ["backend", "model"],
    buckets: seconds.attempt,
  },
  signalbox_retries_total: {
    type: "counter",
    help: "Attempts after the first of a request, by what the one before ended in: its cause, or its outcome where it has none",
    labels: ["model", "cause"],
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
  signalbox_decisions_total: {
    type: "counter",
    help: "Requests by the rule that chose their model (named: the client did) and their complexity (empty: nobody asked)",
    labels: ["rule", "model", "complexity"],
  },
  signalbox_cost_total: {
    type: "counter",
    help: "What tokens cost by the models' prices, in the currency of the policy",
    labels: ["team", "model"],
  },
  signalbox_baseline_cost_total: {
    type: "counter",
    help: "What the same tokens would have cost on defaults.baseline_model, or else on the dearest model",
    labels: ["team", "model"],
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
  signalbox_backend_running_requests: {
    type: "gauge",
    help: "Requests that the engine works on, of other clients too, as it says",
    labels: ["backend"],
  },
  signalbox_backend_kv_cache_usage_ratio: {
    type: "gauge",
    help: "Share of the engine's KV cache that is in use, as it says",
    labels: ["backend"],
  },
  signalbox_backend_max_concurrent: {
    type: "gauge",
    help: "Most attempts under way at once, as the policy says; no series = no limit",
    labels: ["backend"],
  },
  signalbox_backend_gpus: {
    type: "gauge",
    help: "GPUs of a backend, as the policy says; no series = not said",
    labels: ["backend"],
  },
  signalbox_backend_info: { type: "gauge", help: "1 for each backend, with its kind", labels: ["backend", "kind"] },
  signalbox_model_backends: { type: "gauge", help: "Backends that serve a model", labels: ["model"] },
  signalbox_model_backends_up: {
    type: "gauge",
    help: "Of them those that can be asked: ready, not set aside by hand, and no breaker open",
    labels: ["model"],
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
  signalbox_limit_used_ratio: {
    type: "gauge",
    help: "Share of a team's own limit that is used, in its tightest window; looked at every 5 s",
    labels: ["team", "meter"],
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
  signalbox_trace_spans_exported_total: {
    type: "counter",
    help: "Spans of traces that the collector took",
    labels: [],
  },
  signalbox_trace_spans_dropped_total: {
    type: "counter",
    help: "Spans of traces that are lost: queue_full (too many wait), not_taken (the collector is away, slow or refuses) or shutdown",
    labels: ["reason"],
  },
  signalbox_advised_backends: {
    type: "gauge",
    help: "Backends that a model's load wants, as this gateway sees it; those that are there until it has seen enough",
    labels: ["model"],
  },
  signalbox_model_load_ratio: {
    type: "gauge",
    help: "Load that came through this gateway, as a share of the slots of the model's backends that are up; the sum over replicas is that of all",
    labels: ["model"],
  },
  signalbox_config_reloads_total: { type: "counter", help: "Attempts to load a changed config", labels: ["result"] },
  signalbox_config_reload_success: {
    type: "gauge",
    help: "1 = the config in force is the newest one seen, 0 = the last good one is kept",
    labels: [],
  },
  signalbox_config_last_reload_timestamp_seconds: {
    type: "gauge",
    help: "When the config in force was taken, in seconds since 1970",
    labels: [],
  },
  signalbox_config_info: { type: "gauge", help: "1, with the hash of the config in force", labels: ["hash"] },
  signalbox_build_info: { type: "gauge", help: "1, with the version of Signalbox", labels: ["version"] },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof metricTable;
/** The metrics of one type. */
export type NameOf<Type extends MetricRow["type"]> = {
  [N in MetricName]: (typeof metricTable)[N]["type"] extends Type ? N : never;
}[MetricName];
/** The labels that a metric wants. */
export type Labels<N extends MetricName> = Readonly<Record<(typeof metricTable)[N]["labels"][number], string>>;
