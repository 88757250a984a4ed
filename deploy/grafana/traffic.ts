import { dashboardOf } from "./dashboard.ts";
import { graph, heatmap, number } from "./panels.ts";
import { buckets, failedShare, mean, observations, quantile, rate, share, total } from "./promql.ts";

const requests = rate("signalbox_requests_total");
const glance = [
  number({
    title: "Requests a second",
    description: "All that were answered, refused ones as well.",
    unit: "reqps",
    width: 4,
    queries: [{ expr: requests, legend: "requests" }],
  }),
  number({
    title: "Share that failed",
    description:
      "By fault of a backend or of Signalbox, streams that broke off among them. What callers are to blame for is left out.",
    unit: "percentunit",
    width: 4,
    decimals: 2,
    steps: [
      [0.05, "yellow"],
      [0.1, "red"],
    ],
    runbook: "SignalboxErrorRate",
    queries: [{ expr: failedShare(), legend: "failed" }],
  }),
  number({
    title: "First token within (95 %)",
    description: "Nineteen of twenty requests had the first content of their answer by then.",
    unit: "s",
    width: 4,
    steps: [
      [2, "yellow"],
      [3, "red"],
    ],
    runbook: "SignalboxResponseTime",
    queries: [{ expr: quantile(0.95, "signalbox_time_to_first_token_seconds"), legend: "first token" }],
  }),
  number({
    title: "Whole answer within (95 %)",
    description: "From the request's head to the last byte of its answer.",
    unit: "s",
    width: 4,
    queries: [{ expr: quantile(0.95, "signalbox_request_duration_seconds"), legend: "answer" }],
  }),
  number({
    title: "Tokens written a second",
    description: "By all engines together, as they count them.",
    unit: "short",
    width: 4,
    queries: [{ expr: rate("signalbox_tokens_total", { where: { type: '="output"' } }), legend: "tokens" }],
  }),
  number({
    title: "Requests under way",
    description: "In all replicas, those in the queue as well.",
    unit: "none",
    width: 4,
    queries: [{ expr: total("signalbox_in_flight_requests"), legend: "under way" }],
  }),
];

const rates = [
  graph({
    title: "Who asks",
    description: "Requests of each team.",
    unit: "reqps",
    width: 8,
    stacked: true,
    queries: [{ expr: rate("signalbox_requests_total", { by: ["team"] }), legend: "{{team}}" }],
  }),
  graph({
    title: "Which model answers",
    description: "Requests by the model that they ended at.",
    unit: "reqps",
    width: 8,
    stacked: true,
    queries: [{ expr: rate("signalbox_requests_total", { by: ["model"] }), legend: "{{model}}" }],
  }),
  graph({
    title: "Which backend works",
    description: "Attempts on each backend; retries and hedges are attempts of their own.",
    unit: "reqps",
    width: 8,
    stacked: true,
    queries: [{ expr: rate("signalbox_attempts_total", { by: ["backend"] }), legend: "{{backend}}" }],
  }),
];

const errors = [
  graph({
    title: "What clients got instead of an answer",
    description: "Requests with an error, by its code. `docs/errors.md` says what each one means.",
    unit: "reqps",
    width: 12,
    stacked: true,
    runbook: "SignalboxErrorRate",
    queries: [
      {
        expr: rate("signalbox_requests_total", { by: ["code", "status"], where: { code: '!="ok"' } }),
        legend: "{{status}} {{code}}",
      },
    ],
  }),
  graph({
    title: "What share of each team's requests fails",
    description: "By fault of a backend or of Signalbox. Refusals by limits are on the page of teams.",
    unit: "percentunit",
    width: 12,
    runbook: "SignalboxErrorRate",
    queries: [
      {
        expr: failedShare(["team"]),
        legend: "{{team}}",
      },
    ],
  }),
  graph({
    title: "What share of each model's requests fails",
    description: "By fault of a backend or of Signalbox, by the model that they ended at.",
    unit: "percentunit",
    width: 12,
    runbook: "SignalboxErrorRate",
    queries: [
      {
        expr: failedShare(["model"]),
        legend: "{{model}}",
      },
    ],
  }),
  graph({
    title: "What share of each backend's attempts fails",
    description: "Retries may save the request, so that no client sees it.",
    unit: "percentunit",
    width: 12,
    runbook: "SignalboxErrorRate",
    queries: [
      {
        expr: share(
          rate("signalbox_attempts_total", { by: ["backend"], where: { outcome: '="failed"' } }),
          rate("signalbox_attempts_total", { by: ["backend"] }),
        ),
        legend: "{{backend}}",
      },
    ],
  }),
];

const durations = [
  graph({
    title: "How long until the first token",
    description:
      "From the request's head to the first content, queue and retries included. What a user at a screen feels.",
    unit: "s",
    width: 8,
    exemplars: true,
    runbook: "SignalboxResponseTime",
    queries: [0.5, 0.95, 0.99].map((part) => ({
      expr: quantile(part, "signalbox_time_to_first_token_seconds"),
      legend: `${part * 100} %`,
    })),
  }),
  graph({
    title: "How long until the first token of each model (95 %)",
    description: "A model that is slower than its peers has too few backends, or prompts that are too long for them.",
    unit: "s",
    width: 8,
    exemplars: true,
    runbook: "SignalboxResponseTime",
    queries: [
      { expr: quantile(0.95, "signalbox_time_to_first_token_seconds", { by: ["model"] }), legend: "{{model}}" },
    ],
  }),
  graph({
    title: "How long until the first token of each backend (95 %)",
    description: "One of several backends of a model stands out: that engine is ill.",
    unit: "s",
    width: 8,
    exemplars: true,
    runbook: "SignalboxResponseTime",
    queries: [
      { expr: quantile(0.95, "signalbox_time_to_first_token_seconds", { by: ["backend"] }), legend: "{{backend}}" },
    ],
  }),
  graph({
    title: "How long whole answers take",
    description: "From the request's head to the last byte of its answer.",
    unit: "s",
    width: 8,
    exemplars: true,
    queries: [0.5, 0.95, 0.99].map((part) => ({
      expr: quantile(part, "signalbox_request_duration_seconds"),
      legend: `${part * 100} %`,
    })),
  }),
  graph({
    title: "How long each team waits for whole answers (95 %)",
    description: "Long answers take long: compare with tokens before you compare teams.",
    unit: "s",
    width: 8,
    exemplars: true,
    queries: [{ expr: quantile(0.95, "signalbox_request_duration_seconds", { by: ["team"] }), legend: "{{team}}" }],
  }),
  heatmap({
    title: "How answers' times are spread",
    description: "Two bands are two kinds of requests, or cached and uncached prompts.",
    unit: "s",
    width: 8,
    queries: [{ expr: buckets("signalbox_request_duration_seconds"), legend: "{{le}}" }],
  }),
];

const tokens = [
  graph({
    title: "How slowly each model writes (95 %)",
    description: "Time between two tokens of a stream. Above 100 ms people read faster than it writes.",
    unit: "s",
    width: 8,
    queries: [
      { expr: quantile(0.95, "signalbox_time_per_output_token_seconds", { by: ["model"] }), legend: "{{model}}" },
    ],
  }),
  graph({
    title: "How fast one stream of each backend is",
    description: "Tokens a second of a stream, on average.",
    unit: "short",
    width: 8,
    queries: [
      { expr: `1 / (${mean("signalbox_time_per_output_token_seconds", { by: ["backend"] })})`, legend: "{{backend}}" },
    ],
  }),
  graph({
    title: "How many tokens go in and out",
    description:
      "Tokens a second. Those from the engine's prefix cache are part of input, those of reasoning part of output.",
    unit: "short",
    width: 8,
    queries: [{ expr: rate("signalbox_tokens_total", { by: ["type"] }), legend: "{{type}}" }],
  }),
  graph({
    title: "How many tokens each model writes",
    description: "Output tokens a second, all backends together.",
    unit: "short",
    width: 8,
    stacked: true,
    queries: [
      { expr: rate("signalbox_tokens_total", { by: ["model"], where: { type: '="output"' } }), legend: "{{model}}" },
    ],
  }),
  graph({
    title: "What share of prompts comes from the engines' cache",
    description:
      "Tokens of prompts that the engine had not to read again. Low for agents: their turns reach different backends.",
    unit: "percentunit",
    width: 8,
    max: 1,
    queries: [
      {
        expr: share(
          rate("signalbox_tokens_total", { by: ["backend"], where: { type: '="cached_input"' } }),
          rate("signalbox_tokens_total", { by: ["backend"], where: { type: '="input"' } }),
        ),
        legend: "{{backend}}",
      },
    ],
  }),
  graph({
    title: "What share of replies is reasoning",
    description: "Output tokens that the client may never show, but pays and waits for.",
    unit: "percentunit",
    width: 8,
    max: 1,
    queries: [
      {
        expr: share(
          rate("signalbox_tokens_total", { by: ["model"], where: { type: '="reasoning"' } }),
          rate("signalbox_tokens_total", { by: ["model"], where: { type: '="output"' } }),
        ),
        legend: "{{model}}",
      },
    ],
  }),
];

const own = [
  graph({
    title: "How long requests wait in the queue (95 %)",
    description: "Of those that had to wait at all, by priority.",
    unit: "s",
    width: 8,
    runbook: "SignalboxQueue",
    queries: [{ expr: quantile(0.95, "signalbox_queue_seconds", { by: ["priority"] }), legend: "{{priority}}" }],
  }),
  graph({
    title: "How many requests had to wait",
    description: "Share of all requests that a saturated backend kept in the queue.",
    unit: "percentunit",
    width: 8,
    runbook: "SignalboxQueue",
    queries: [
      {
        expr: share(observations("signalbox_queue_seconds"), requests),
        legend: "waited",
      },
    ],
  }),
  graph({
    title: "What Signalbox itself adds",
    description: "Time to the first byte that was not spent waiting for a backend.",
    unit: "s",
    width: 8,
    queries: [0.5, 0.95, 0.99].map((part) => ({
      expr: quantile(part, "signalbox_overhead_seconds"),
      legend: `${part * 100} %`,
    })),
  }),
];

/** How much is asked, what fails and how long it takes: by team, model and backend. */
export const traffic = dashboardOf({
  uid: "signalbox-traffic",
  title: "Signalbox: Traffic and latency",
  description: "How much is asked, how much of it fails and how long it takes, by team, model and backend.",
  from: "now-3h",
  rows: [
    { title: "At a glance", panels: glance },
    { title: "How much is asked", panels: rates },
    { title: "What fails", panels: errors },
    { title: "How long it takes", panels: durations },
    { title: "Tokens", panels: tokens },
    { title: "Time that is not the engines'", panels: own },
  ],
});
