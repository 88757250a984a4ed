import { type Endpoint, errorTable } from "@signalbox/protocol";
import type { BreakerChange } from "@signalbox/router";
import type { TurnedAwayReason } from "../admission/turned-away.ts";
import type { Config } from "../config/config.ts";
import type { Story } from "../request-path/story.ts";
import type { Shortage } from "../runtime/gate.ts";
import { makeKnownSeries } from "./known-series.ts";
import { createMeasure } from "./measure.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { RequestLog } from "./request-log.ts";
import { type GaugedServing, type RoomLevels, setBackendGauges, setRoomGauges } from "./scrape-gauges.ts";
import { OTHER, TeamLabels } from "./team-labels.ts";

/** Where everything that happens is told: metrics and the request log. */
export interface Signals {
  readonly metrics: Metrics;
  /** Which teams have a label of their own. */
  readonly teams: TeamLabels;
  readonly inFlight: number;
  /** Another config is in force. */
  follow(config: Config): void;
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
  /** Sets the gauges, before a scrape. */
  gauges(serving: GaugedServing, room: RoomLevels): void;
}

export interface SignalsOptions {
  readonly log: RequestLog;
  readonly config: Config;
  /** Of the product. */
  readonly version: string;
}

/** The signals of one gateway, over any number of configs. */
export function createSignals({ log, config, version }: SignalsOptions): Signals {
  const metrics = createMetrics();
  const teams = new TeamLabels();
  let inFlight = 0;
  const measure = createMeasure(metrics, teams);
  metrics.gauge("signalbox_config_reload_success", {}).value = 1;
  metrics.gauge("signalbox_build_info", { version }).value = 1;

  function follow(next: Config): void {
    teams.follow(next);
    metrics.reset("signalbox_config_info");
    metrics.gauge("signalbox_config_info", { hash: next.hash.slice(0, 12) }).value = 1;
    metrics.gauge("signalbox_config_last_reload_timestamp_seconds", {}).value = Date.now() / 1000;
    metrics.reset("signalbox_alert_threshold");
    for (const { value, ...labels } of next.alerts) metrics.gauge("signalbox_alert_threshold", labels).value = value;
    makeKnownSeries(metrics, next, teams);
  }

  follow(config);
  return {
    metrics,
    teams,
    get inFlight() {
      return inFlight;
    },
    follow,
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
    gauges(serving, room) {
      setRoomGauges(metrics, room);
      metrics.counter("signalbox_log_lines_dropped_total", {}).value = log.dropped;
      metrics.gauge("signalbox_in_flight_requests", {}).value = inFlight;
      setBackendGauges(metrics, serving, performance.now());
    },
  };
}
