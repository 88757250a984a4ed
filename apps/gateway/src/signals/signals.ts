import { type Endpoint, type ErrorCode, errorTable } from "@signalbox/protocol";
import {
  type AttemptRecord,
  type BreakerChange,
  type BreakerState,
  type Priority,
  priorities,
} from "@signalbox/router";
import type { TurnedAwayReason } from "../admission/turned-away.ts";
import type { Story } from "../request-path/story.ts";
import { tokensOf } from "../request-path/story.ts";
import type { BackendRuntime } from "../runtime/backend-runtime.ts";
import type { Shortage } from "../runtime/gate.ts";
import type { AlertThreshold } from "./alert-table.ts";
import { createMetrics, type HistogramSeries, type Metrics, type NumberSeries } from "./metrics.ts";
import type { RequestLog } from "./request-log.ts";

/** Where everything that happens is told: metrics and the request log. */
export interface Signals {
  readonly metrics: Metrics;
  readonly inFlight: number;
  /** A request came in. */
  begin(): void;
  /** A request is over: one line, and every metric that reads it. */
  settle(story: Story): void;
  /** Something was refused for want of room; with its endpoint, where it is a request that nothing else tells of. */
  shed(why: Shortage, endpoint?: Endpoint): void;
  /** A request did not get its turn in the queue. */
  turnedAway(reason: TurnedAwayReason): void;
  breaker(change: BreakerChange): void;
  reload(ok: boolean): void;
  /** Shows the thresholds of the config in force. */
  alertsBy(thresholds: readonly AlertThreshold[]): void;
  /** Sets the gauges, before a scrape. */
  gauges(backends: Iterable<BackendRuntime>, room: RoomLevels): void;
}

/** How much of its room the gateway uses. */
export interface RoomLevels {
  readonly connections: number;
  readonly bodyBytes: number;
  readonly lagMs: number;
  readonly shedShare: number;
  /** Requests in the queue. */
  readonly waiting: Readonly<Record<Priority, number>>;
}

const breakerNumber: Record<BreakerState, number> = { closed: 0, open: 1, half_open: 2 };

/** A label for a name that the config did not give, so that clients cannot make series. */
const OTHER = "other";

/** The signals of one gateway, over any number of configs. */
export function createSignals(log: RequestLog): Signals {
  const metrics = createMetrics();
  let inFlight = 0;
  const measure = createMeasure(metrics);
  metrics.gauge("signalbox_config_reload_success", {}).value = 1;

  return {
    metrics,
    get inFlight() {
      return inFlight;
    },
    begin() {
      inFlight++;
    },
    settle(story) {
      inFlight--;
      measure(story);
      if (story.log !== "none") log.request(story);
    },
    shed(why, endpoint) {
      metrics.counter("signalbox_shed_requests_total", { reason: why }).value++;
      if (endpoint === undefined) return;
      const code = "gateway_overloaded";
      const labels = { team: OTHER, model: OTHER, endpoint, status: String(errorTable[code].status), code };
      metrics.counter("signalbox_requests_total", labels).value++;
    },
    turnedAway(reason) {
      metrics.counter("signalbox_queue_turned_away_total", { reason }).value++;
    },
    breaker({ backend, model, to }) {
      metrics.counter("signalbox_breaker_transitions_total", { backend, model, to }).value++;
    },
    reload(ok) {
      metrics.counter("signalbox_config_reloads_total", { result: ok ? "success" : "failure" }).value++;
      metrics.gauge("signalbox_config_reload_success", {}).value = ok ? 1 : 0;
    },
    alertsBy(thresholds) {
      metrics.reset("signalbox_alert_threshold");
      for (const { value, ...labels } of thresholds) metrics.gauge("signalbox_alert_threshold", labels).value = value;
    },
    gauges(backends, { connections, bodyBytes, lagMs, shedShare, waiting }) {
      for (const priority of priorities)
        metrics.gauge("signalbox_queue_waiting_requests", { priority }).value = waiting[priority];
      metrics.gauge("signalbox_open_connections", {}).value = connections;
      metrics.gauge("signalbox_body_bytes", {}).value = bodyBytes;
      metrics.gauge("signalbox_event_loop_lag_seconds", {}).value = lagMs / 1000;
      metrics.gauge("signalbox_shed_ratio", {}).value = shedShare;
      metrics.counter("signalbox_log_lines_dropped_total", {}).value = log.dropped;
      metrics.gauge("signalbox_in_flight_requests", {}).value = inFlight;
      for (const name of backendGauges) metrics.reset(name);
      for (const { name: backend, state } of backends) {
        metrics.gauge("signalbox_backend_in_flight_requests", { backend }).value = state.inFlight;
        metrics.gauge("signalbox_backend_up", { backend }).value = state.health.status === "ready" ? 1 : 0;
        for (const { model, breaker } of state.deployments) {
          metrics.gauge("signalbox_breaker_state", { backend, model }).value = breakerNumber[breaker];
        }
        if (state.override !== undefined)
          metrics.gauge("signalbox_backend_override", { backend, override: state.override }).value = 1;
        const waiting = state.load?.waiting;
        if (waiting !== undefined) metrics.gauge("signalbox_backend_queue_depth", { backend }).value = waiting;
      }
    },
  };
}

/** Which sort of limit refused a request, by the code that it ended in. */
const limitsByCode: { readonly [Code in ErrorCode | "ok"]?: string } = {
  rate_limit_exceeded: "rate",
  concurrency_limit_exceeded: "concurrent",
  budget_exceeded: "budget",
};

const backendGauges = [
  "signalbox_backend_in_flight_requests",
  "signalbox_backend_up",
  "signalbox_backend_queue_depth",
  "signalbox_backend_override",
  "signalbox_breaker_state",
] as const;

/** The series that requests of one sort count in: same team, model, backend, endpoint and end. */
interface RequestSeries {
  readonly requests: NumberSeries;
  readonly duration: HistogramSeries;
  readonly overhead: HistogramSeries;
  readonly firstToken: HistogramSeries;
  readonly perToken: HistogramSeries;
  readonly input: NumberSeries;
  readonly output: NumberSeries;
}

/** Every metric of one request, observed once, at its end. */
function createMeasure(metrics: Metrics): (story: Story) => void {
  const known = new Map<string, RequestSeries>();
  return (story) => {
    const key = `${story.team}|${story.model || story.chosen}|${story.backend}|${story.endpoint}|${story.status}|${story.code}`;
    let series = known.get(key);
    if (series === undefined) {
      series = seriesFor(metrics, story);
      known.set(key, series);
    }
    series.requests.value++;
    series.duration.observe((performance.now() - story.started) / 1000);
    if (story.queueMs !== undefined)
      metrics.histogram("signalbox_queue_seconds", { priority: story.priority! }).observe(story.queueMs / 1000);
    measureAttempts(metrics, story);
    for (const { how, outcome } of story.recoveries ?? [])
      metrics.counter("signalbox_stream_recoveries_total", { model: story.model, how, outcome }).value++;
    if (story.firstTokenAt !== undefined) measureReply(metrics, story, story.firstTokenAt, series);
    if (story.toolCalls !== undefined) measureCalls(metrics, story);
    for (const { count, ...labels } of story.unclosed ?? [])
      metrics.counter("signalbox_unclosed_reasoning_total", labels).value += count;
    const limit = limitsByCode[story.code];
    if (limit !== undefined) {
      metrics.counter("signalbox_rate_limited_total", { team: story.team || OTHER, limit }).value++;
    }
  };
}

function seriesFor(metrics: Metrics, story: Story): RequestSeries {
  const { endpoint, backend, code } = story;
  const team = story.team || OTHER;
  const model = story.model || story.chosen || OTHER;
  const requests = metrics.counter("signalbox_requests_total", {
    team,
    model,
    endpoint,
    status: String(story.status),
    code,
  });
  const duration = metrics.histogram("signalbox_request_duration_seconds", { model, endpoint });
  const overhead = metrics.histogram("signalbox_overhead_seconds", { endpoint });
  if (backend === "") return { ...unanswered, requests, duration, overhead };
  return {
    requests,
    duration,
    overhead,
    firstToken: metrics.histogram("signalbox_time_to_first_token_seconds", { model, backend }),
    perToken: metrics.histogram("signalbox_time_per_output_token_seconds", { model, backend }),
    input: metrics.counter("signalbox_tokens_total", { team, model, backend, type: "input" }),
    output: metrics.counter("signalbox_tokens_total", { team, model, backend, type: "output" }),
  };
}

/** What a request that no backend answered counts in: nothing. */
const nowhere = { value: 0, observe() {} };
const unanswered = { firstToken: nowhere, perToken: nowhere, input: nowhere, output: nowhere };

function measureAttempts(metrics: Metrics, story: Story): void {
  for (const record of story.records) {
    if (record.outcome === "skipped") continue;
    const last = record.outcome === "ok";
    const { backend, model } = record;
    const outcome = last ? story.outcome : record.outcome;
    const cause = (last ? story.cause : record.cause) ?? "";
    metrics.counter("signalbox_attempts_total", { backend, model, outcome, cause }).value++;
    if (record.hedge !== undefined)
      metrics.counter("signalbox_hedges_total", { model: record.hedge, outcome: fateOf(record.outcome) }).value++;
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

function measureReply(metrics: Metrics, story: Story, firstTokenAt: number, series: RequestSeries): void {
  const untilFirst = firstTokenAt - story.started;
  series.firstToken.observe(untilFirst / 1000);
  series.overhead.observe(Math.max(0, untilFirst - story.waitedMs - (story.queueMs ?? 0)) / 1000);
  const { promptTokens, completionTokens } = tokensOf(story);
  series.input.value += promptTokens;
  series.output.value += completionTokens;
  if (story.stream && story.lastEventAt !== undefined && completionTokens > 1) {
    series.perToken.observe((story.lastEventAt - firstTokenAt) / (completionTokens - 1) / 1000);
  }
  if (story.model !== story.chosen) {
    metrics.counter("signalbox_fallbacks_total", { from_model: story.chosen, to_model: story.model }).value++;
  }
  if (story.malformedEvents > 0) {
    metrics.counter("signalbox_malformed_events_total", { backend: story.backend }).value += story.malformedEvents;
  }
}
