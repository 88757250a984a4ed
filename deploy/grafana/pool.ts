import { dashboardOf } from "./dashboard.ts";
import { bars, graph, LIMIT, number, states, table } from "./panels.ts";
import { countInStep, highest, howMany, lowest, quantile, rate, seen, total } from "./promql.ts";

const upByBackend = lowest("signalbox_backend_up", { by: ["backend"] });
const slots = highest("signalbox_backend_max_concurrent", { by: ["backend"] });
const inFlight = total("signalbox_backend_in_flight_requests", { by: ["backend"] });

const whatIsUp = [
  number({
    title: "Backends that are down",
    description:
      "Backends that at least one replica cannot use: down, or still loading. Below is which, and since when.",
    unit: "none",
    width: 4,
    steps: [[1, "red"]],
    runbook: "SignalboxBackendDown",
    queries: [{ expr: howMany(`${upByBackend} == 0`), legend: "down" }],
  }),
  number({
    title: "Models without a single backend",
    description: "Requests for these models fail or go to a fallback, if they have one.",
    unit: "none",
    width: 4,
    steps: [[1, "red"]],
    runbook: "SignalboxBackendDown",
    queries: [
      { expr: howMany(`${lowest("signalbox_model_backends_up", { by: ["model"] })} == 0`), legend: "without backends" },
    ],
  }),
  number({
    title: "Breakers that are not closed",
    description: "Pairs of a backend and a model that get no requests, or only a trial one, since too many failed.",
    unit: "none",
    width: 4,
    steps: [[1, "orange"]],
    runbook: "SignalboxBreakerFlapping",
    queries: [
      {
        expr: howMany(`${highest("signalbox_breaker_state", { by: ["backend", "model"] })} > 0`),
        legend: "not closed",
      },
    ],
  }),
  number({
    title: "Backends set by hand",
    description: "Somebody drained, opened or closed them; they stay so until it is taken back.",
    unit: "none",
    width: 4,
    steps: [[1, "yellow"]],
    queries: [
      {
        expr: howMany(highest("signalbox_backend_override", { by: ["backend", "override"] })),
        legend: "by hand",
      },
    ],
  }),
  number({
    title: "Slots of the whole pool in use",
    description: "Attempts under way as a share of `max_concurrent` of all backends that have one.",
    unit: "percentunit",
    width: 4,
    steps: [
      [0.8, "yellow"],
      [0.95, "red"],
    ],
    runbook: "SignalboxQueue",
    queries: [
      {
        expr: `sum(${inFlight} and on (backend) ${slots}) / sum(${slots})`,
        legend: "in use",
      },
    ],
  }),
  number({
    title: "GPUs of backends that are up",
    description: "As `gpus` of each backend in the policy says.",
    unit: "none",
    width: 4,
    queries: [
      {
        expr: `sum(${highest("signalbox_backend_gpus", { by: ["backend"] })} * on (backend) ${upByBackend})`,
        legend: "GPUs",
      },
    ],
  }),
  states({
    title: "Which backend was down, and when",
    description: "By the last probe of the replica that sees it worst.",
    unit: "none",
    width: 12,
    runbook: "SignalboxBackendDown",
    words: { 0: ["down", "red"], 1: ["up", "green"] },
    queries: [{ expr: upByBackend, legend: "{{backend}}" }],
  }),
  states({
    title: "Which breaker was open, and when",
    description: "`model` is the name that the backend knows it by. By the replica that sees it worst.",
    unit: "none",
    width: 12,
    runbook: "SignalboxBreakerFlapping",
    words: { 0: ["closed", "green"], 1: ["open", "red"], 2: ["half-open", "yellow"] },
    queries: [
      {
        expr: highest("signalbox_breaker_state", { by: ["backend", "model"] }),
        legend: "{{backend}} {{model}}",
      },
    ],
  }),
  table({
    title: "What each backend is",
    description:
      "As the policy says, and as it is now. `max_concurrent` and `gpus` are empty where the policy has none.",
    unit: "none",
    width: 12,
    columns: [
      { expr: highest("signalbox_backend_info", { by: ["backend", "kind"] }), legend: "known", labelsAlone: true },
      { expr: upByBackend, legend: "up", unit: "bool" },
      { expr: inFlight, legend: "under way" },
      { expr: slots, legend: "max_concurrent" },
      { expr: highest("signalbox_backend_gpus", { by: ["backend"] }), legend: "gpus" },
    ],
  }),
  graph({
    title: "How many backends of each model are up",
    description: "Lines that drop are capacity that is gone; at 0 the model is.",
    unit: "none",
    width: 12,
    runbook: "SignalboxBackendDown",
    queries: [{ expr: lowest("signalbox_model_backends_up", { by: ["model"] }), legend: "{{model}}" }],
  }),
];

const load = [
  graph({
    title: "How full each backend is",
    description: "Attempts under way as a share of the backend's `max_concurrent`, all replicas together.",
    unit: "percentunit",
    width: 12,
    steps: [
      [0.8, "yellow"],
      [0.95, "red"],
    ],
    queries: [{ expr: `${inFlight} / on (backend) ${slots}`, legend: "{{backend}}" }],
  }),
  graph({
    title: "Who waits in the engines' own queues",
    description:
      "Requests waiting in each engine, as it says. A backend with more than `saturated_at.waiting` gets no further ones.",
    unit: "none",
    width: 12,
    runbook: "SignalboxQueue",
    queries: [{ expr: highest("signalbox_backend_queue_depth", { by: ["backend"] }), legend: "{{backend}}" }],
  }),
  graph({
    title: "How full each engine's KV cache is",
    description: "As the engine says. Near 100 % it preempts requests, and answers slow down before they fail.",
    unit: "percentunit",
    width: 12,
    max: 1,
    steps: [
      [0.85, "yellow"],
      [0.95, "red"],
    ],
    queries: [{ expr: highest("signalbox_backend_kv_cache_usage_ratio", { by: ["backend"] }), legend: "{{backend}}" }],
  }),
  graph({
    title: "What engines work on, beside what Signalbox sent",
    description:
      "More in the engine than Signalbox has under way there: somebody else uses it, or it works on for clients that left.",
    unit: "none",
    width: 12,
    queries: [
      {
        expr: highest("signalbox_backend_running_requests", { by: ["backend"] }),
        legend: "{{backend}}, as the engine says",
      },
      { expr: inFlight, legend: "{{backend}}, sent by Signalbox" },
    ],
  }),
  graph({
    title: "Who waits in Signalbox for a free backend",
    description: "Requests in the queue of all replicas, by priority. For minutes above 0: the pool is too small.",
    unit: "none",
    width: 12,
    stacked: true,
    runbook: "SignalboxQueue",
    queries: [{ expr: total("signalbox_queue_waiting_requests", { by: ["priority"] }), legend: "{{priority}}" }],
  }),
  bars({
    title: "How loaded each model is",
    description:
      "Share of the slots of its backends that are up, without what other clients of the engines take. The scaling advice goes by it.",
    unit: "percentunit",
    width: 12,
    max: 1,
    steps: [
      [0.7, "yellow"],
      [0.95, "red"],
    ],
    runbook: "SignalboxNoCapacity",
    queries: [{ expr: total("signalbox_model_load_ratio", { by: ["model"] }), legend: "{{model}}" }],
  }),
];

const failing = [
  graph({
    title: "Which backend fails, and how",
    description: "Failed attempts by cause, all replicas together. A retry may still have saved the request.",
    unit: "reqps",
    width: 12,
    runbook: "SignalboxErrorRate",
    queries: [
      {
        expr: seen(rate("signalbox_attempts_total", { by: ["backend", "cause"], where: { outcome: '="failed"' } })),
        legend: "{{backend}} {{cause}}",
      },
    ],
  }),
  graph({
    title: "How long attempts take on each backend (95 %)",
    description: "From sending to the last byte, failed ones as well.",
    unit: "s",
    width: 12,
    exemplars: true,
    queries: [
      { expr: quantile(0.95, "signalbox_attempt_duration_seconds", { by: ["backend"] }), legend: "{{backend}}" },
    ],
  }),
  graph({
    title: "How often breakers open",
    description: "A breaker that opens again and again belongs to a backend that neither works nor is down.",
    unit: "short",
    width: 8,
    runbook: "SignalboxBreakerFlapping",
    queries: [
      {
        expr: countInStep("signalbox_breaker_transitions_total", {
          by: ["backend", "model"],
          where: { to: '="open"' },
        }),
        legend: "{{backend}} {{model}}",
      },
    ],
  }),
  graph({
    title: "How many replicas see a backend as down",
    description: "Fewer than all replicas: the network between is what is broken, not the engine.",
    unit: "none",
    width: 8,
    runbook: "SignalboxBackendDown",
    queries: [
      {
        expr: `sum by (backend) (1 - ${total("signalbox_backend_up", { by: ["backend", "instance"] })})`,
        legend: "{{backend}}",
      },
      { expr: `count(${total("signalbox_in_flight_requests", { by: ["instance"] })})`, legend: LIMIT },
    ],
  }),
  states({
    title: "What was set by hand, and when",
    description: "Backends that somebody drained, opened or closed.",
    unit: "none",
    width: 8,
    words: { 1: ["by hand", "blue"] },
    queries: [
      {
        expr: highest("signalbox_backend_override", { by: ["backend", "override"] }),
        legend: "{{backend}} {{override}}",
      },
    ],
  }),
];

/** What is up, how full it is, and what breaks. */
export const pool = dashboardOf({
  uid: "signalbox-pool",
  title: "Signalbox: Pool",
  description: "Which engines are up, how full they are, and which of them fail.",
  from: "now-3h",
  rows: [
    { title: "What is up", panels: whatIsUp },
    { title: "How full it is", panels: load },
    { title: "What fails", panels: failing },
  ],
});
