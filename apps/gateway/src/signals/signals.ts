import { tokensOf } from "../request-path/story.ts";
import type { Story } from "../request-path/story.ts";
import type { BackendRuntime } from "../runtime/backend-runtime.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { RequestLog } from "./request-log.ts";

/** Where everything that happens is told: metrics and the request log. */
export interface Signals {
  readonly metrics: Metrics;
  readonly inFlight: number;
  /** A request came in. */
  begin(): void;
  /** A request is over: one line, and every metric that reads it. */
  settle(story: Story): void;
  breaker(backend: string, to: BreakerState): void;
  reload(ok: boolean): void;
  /** Sets the gauges of all backends, before a scrape. */
  gauges(backends: Iterable<BackendRuntime>): void;
}

type BreakerState = "closed" | "open" | "half_open";
const breakerNumber: Record<BreakerState, number> = { closed: 0, open: 1, half_open: 2 };

/** A label for a name that the config did not give, so that clients cannot make series. */
const OTHER = "other";

/** The signals of one gateway, over any number of configs. */
export function createSignals(log: RequestLog): Signals {
  const metrics = createMetrics();
  let inFlight = 0;
  metrics.set("signalbox_config_reload_success", {}, 1);

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
      measure(metrics, story);
      log.request(story);
    },
    breaker(backend, to) {
      metrics.add("signalbox_breaker_transitions_total", { backend, to });
    },
    reload(ok) {
      metrics.add("signalbox_config_reloads_total", { result: ok ? "success" : "failure" });
      metrics.set("signalbox_config_reload_success", {}, ok ? 1 : 0);
    },
    gauges(backends) {
      metrics.set("signalbox_in_flight_requests", {}, inFlight);
      for (const name of backendGauges) metrics.reset(name);
      for (const { name: backend, state } of backends) {
        metrics.set("signalbox_backend_in_flight_requests", { backend }, state.inFlight);
        metrics.set("signalbox_backend_up", { backend }, state.health.status === "ready" ? 1 : 0);
        metrics.set("signalbox_breaker_state", { backend }, breakerNumber[state.breaker]);
        const waiting = state.load?.waiting;
        if (waiting !== undefined) metrics.set("signalbox_backend_queue_depth", { backend }, waiting);
      }
    },
  };
}

const backendGauges = [
  "signalbox_backend_in_flight_requests",
  "signalbox_backend_up",
  "signalbox_backend_queue_depth",
  "signalbox_breaker_state",
] as const;

/** Every metric of one request, observed once, at its end. */
function measure(metrics: Metrics, story: Story): void {
  const { endpoint, backend, code } = story;
  const team = story.team || OTHER;
  const model = story.model || story.chosen || OTHER;
  const ended = performance.now();
  metrics.add("signalbox_requests_total", { team, model, endpoint, status: String(story.status), code });
  metrics.observe("signalbox_request_duration_seconds", { model, endpoint }, (ended - story.started) / 1000);
  for (const record of story.records) {
    if (record.outcome === "skipped") continue;
    const last = record.outcome === "ok" && story.outcome !== "ok";
    metrics.add("signalbox_attempts_total", {
      backend: record.backend,
      model: record.model,
      outcome: last ? story.outcome : record.outcome,
      cause: (last ? story.cause : record.cause) ?? "",
    });
  }
  if (code === "rate_limit_exceeded" || code === "concurrency_limit_exceeded") {
    metrics.add("signalbox_rate_limited_total", { team, limit: code === "rate_limit_exceeded" ? "rate" : "concurrent" });
  }
  if (story.firstTokenAt !== undefined) measureReply(metrics, story, story.firstTokenAt, { team, model, backend });
}

function measureReply(metrics: Metrics, story: Story, firstTokenAt: number, labels: { team: string; model: string; backend: string }): void {
  const { model, backend } = labels;
  const untilFirst = firstTokenAt - story.started;
  metrics.observe("signalbox_time_to_first_token_seconds", { model, backend }, untilFirst / 1000);
  metrics.observe("signalbox_overhead_seconds", { endpoint: story.endpoint }, Math.max(0, untilFirst - story.waitedMs) / 1000);
  const { promptTokens, completionTokens } = tokensOf(story);
  metrics.add("signalbox_tokens_total", { ...labels, type: "input" }, promptTokens);
  metrics.add("signalbox_tokens_total", { ...labels, type: "output" }, completionTokens);
  if (story.stream && story.lastEventAt !== undefined && completionTokens > 1) {
    const perToken = (story.lastEventAt - firstTokenAt) / (completionTokens - 1);
    metrics.observe("signalbox_time_per_output_token_seconds", { model, backend }, perToken / 1000);
  }
  if (story.model !== story.chosen) metrics.add("signalbox_fallbacks_total", { from_model: story.chosen, to_model: story.model });
  if (story.malformedEvents > 0) metrics.add("signalbox_malformed_events_total", { backend }, story.malformedEvents);
}
