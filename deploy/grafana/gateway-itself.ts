import { graph, table } from "./panels.ts";
import { countInStep, highest, ofTarget, quantile, total } from "./promql.ts";

/** Whether it is the gateway that is ill: its own load, its store, its files. */
export const gatewayItself = [
  graph({
    title: "How late each gateway's event loop is",
    description: "From `server.shed_lag` on, new requests are refused: it wants another replica, or less per request.",
    unit: "s",
    width: 8,
    runbook: "SignalboxShedding",
    queries: [
      { expr: highest("signalbox_event_loop_lag_seconds", { by: ["instance"] }), legend: "{{instance}}" },
      { expr: ofTarget("nodejs_eventloop_lag_p99_seconds"), legend: "{{instance}}, 99 %" },
    ],
  }),
  graph({
    title: "How much CPU each gateway takes",
    description: "Cores. One process has its event loop on one core: near 1 it is full.",
    unit: "short",
    width: 8,
    steps: [[0.9, "red"]],
    runbook: "SignalboxShedding",
    queries: [{ expr: `rate(${ofTarget("process_cpu_seconds_total")}[$__rate_interval])`, legend: "{{instance}}" }],
  }),
  graph({
    title: "How much memory each gateway takes",
    description: "Resident, with request bodies under way apart.",
    unit: "bytes",
    width: 8,
    queries: [
      { expr: ofTarget("process_resident_memory_bytes"), legend: "{{instance}}" },
      { expr: highest("signalbox_body_bytes", { by: ["instance"] }), legend: "{{instance}}, bodies" },
    ],
  }),
  graph({
    title: "What gateways refuse for want of their own room",
    description: "Share of new requests that are shed since the event loop lags.",
    unit: "percentunit",
    width: 8,
    runbook: "SignalboxShedding",
    queries: [{ expr: highest("signalbox_shed_ratio", { by: ["instance"] }), legend: "{{instance}}" }],
  }),
  graph({
    title: "How many connections and requests each gateway holds",
    description: "Connections that climb without requests are clients that do not close them.",
    unit: "none",
    width: 8,
    queries: [
      { expr: total("signalbox_open_connections", { by: ["instance"] }), legend: "{{instance}}, connections" },
      { expr: total("signalbox_in_flight_requests", { by: ["instance"] }), legend: "{{instance}}, requests" },
    ],
  }),
  graph({
    title: "How long Redis takes to decide (99 %)",
    description: "A request waits 50 ms at most, then the replica's own share decides.",
    unit: "s",
    width: 8,
    runbook: "SignalboxStoreDown",
    queries: [{ expr: quantile(0.99, "signalbox_store_reserve_seconds"), legend: "reserve" }],
  }),
  graph({
    title: "What is lost or waits to be written",
    description:
      "Log lines, ledger entries, counts and spans of traces that nobody will hear of, and counts that wait for Redis.",
    unit: "short",
    width: 8,
    runbook: "SignalboxLogLost",
    queries: [
      { expr: countInStep("signalbox_log_lines_dropped_total"), legend: "log lines lost" },
      { expr: countInStep("signalbox_usage_entries_dropped_total"), legend: "ledger entries lost" },
      { expr: countInStep("signalbox_store_dropped_total"), legend: "counts lost" },
      { expr: countInStep("signalbox_trace_spans_dropped_total"), legend: "spans lost" },
      { expr: total("signalbox_store_backlog"), legend: "counts waiting" },
    ],
  }),
  graph({
    title: "Whether Redis comes and goes",
    description:
      "Changes between shared limits and each replica's share, and the replicas that limits are shared out to.",
    unit: "short",
    width: 8,
    runbook: "SignalboxStoreDown",
    queries: [
      { expr: countInStep("signalbox_store_transitions_total", { by: ["to"] }), legend: "to {{to}}" },
      { expr: highest("signalbox_store_instances"), legend: "replicas" },
    ],
  }),
  graph({
    title: "Whether policy files are taken",
    description: "Attempts to load a changed file, by result.",
    unit: "short",
    width: 8,
    runbook: "SignalboxConfigReloadFailed",
    queries: [{ expr: countInStep("signalbox_config_reloads_total", { by: ["result"] }), legend: "{{result}}" }],
  }),
  table({
    title: "What runs where, and since when",
    description: "Versions and policies of the replicas: after a rollout all rows say the same.",
    unit: "none",
    width: 16,
    columns: [
      { expr: highest("signalbox_build_info", { by: ["instance", "version"] }), legend: "known", labelsAlone: true },
      {
        expr: `1000 * max by (instance) (${ofTarget("process_start_time_seconds")})`,
        legend: "started",
        unit: "dateTimeAsIso",
      },
      {
        expr: `1000 * ${highest("signalbox_config_last_reload_timestamp_seconds", { by: ["instance"] })}`,
        legend: "policy loaded",
        unit: "dateTimeAsIso",
      },
    ],
  }),
  graph({
    title: "How long ago each gateway heard of changed keys",
    description:
      "Of keys made while it runs. Old: a key that was revoked since still opens this gateway, and a new one does not.",
    unit: "s",
    width: 8,
    runbook: "SignalboxStoredKeysOld",
    queries: [{ expr: highest("signalbox_stored_keys_age_seconds", { by: ["instance"] }), legend: "{{instance}}" }],
  }),
  graph({
    title: "Whether traces reach their collector",
    description:
      "Spans that it took, and those lost: too many waited, or it is away, slow or refuses. Nothing where no traces are set.",
    unit: "short",
    width: 8,
    queries: [
      { expr: countInStep("signalbox_trace_spans_exported_total"), legend: "taken" },
      { expr: countInStep("signalbox_trace_spans_dropped_total", { by: ["reason"] }), legend: "lost: {{reason}}" },
    ],
  }),
  graph({
    title: "How many keys of the store each gateway knows",
    description: "All replicas know the same, a moment after each change.",
    unit: "none",
    width: 8,
    runbook: "SignalboxStoredKeysOld",
    queries: [{ expr: highest("signalbox_stored_keys", { by: ["instance"] }), legend: "{{instance}}" }],
  }),
  graph({
    title: "Who knocks at the admin listener",
    description:
      "Requests refused for want of a token or a role, by error code, and audit records that could not be written.",
    unit: "short",
    width: 8,
    runbook: "SignalboxAdminRefusals",
    queries: [
      { expr: countInStep("signalbox_admin_refusals_total", { by: ["code"] }), legend: "{{code}}" },
      { expr: countInStep("signalbox_audit_records_total", { by: ["result"] }), legend: "audit {{result}}" },
    ],
  }),
];
