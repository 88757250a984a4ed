import { dashboardOf } from "./dashboard.ts";
import { graph, number, table } from "./panels.ts";
import { countInRange, countInStep, rate, seen, share } from "./promql.ts";

const through = { outcome: '=~"clean|leaked|coerced|repaired"' } as const;
const calls = countInRange("signalbox_tool_calls_total");

const glance = [
  number({
    title: "Tool calls that came through",
    description:
      "In the time shown: calls that reached the client whole, mended or not. Those that the guard denied are no failures of the model.",
    unit: "percentunit",
    width: 6,
    decimals: 1,
    base: "red",
    steps: [
      [0.8, "yellow"],
      [0.95, "green"],
    ],
    runbook: "SignalboxToolCallFailures",
    queries: [
      {
        expr: share(
          countInRange("signalbox_tool_calls_total", { where: through }),
          countInRange("signalbox_tool_calls_total", { where: { outcome: '!="denied"' } }),
        ),
        legend: "came through",
      },
    ],
  }),
  number({
    title: "Tool calls that had to be mended",
    description:
      "Leaked into the text, coerced to the schema or repaired: other gateways would have shown them as text, or broken.",
    unit: "percentunit",
    width: 6,
    decimals: 1,
    queries: [
      {
        expr: share(
          countInRange("signalbox_tool_calls_total", { where: { outcome: '=~"leaked|coerced|repaired"' } }),
          calls,
        ),
        legend: "mended",
      },
    ],
  }),
  number({
    title: "Tool calls that were lost",
    description: "In the time shown: what began as a call and reached the client as text.",
    unit: "short",
    width: 6,
    steps: [[1, "orange"]],
    runbook: "SignalboxToolCallFailures",
    queries: [
      {
        expr: `${countInRange("signalbox_tool_calls_total", { where: { outcome: '="failed"' } })} or vector(0)`,
        legend: "lost",
      },
    ],
  }),
  number({
    title: "Tool calls in the time shown",
    description: "Of all models and dialects, however they ended.",
    unit: "short",
    width: 6,
    queries: [{ expr: calls, legend: "calls" }],
  }),
];

const byDialect = [
  graph({
    title: "Which dialect's calls come through",
    description:
      "Share of calls that reached the client whole. A drop after an engine's update: its template or parser changed.",
    unit: "percentunit",
    width: 12,
    max: 1,
    runbook: "SignalboxToolCallFailures",
    queries: [
      {
        expr: share(
          rate("signalbox_tool_calls_total", { by: ["dialect"], where: through }),
          rate("signalbox_tool_calls_total", { by: ["dialect"], where: { outcome: '!="denied"' } }),
        ),
        legend: "{{dialect}}",
      },
    ],
  }),
  graph({
    title: "Which backend's calls come through",
    description: "One backend of several stands out: its engine was started with another parser or template.",
    unit: "percentunit",
    width: 12,
    max: 1,
    runbook: "SignalboxToolCallFailures",
    queries: [
      {
        expr: share(
          rate("signalbox_tool_calls_total", { by: ["backend", "model"], where: through }),
          rate("signalbox_tool_calls_total", { by: ["backend", "model"], where: { outcome: '!="denied"' } }),
        ),
        legend: "{{backend}} {{model}}",
      },
    ],
  }),
  graph({
    title: "What becomes of calls",
    description: "Clean ones needed nothing; the others show what was done.",
    unit: "ops",
    width: 12,
    stacked: true,
    queries: [{ expr: rate("signalbox_tool_calls_total", { by: ["outcome"] }), legend: "{{outcome}}" }],
  }),
  graph({
    title: "Where calls are lost or leak",
    description:
      "A form that nobody knows yet, or an engine's parser that does not match its model. Capture shows what such replies look like.",
    unit: "short",
    width: 12,
    runbook: "SignalboxToolCallFailures",
    queries: [
      {
        expr: seen(
          countInStep("signalbox_tool_calls_total", {
            by: ["backend", "model", "dialect", "outcome"],
            where: { outcome: '=~"failed|leaked"' },
          }),
        ),
        legend: "{{backend}} {{model}} {{dialect}} {{outcome}}",
      },
    ],
  }),
  table({
    title: "How each dialect did in the time shown",
    description: "Calls by model, dialect and what became of them.",
    unit: "short",
    width: 24,
    columns: [
      { expr: countInRange("signalbox_tool_calls_total", { by: ["model", "dialect"] }), legend: "calls" },
      ...(["clean", "leaked", "coerced", "repaired", "failed", "denied"] as const).map((outcome) => ({
        expr: countInRange("signalbox_tool_calls_total", {
          by: ["model", "dialect"],
          where: { outcome: `="${outcome}"` },
        }),
        legend: outcome,
      })),
    ],
  }),
];

const guard = [
  graph({
    title: "What the guard found, and did",
    description: "Breaches of the rules by tool calls.",
    unit: "short",
    width: 12,
    stacked: true,
    queries: [
      {
        expr: countInStep("signalbox_tool_violations_total", { by: ["model", "rule", "action"] }),
        legend: "{{model}} {{rule}} {{action}}",
      },
    ],
  }),
  graph({
    title: "What was captured for a look",
    description: "Replies whose calls went wrong: written, or not since the file is full or too many came at once.",
    unit: "short",
    width: 12,
    queries: [{ expr: countInStep("signalbox_captures_total", { by: ["result"] }), legend: "{{result}}" }],
  }),
];

const reasoning = [
  graph({
    title: "Which replies never left their thoughts",
    description:
      "All of the reply is reasoning and the client sees nothing. Mostly a template that does not open the thinking though `reasoning_first` says so.",
    unit: "short",
    width: 8,
    queries: [
      {
        expr: countInStep("signalbox_unclosed_reasoning_total", { by: ["backend", "model", "dialect"] }),
        legend: "{{backend}} {{model}} {{dialect}}",
      },
    ],
  }),
  graph({
    title: "Whether thoughts are put back",
    description:
      "Missing ones make a model lose its thread in a tool loop: expired, evicted, or kept by another replica.",
    unit: "short",
    width: 8,
    queries: [
      {
        expr: countInStep("signalbox_reasoning_remembered_total", { by: ["model", "result"] }),
        legend: "{{model}} {{result}}",
      },
    ],
  }),
  graph({
    title: "Which backend sends events that cannot be read",
    description: "They are skipped. More than none is an engine's bug, or a proxy in between.",
    unit: "short",
    width: 8,
    queries: [{ expr: countInStep("signalbox_malformed_events_total", { by: ["backend"] }), legend: "{{backend}}" }],
  }),
];

/** Whether tool calls and reasoning reach clients as they should, by dialect. */
export const toolCalls = dashboardOf({
  uid: "signalbox-tool-calls",
  title: "Signalbox: Tool calls",
  description: "Whether tool calls and reasoning reach clients as they should, by dialect, model and backend.",
  from: "now-24h",
  rows: [
    { title: "At a glance", panels: glance },
    { title: "Calls by dialect", panels: byDialect },
    { title: "The guard, and capture", panels: guard },
    { title: "Reasoning", panels: reasoning },
  ],
});
