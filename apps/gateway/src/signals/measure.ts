import type { ErrorCode, Usage } from "@signalbox/protocol";
import type { AttemptRecord } from "@signalbox/router";
import { type Story, tokensOf } from "../request-path/story.ts";
import type { HistogramSeries, Metrics, NumberSeries } from "./metrics.ts";
import { OTHER, type TeamLabels } from "./team-labels.ts";

/** Which sort of limit refused a request, by the code that it ended in. */
const limitsByCode: { readonly [Code in ErrorCode | "ok"]?: string } = {
  rate_limit_exceeded: "rate",
  concurrency_limit_exceeded: "concurrent",
  budget_exceeded: "budget",
};
/** The sorts of limits that can refuse a request. */
export const limitLabels: readonly string[] = Object.values(limitsByCode);

/** Billionths of the currency in one. */
const NANO = 1e9;

/** The series that requests of one sort count in: same team, model, backend, endpoint, end and decision. */
interface RequestSeries {
  readonly requests: NumberSeries;
  readonly duration: HistogramSeries;
  readonly overhead: HistogramSeries;
  readonly firstToken: HistogramSeries;
  readonly perToken: HistogramSeries;
  readonly input: NumberSeries;
  readonly output: NumberSeries;
  readonly decisions: NumberSeries;
  /** Of attempts whose answer came to its end: nearly all. */
  readonly wholeAttempts: NumberSeries;
  readonly attemptDuration: HistogramSeries;
}

/** Counts every metric of one request, once, at its end. */
export function createMeasure(metrics: Metrics, teams: TeamLabels): (story: Story) => void {
  const known = new Map<string, RequestSeries>();
  return (story) => {
    const team = teams.of(story.team);
    const key = `${team}|${story.chosen}|${story.model}|${story.backend}|${story.endpoint}|${story.status}|${story.code}|${story.rule}|${story.complexity}`;
    let series = known.get(key);
    if (series === undefined) {
      series = seriesFor(metrics, story, team);
      known.set(key, series);
    }
    const now = performance.now();
    series.requests.value++;
    series.duration.observe((now - story.started) / 1000, traceOf(story));
    if (story.queueMs !== undefined)
      metrics.histogram("signalbox_queue_seconds", { priority: story.priority! }).observe(story.queueMs / 1000);
    series.decisions.value++;
    measureAttempts(metrics, story, series, now);
    for (const { how, outcome } of story.recoveries ?? [])
      metrics.counter("signalbox_stream_recoveries_total", { model: story.model, how, outcome }).value++;
    if (story.firstTokenAt !== undefined) measureReply(metrics, story, story.firstTokenAt, series, team);
    for (const { backend, model, usage } of story.denied ?? []) {
      const labels = { team, model, backend };
      metrics.counter("signalbox_tokens_total", { ...labels, type: "input" }).value += usage.promptTokens;
      metrics.counter("signalbox_tokens_total", { ...labels, type: "output" }).value += usage.completionTokens;
      measureParts(metrics, labels, usage);
    }
    if (story.cost > 0 || story.baselineCost > 0) measureCost(metrics, story, team);
    if (story.toolCalls !== undefined) measureCalls(metrics, story);
    for (const { count, ...labels } of story.unclosed ?? [])
      metrics.counter("signalbox_unclosed_reasoning_total", labels).value += count;
    const limit = limitsByCode[story.code];
    if (limit !== undefined) metrics.counter("signalbox_rate_limited_total", { team, limit }).value++;
  };
}

/** The trace that shows how a request went; undefined = none is kept. */
const traceOf = ({ traceSampled, traceId }: Story): string | undefined => (traceSampled ? traceId : undefined);

function seriesFor(metrics: Metrics, story: Story, team: string): RequestSeries {
  const { endpoint, backend, code } = story;
  const model = story.model || story.chosen || OTHER;
  const requests = metrics.counter("signalbox_requests_total", {
    team,
    model,
    endpoint,
    status: String(story.status),
    code,
  });
  const duration = metrics.histogram("signalbox_request_duration_seconds", { team, model, endpoint });
  const overhead = metrics.histogram("signalbox_overhead_seconds", { endpoint });
  const { rule, chosen, complexity = "" } = story;
  const decisions =
    rule === "" ? nowhere : metrics.counter("signalbox_decisions_total", { rule, model: chosen, complexity });
  if (backend === "") return { ...unanswered, requests, duration, overhead, decisions };
  return {
    requests,
    duration,
    overhead,
    decisions,
    wholeAttempts: metrics.counter("signalbox_attempts_total", { backend, model, outcome: "ok", cause: "" }),
    attemptDuration: metrics.histogram("signalbox_attempt_duration_seconds", { backend, model }),
    firstToken: metrics.histogram("signalbox_time_to_first_token_seconds", { model, backend }),
    perToken: metrics.histogram("signalbox_time_per_output_token_seconds", { model, backend }),
    input: metrics.counter("signalbox_tokens_total", { team, model, backend, type: "input" }),
    output: metrics.counter("signalbox_tokens_total", { team, model, backend, type: "output" }),
  };
}

/** What a request that no backend answered counts in: nothing. */
const nowhere = { value: 0, observe() {} };
const unanswered = {
  firstToken: nowhere,
  perToken: nowhere,
  input: nowhere,
  output: nowhere,
  wholeAttempts: nowhere,
  attemptDuration: nowhere,
};

function measureAttempts(metrics: Metrics, story: Story, series: RequestSeries, now: number): void {
  let before: AttemptRecord | undefined;
  const trace = traceOf(story);
  for (const record of story.records) {
    if (record.outcome === "skipped") continue;
    const last = record.outcome === "ok";
    const { backend, model, ms } = record;
    // A record's time ends with the first content, where there was some; its answer ended just now.
    const tookMs = last && story.committedAt !== undefined ? ms + now - story.committedAt : ms;
    if (last && story.outcome === "ok" && backend === story.backend && model === story.model) {
      series.wholeAttempts.value++;
      series.attemptDuration.observe(tookMs / 1000, trace);
    } else {
      const outcome = last ? story.outcome : record.outcome;
      const cause = (last ? story.cause : record.cause) ?? "";
      metrics.counter("signalbox_attempts_total", { backend, model, outcome, cause }).value++;
      metrics.histogram("signalbox_attempt_duration_seconds", { backend, model }).observe(tookMs / 1000, trace);
    }
    if (record.hedge !== undefined) {
      metrics.counter("signalbox_hedges_total", { model: record.hedge, outcome: fateOf(record.outcome) }).value++;
      continue;
    }
    if (before !== undefined)
      metrics.counter("signalbox_retries_total", { model, cause: before.cause ?? before.outcome }).value++;
    before = record;
  }
}

/** What an attempt that ran beside a late one was good for. */
function fateOf(outcome: AttemptRecord["outcome"]): "won" | "lost" | "failed" | "client_gone" {
  if (outcome === "client_gone") return outcome;
  if (outcome === "ok") return "won";
  return outcome === "cancelled" ? "lost" : "failed";
}

function measureCalls(metrics: Metrics, { toolCalls = [], violations = [] }: Story): void {
  for (const { count, ...labels } of toolCalls) metrics.counter("signalbox_tool_calls_total", labels).value += count;
  for (const { count, ...labels } of violations)
    metrics.counter("signalbox_tool_violations_total", labels).value += count;
}

function measureCost(metrics: Metrics, story: Story, team: string): void {
  const model = story.model || story.chosen;
  metrics.counter("signalbox_cost_total", { team, model }).value += story.cost / NANO;
  metrics.counter("signalbox_baseline_cost_total", { team, model }).value += story.baselineCost / NANO;
}

/** Parts of the tokens that many engines never tell: their series would all be 0. */
function measureParts(
  metrics: Metrics,
  labels: { readonly team: string; readonly model: string; readonly backend: string },
  { cachedTokens = 0, reasoningTokens = 0 }: Usage,
): void {
  if (cachedTokens > 0)
    metrics.counter("signalbox_tokens_total", { ...labels, type: "cached_input" }).value += cachedTokens;
  if (reasoningTokens > 0)
    metrics.counter("signalbox_tokens_total", { ...labels, type: "reasoning" }).value += reasoningTokens;
}

function measureReply(metrics: Metrics, story: Story, firstTokenAt: number, series: RequestSeries, team: string): void {
  const untilFirst = firstTokenAt - story.started;
  series.firstToken.observe(untilFirst / 1000, traceOf(story));
  series.overhead.observe(Math.max(0, untilFirst - story.waitedMs - (story.queueMs ?? 0)) / 1000);
  const { model, backend } = story;
  const usage = tokensOf(story);
  const { promptTokens, completionTokens } = usage;
  series.input.value += promptTokens;
  series.output.value += completionTokens;
  measureParts(metrics, { team, model, backend }, usage);
  if (story.stream && story.lastEventAt !== undefined && completionTokens > 1) {
    series.perToken.observe((story.lastEventAt - firstTokenAt) / (completionTokens - 1) / 1000);
  }
  if (model !== story.chosen) {
    metrics.counter("signalbox_fallbacks_total", { from_model: story.chosen, to_model: model }).value++;
  }
  if (story.malformedEvents > 0) {
    metrics.counter("signalbox_malformed_events_total", { backend }).value += story.malformedEvents;
  }
}
