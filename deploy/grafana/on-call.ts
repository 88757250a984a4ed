import { dashboardOf } from "./dashboard.ts";
import { gatewayItself } from "./gateway-itself.ts";
import { graph, LIMIT, number, states, table } from "./panels.ts";
import { failedShare, highest, howMany, lowest, ofTarget, quantile, rate, seen, threshold, total } from "./promql.ts";

const waiting = `sum(${total("signalbox_queue_waiting_requests")}) + (sum(${highest("signalbox_backend_queue_depth", { by: ["backend"] })}) or vector(0))`;
const firing = `ALERTS{alertname=~"Signalbox.+",alertstate="firing"}`;

const now = [
  number({
    title: "Alerts that fire",
    description:
      "Needs the rules of deploy/prometheus. 0 with red panels beside it: the rules are not loaded, or it has just begun.",
    unit: "none",
    width: 6,
    height: 3,
    steps: [[1, "red"]],
    queries: [{ expr: howMany(firing), legend: "firing" }],
  }),
  number({
    title: "Replicas that cannot be scraped",
    description: "Gateways that Prometheus knows and does not reach.",
    unit: "none",
    width: 6,
    height: 3,
    steps: [[1, "red"]],
    runbook: "SignalboxReplicaDown",
    queries: [{ expr: howMany(`${ofTarget("up")} == 0`), legend: "away" }],
  }),
  number({
    title: "Models without a single backend",
    description: "Requests for them fail or fall back.",
    unit: "none",
    width: 6,
    height: 3,
    steps: [[1, "red"]],
    runbook: "SignalboxModelDown",
    queries: [
      { expr: howMany(`${lowest("signalbox_model_backends_up", { by: ["model"] })} == 0`), legend: "without backends" },
    ],
  }),
  number({
    title: "Backends that are down",
    description: "For at least one replica.",
    unit: "none",
    width: 6,
    height: 3,
    steps: [[1, "orange"]],
    runbook: "SignalboxBackendDown",
    queries: [{ expr: howMany(`${lowest("signalbox_backend_up", { by: ["backend"] })} == 0`), legend: "down" }],
  }),
  number({
    title: "Breakers that are not closed",
    description: "Too many attempts failed, so that these backends get no requests.",
    unit: "none",
    width: 6,
    height: 3,
    steps: [[1, "orange"]],
    runbook: "SignalboxBreakerOpen",
    queries: [
      {
        expr: howMany(`${highest("signalbox_breaker_state", { by: ["backend", "model"] })} > 0`),
        legend: "not closed",
      },
    ],
  }),
  number({
    title: "Redis",
    description: "Away: each replica enforces its share of the limits. Nothing without a shared store.",
    unit: "none",
    width: 6,
    height: 3,
    words: { 0: ["away", "red"], 1: ["there", "green"] },
    runbook: "SignalboxStoreDown",
    queries: [{ expr: lowest("signalbox_store_up"), legend: "Redis" }],
  }),
  number({
    title: "Policy file",
    description: "Refused: a replica keeps the last good one, and its log says what is wrong with the new.",
    unit: "none",
    width: 6,
    height: 3,
    words: { 0: ["refused", "red"], 1: ["in force", "green"] },
    runbook: "SignalboxConfigReloadFailed",
    queries: [{ expr: lowest("signalbox_config_reload_success"), legend: "policy" }],
  }),
  number({
    title: "Policies in force",
    description: "More than one: replicas run by different files.",
    unit: "none",
    width: 6,
    height: 3,
    steps: [[2, "orange"]],
    runbook: "SignalboxConfigDiffers",
    queries: [{ expr: `count(${highest("signalbox_config_info", { by: ["hash"] })})`, legend: "policies" }],
  }),
  table({
    title: "Which alerts fire or are about to",
    description: "As Prometheus sees them; each has its section in the runbooks.",
    unit: "none",
    width: 24,
    height: 6,
    columns: [
      {
        expr: `max by (alertname, alertstate, severity, model, backend, team) (ALERTS{alertname=~"Signalbox.+"})`,
        legend: "on",
        labelsAlone: true,
      },
    ],
  }),
];

const felt = [
  graph({
    title: "What share of requests fails",
    description:
      "By fault of a backend or of Signalbox; what callers are to blame for is left out. The dashed line is `server.alerts.error_rate`, critical.",
    unit: "percentunit",
    width: 8,
    runbook: "SignalboxErrorRate",
    queries: [
      { expr: failedShare(), legend: "all" },
      {
        expr: failedShare(["model"]),
        legend: "{{model}}",
      },
      { expr: threshold("error_rate"), legend: LIMIT },
    ],
  }),
  graph({
    title: "How fast the error budget burns",
    description:
      "1 = it lasts just as long as it is for; at 14 a month's budget is gone in two days. Of `server.alerts.objective`.",
    unit: "short",
    width: 8,
    runbook: "SignalboxErrorBudgetBurn",
    queries: ["5m", "1h", "6h"].map((time) => ({
      expr: `${failedShare().replaceAll("$__rate_interval", time)} / (1 - ${threshold("objective", "")})`,
      legend: `over ${time}`,
    })),
  }),
  graph({
    title: "What clients get instead of answers",
    description: "Requests with an error, by its code.",
    unit: "reqps",
    width: 8,
    stacked: true,
    runbook: "SignalboxErrorRate",
    queries: [
      {
        expr: rate("signalbox_requests_total", { by: ["status", "code"], where: { code: '!="ok"' } }),
        legend: "{{status}} {{code}}",
      },
    ],
  }),
  graph({
    title: "How long until the first token (95 %)",
    description: "By model. The dashed line is `server.alerts.response_time`, critical.",
    unit: "s",
    width: 8,
    exemplars: true,
    runbook: "SignalboxResponseTime",
    queries: [
      { expr: quantile(0.95, "signalbox_time_to_first_token_seconds", { by: ["model"] }), legend: "{{model}}" },
      { expr: threshold("response_time"), legend: LIMIT },
    ],
  }),
  graph({
    title: "How slowly answers are written (95 %)",
    description: "Seconds for each token, by model. The dashed line is `server.alerts.token_time`, critical.",
    unit: "s",
    width: 8,
    runbook: "SignalboxTokenTime",
    queries: [
      { expr: quantile(0.95, "signalbox_time_per_output_token_seconds", { by: ["model"] }), legend: "{{model}}" },
      { expr: threshold("token_time"), legend: LIMIT },
    ],
  }),
  graph({
    title: "How many requests wait",
    description: "In Signalbox and in the engines together. The dashed line is `server.alerts.queue`, critical.",
    unit: "none",
    width: 8,
    runbook: "SignalboxQueue",
    queries: [
      { expr: waiting, legend: "waiting" },
      { expr: threshold("queue"), legend: LIMIT },
    ],
  }),
];

const where = [
  states({
    title: "Which backend was down, and when",
    description: "By the replica that sees it worst.",
    unit: "none",
    width: 12,
    runbook: "SignalboxBackendDown",
    words: { 0: ["down", "red"], 1: ["up", "green"] },
    queries: [{ expr: lowest("signalbox_backend_up", { by: ["backend"] }), legend: "{{backend}}" }],
  }),
  states({
    title: "Which breaker was open, and when",
    description: "`model` is the name that the backend knows it by.",
    unit: "none",
    width: 12,
    runbook: "SignalboxBreakerOpen",
    words: { 0: ["closed", "green"], 1: ["open", "red"], 2: ["half-open", "yellow"] },
    queries: [
      { expr: highest("signalbox_breaker_state", { by: ["backend", "model"] }), legend: "{{backend}} {{model}}" },
    ],
  }),
  graph({
    title: "Which backend fails, and how",
    description: "Failed attempts by cause. Retries may have saved the requests.",
    unit: "reqps",
    width: 8,
    runbook: "SignalboxRetries",
    queries: [
      {
        expr: seen(rate("signalbox_attempts_total", { by: ["backend", "cause"], where: { outcome: '="failed"' } })),
        legend: "{{backend}} {{cause}}",
      },
    ],
  }),
  graph({
    title: "How full each backend is",
    description: "Attempts under way as a share of `max_concurrent`.",
    unit: "percentunit",
    width: 8,
    steps: [[0.95, "red"]],
    runbook: "SignalboxNoCapacity",
    queries: [
      {
        expr: `${total("signalbox_backend_in_flight_requests", { by: ["backend"] })} / on (backend) ${highest("signalbox_backend_max_concurrent", { by: ["backend"] })}`,
        legend: "{{backend}}",
      },
    ],
  }),
  graph({
    title: "Who is turned away for want of room",
    description: "By the queue (the pool is too small), or by a gateway that is too busy itself (shed).",
    unit: "reqps",
    width: 8,
    runbook: "SignalboxNoCapacity",
    queries: [
      { expr: seen(rate("signalbox_queue_turned_away_total", { by: ["reason"] })), legend: "queue: {{reason}}" },
      { expr: seen(rate("signalbox_shed_requests_total", { by: ["reason"] })), legend: "shed: {{reason}}" },
    ],
  }),
];

/** What is wrong now, and where to look next. */
export const onCall = dashboardOf({
  uid: "signalbox-on-call",
  title: "Signalbox: On call",
  description: "What is wrong now, what users feel of it, where it breaks, and whether it is the gateway itself.",
  from: "now-1h",
  rows: [
    { title: "What is wrong now", panels: now },
    { title: "What users feel", panels: felt },
    { title: "Where it breaks", panels: where },
    { title: "The gateway itself", panels: gatewayItself },
  ],
});
