import { dashboardOf } from "./dashboard.ts";
import { bars, graph, table } from "./panels.ts";
import { countInRange, countInStep, failed, highest, quantile, rate, seen, share } from "./promql.ts";

const byTeam = { by: ["team"] } as const;

const use = [
  table({
    title: "What each team used in the time shown",
    description: "Cost is in the currency of the policy's prices; the baseline is the same tokens on the large model.",
    unit: "short",
    width: 24,
    columns: [
      { expr: countInRange("signalbox_requests_total", byTeam), legend: "requests" },
      { expr: countInRange("signalbox_requests_total", { ...byTeam, where: failed }), legend: "failed" },
      { expr: countInRange("signalbox_rate_limited_total", byTeam), legend: "refused by limits" },
      {
        expr: countInRange("signalbox_tokens_total", { ...byTeam, where: { type: '="input"' } }),
        legend: "input tokens",
      },
      {
        expr: countInRange("signalbox_tokens_total", { ...byTeam, where: { type: '="output"' } }),
        legend: "output tokens",
      },
      { expr: countInRange("signalbox_cost_total", byTeam), legend: "cost" },
      { expr: countInRange("signalbox_baseline_cost_total", byTeam), legend: "cost on the large model" },
    ],
  }),
  graph({
    title: "Who asks how often",
    description: "Requests of each team, refused ones as well.",
    unit: "reqps",
    width: 8,
    stacked: true,
    queries: [{ expr: rate("signalbox_requests_total", byTeam), legend: "{{team}}" }],
  }),
  graph({
    title: "Who uses how many tokens",
    description: "Tokens a second of prompts and replies.",
    unit: "short",
    width: 8,
    stacked: true,
    queries: [
      {
        expr: rate("signalbox_tokens_total", { ...byTeam, where: { type: '=~"input|output"' } }),
        legend: "{{team}}",
      },
    ],
  }),
  graph({
    title: "What it costs an hour",
    description: "At the pace of each moment, by the prices in the policy. Models without a price cost nothing.",
    unit: "short",
    width: 8,
    stacked: true,
    queries: [{ expr: `3600 * ${rate("signalbox_cost_total", byTeam)}`, legend: "{{team}}" }],
  }),
];

const limits = [
  bars({
    title: "How near each team is to its limits",
    description:
      "Share of the tightest window that is used. At 100 % the next request gets a 429 with a time to come back.",
    unit: "percentunit",
    width: 8,
    max: 1,
    steps: [
      [0.8, "yellow"],
      [1, "red"],
    ],
    queries: [{ expr: highest("signalbox_limit_used_ratio", { by: ["team", "meter"] }), legend: "{{team}} {{meter}}" }],
  }),
  graph({
    title: "How near each team came to its limits",
    description: "The same over time. Flat at 100 %: the team works against its limit all day.",
    unit: "percentunit",
    width: 8,
    steps: [[1, "red"]],
    queries: [{ expr: highest("signalbox_limit_used_ratio", { by: ["team", "meter"] }), legend: "{{team}} {{meter}}" }],
  }),
  graph({
    title: "Who is refused, and by which limit",
    description: "Requests answered with 429: rate, concurrent requests, or budget.",
    unit: "reqps",
    width: 8,
    stacked: true,
    queries: [
      { expr: seen(rate("signalbox_rate_limited_total", { by: ["team", "limit"] })), legend: "{{team}} {{limit}}" },
    ],
  }),
  graph({
    title: "What share of each team's requests is refused",
    description:
      "By its limits. A few are what limits are for; half of them is a client that does not wait, or a limit that is too small.",
    unit: "percentunit",
    width: 12,
    queries: [
      {
        expr: share(rate("signalbox_rate_limited_total", byTeam), rate("signalbox_requests_total", byTeam)),
        legend: "{{team}}",
      },
    ],
  }),
  graph({
    title: "How long each team waits for answers (95 %)",
    description: "From the request's head to the last byte. A team of low priority waits first.",
    unit: "s",
    width: 12,
    exemplars: true,
    queries: [{ expr: quantile(0.95, "signalbox_request_duration_seconds", byTeam), legend: "{{team}}" }],
  }),
];

const budgetUsed = highest("signalbox_budget_used_ratio", { by: ["team", "meter", "period"] });

const budgets = [
  bars({
    title: "How much of each budget is used",
    description: "With what requests under way have reserved. At 100 % the team is refused until the period ends.",
    unit: "percentunit",
    width: 8,
    max: 1,
    steps: [
      [0.5, "yellow"],
      [0.8, "orange"],
      [1, "red"],
    ],
    runbook: "SignalboxBudget",
    queries: [{ expr: budgetUsed, legend: "{{team}} {{meter}} {{period}}" }],
  }),
  graph({
    title: "Which budget will not last",
    description: "A line steeper than from the period's beginning to 100 % at its end runs out before.",
    unit: "percentunit",
    width: 8,
    steps: [
      [0.8, "orange"],
      [1, "red"],
    ],
    runbook: "SignalboxBudget",
    queries: [{ expr: budgetUsed, legend: "{{team}} {{meter}} {{period}}" }],
  }),
  graph({
    title: "When budgets reached 50, 80 and 100 %",
    description: "Once for each period, by whichever replica saw it first.",
    unit: "short",
    width: 8,
    runbook: "SignalboxBudget",
    queries: [
      {
        expr: seen(countInStep("signalbox_budget_alerts_total", { by: ["team", "meter", "period", "percent"] })),
        legend: "{{team}} {{meter}} {{period}} {{percent}} %",
      },
    ],
  }),
];

/** What each team uses, what it is refused, and how long its budgets last. */
export const teams = dashboardOf({
  uid: "signalbox-teams",
  title: "Signalbox: Teams and budgets",
  description: "What each team uses and what it costs, who is near a limit or refused, and which budget will not last.",
  from: "now-24h",
  rows: [
    { title: "What is used", panels: use },
    { title: "Limits", panels: limits },
    { title: "Budgets", panels: budgets },
  ],
});
