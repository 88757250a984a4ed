import { dashboardOf } from "./dashboard.ts";
import { graph, number, table } from "./panels.ts";
import { countInRange, countInStep, highest, rate, seen, share } from "./promql.ts";

const cost = countInRange("signalbox_cost_total");
const baseline = countInRange("signalbox_baseline_cost_total");
const requests = rate("signalbox_requests_total");

const savings = [
  number({
    title: "Saved in the time shown",
    description:
      "Against the same tokens on the large model (`defaults.baseline_model`), in the currency of the policy's prices.",
    unit: "short",
    width: 6,
    decimals: 2,
    queries: [{ expr: `${baseline} - ${cost}`, legend: "saved" }],
  }),
  number({
    title: "Share saved",
    description: "Of what everything on the large model would have cost.",
    unit: "percentunit",
    width: 6,
    queries: [{ expr: `1 - ${cost} / ${baseline}`, legend: "saved" }],
  }),
  number({
    title: "Answered by another model than chosen",
    description: "Share of requests that fell back since the model chosen first could not answer.",
    unit: "percentunit",
    width: 6,
    decimals: 2,
    steps: [[0.05, "yellow"]],
    queries: [{ expr: share(rate("signalbox_fallbacks_total"), requests), legend: "fell back" }],
  }),
  number({
    title: "Attempts beyond the first",
    description: "Retries as a share of requests. `defaults.retry_budget` is where they end.",
    unit: "percentunit",
    width: 6,
    decimals: 2,
    steps: [
      [0.1, "yellow"],
      [0.2, "red"],
    ],
    runbook: "SignalboxErrorRate",
    queries: [{ expr: share(rate("signalbox_retries_total"), requests), legend: "retries" }],
  }),
];

const decisions = [
  graph({
    title: "Which rule decides",
    description: "Decisions by the rule of `routing` that matched; `named` are requests whose client named the model.",
    unit: "reqps",
    width: 8,
    stacked: true,
    queries: [{ expr: rate("signalbox_decisions_total", { by: ["rule"] }), legend: "{{rule}}" }],
  }),
  graph({
    title: "Which model is chosen",
    description: "Before fallbacks, by the name that clients know.",
    unit: "reqps",
    width: 8,
    stacked: true,
    queries: [{ expr: rate("signalbox_decisions_total", { by: ["model"] }), legend: "{{model}}" }],
  }),
  graph({
    title: "How hard requests are",
    description: "By the complexity that was found; empty where no rule asked for it.",
    unit: "reqps",
    width: 8,
    stacked: true,
    queries: [{ expr: rate("signalbox_decisions_total", { by: ["complexity"] }), legend: "{{complexity}}" }],
  }),
  table({
    title: "Which rule sent what where, in the time shown",
    description: "A rule without requests is dead; a simple request at the large model is money.",
    unit: "short",
    width: 12,
    columns: [
      { expr: countInRange("signalbox_decisions_total", { by: ["rule", "complexity", "model"] }), legend: "requests" },
    ],
  }),
  graph({
    title: "What it costs, and what it would on the large model",
    description: "An hour, at the pace of each moment. The gap is what routing saves.",
    unit: "short",
    width: 12,
    queries: [
      { expr: `3600 * ${rate("signalbox_cost_total")}`, legend: "cost" },
      { expr: `3600 * ${rate("signalbox_baseline_cost_total")}`, legend: "on the large model" },
    ],
  }),
  graph({
    title: "Where it is saved",
    description: "Saved an hour by the model that answered instead of the large one.",
    unit: "short",
    width: 12,
    stacked: true,
    queries: [
      {
        expr: `3600 * (${rate("signalbox_baseline_cost_total", { by: ["model"] })} - ${rate("signalbox_cost_total", { by: ["model"] })})`,
        legend: "{{model}}",
      },
    ],
  }),
  graph({
    title: "What share of tokens each model answers",
    description: "Output tokens of each model as a share of all.",
    unit: "percentunit",
    width: 12,
    max: 1,
    queries: [
      {
        expr: `${rate("signalbox_tokens_total", { by: ["model"], where: { type: '="output"' } })} / ignoring (model) group_left ${rate("signalbox_tokens_total", { where: { type: '="output"' } })}`,
        legend: "{{model}}",
      },
    ],
  }),
];

const rescues = [
  graph({
    title: "From which model requests fall back to which",
    description: "Answered by another model than the one chosen first: down, saturated, or unable to take the request.",
    unit: "reqps",
    width: 8,
    queries: [
      {
        expr: rate("signalbox_fallbacks_total", { by: ["from_model", "to_model"] }),
        legend: "{{from_model}} to {{to_model}}",
      },
    ],
  }),
  graph({
    title: "Why attempts are repeated",
    description: "Retries by what the attempt before died of.",
    unit: "reqps",
    width: 8,
    runbook: "SignalboxErrorRate",
    queries: [
      { expr: seen(rate("signalbox_retries_total", { by: ["model", "cause"] })), legend: "{{model}} {{cause}}" },
    ],
  }),
  graph({
    title: "Whether hedges help",
    description: "Attempts beside a late one. Many lost ones: `hedge.after` is too short, and they cost tokens.",
    unit: "reqps",
    width: 8,
    queries: [
      { expr: seen(rate("signalbox_hedges_total", { by: ["model", "outcome"] })), legend: "{{model}} {{outcome}}" },
    ],
  }),
  graph({
    title: "Whether broken streams come to their end",
    description: "Ways to go on with a stream that broke, and how they ended.",
    unit: "short",
    width: 12,
    queries: [
      {
        expr: seen(countInStep("signalbox_stream_recoveries_total", { by: ["model", "how", "outcome"] })),
        legend: "{{model}} {{how}} {{outcome}}",
      },
    ],
  }),
  graph({
    title: "How many backends each model wants",
    description: "As the scaling advice says, beside those that are up. `signalbox advise` says why.",
    unit: "none",
    width: 12,
    queries: [
      { expr: highest("signalbox_advised_backends", { by: ["model"] }), legend: "{{model}}, wanted" },
      { expr: highest("signalbox_model_backends_up", { by: ["model"] }), legend: "{{model}}, up" },
    ],
  }),
];

/** Which rule sends what where, what it saves, and what happens when the first choice fails. */
export const routing = dashboardOf({
  uid: "signalbox-routing",
  title: "Signalbox: Routing",
  description:
    "Which rule sends what where, what that saves against the large model, and what becomes of requests whose first choice fails.",
  from: "now-24h",
  rows: [
    { title: "At a glance", panels: savings },
    { title: "Decisions", panels: decisions },
    { title: "When the first choice fails", panels: rescues },
  ],
});
