import { type BreakerState, type Model, type Priority, priorities, type Unfit } from "@signalbox/router";
import type { Config } from "../config/config.ts";
import type { BackendRuntime } from "../runtime/backend-runtime.ts";
import type { Metrics } from "./metrics.ts";

/** What gauges are read from: the config in force and its backends. */
export interface GaugedServing {
  readonly config: Config;
  readonly backends: ReadonlyMap<string, BackendRuntime>;
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

/** Gauges of what a reload may take away: set anew at each scrape, so that none stays of what is gone. */
const leavable = [
  "signalbox_backend_in_flight_requests",
  "signalbox_backend_up",
  "signalbox_backend_queue_depth",
  "signalbox_backend_running_requests",
  "signalbox_backend_kv_cache_usage_ratio",
  "signalbox_backend_max_concurrent",
  "signalbox_backend_gpus",
  "signalbox_backend_info",
  "signalbox_backend_override",
  "signalbox_breaker_state",
  "signalbox_model_backends",
  "signalbox_model_backends_up",
] as const;

/** Sets the gauges of backends and models, before a scrape. */
export function setBackendGauges(metrics: Metrics, { config, backends }: GaugedServing, now: number): void {
  for (const name of leavable) metrics.reset(name);
  for (const backend of backends.values()) setGaugesOf(metrics, backend, now);
  for (const model of config.policy.models.values()) {
    const serving = new Set(model.deployments.map(({ backend }) => backend));
    metrics.gauge("signalbox_model_backends", { model: model.name }).value = serving.size;
    metrics.gauge("signalbox_model_backends_up", { model: model.name }).value = upFor(model, backends, now);
  }
}

/** Sets the gauges of the gateway's own room, before a scrape. */
export function setRoomGauges(metrics: Metrics, room: RoomLevels): void {
  for (const priority of priorities)
    metrics.gauge("signalbox_queue_waiting_requests", { priority }).value = room.waiting[priority];
  metrics.gauge("signalbox_open_connections", {}).value = room.connections;
  metrics.gauge("signalbox_body_bytes", {}).value = room.bodyBytes;
  metrics.gauge("signalbox_event_loop_lag_seconds", {}).value = room.lagMs / 1000;
  metrics.gauge("signalbox_shed_ratio", {}).value = room.shedShare;
}

function setGaugesOf(metrics: Metrics, { name: backend, config, state }: BackendRuntime, now: number): void {
  metrics.gauge("signalbox_backend_info", { backend, kind: config.kind }).value = 1;
  metrics.gauge("signalbox_backend_in_flight_requests", { backend }).value = state.inFlight;
  metrics.gauge("signalbox_backend_up", { backend }).value = state.health.status === "ready" ? 1 : 0;
  for (const { model, breaker } of state.deployments)
    metrics.gauge("signalbox_breaker_state", { backend, model }).value = breakerNumber[breaker];
  if (state.override !== undefined)
    metrics.gauge("signalbox_backend_override", { backend, override: state.override }).value = 1;
  const { maxConcurrent, gpus } = config;
  const limit = Number.isFinite(maxConcurrent) ? maxConcurrent : undefined;
  // What an engine said long ago is no longer so.
  const load = now - state.loadAt > state.loadTtlMs ? undefined : state.load;
  for (const [metric, value] of [
    ["signalbox_backend_max_concurrent", limit],
    ["signalbox_backend_gpus", gpus > 0 ? gpus : undefined],
    ["signalbox_backend_running_requests", load?.running],
    ["signalbox_backend_queue_depth", load?.waiting],
    ["signalbox_backend_kv_cache_usage_ratio", load?.kvUse],
  ] as const)
    if (value !== undefined) metrics.gauge(metric, { backend }).value = value;
}

/** Why a backend cannot be asked at all; it may be asked soon where it is only full or pausing. */
const away: ReadonlySet<Unfit> = new Set<Unfit>(["draining", "opened_by_hand", "down", "loading", "breaker_open"]);

/** How many backends of a model could be asked now, if they had room. */
export function upFor({ deployments }: Model, backends: GaugedServing["backends"], now: number): number {
  const up = new Set<string>();
  for (const { backend, model } of deployments) {
    const why = backends.get(backend)?.state.deployment(model).unfit(now);
    if (why === undefined || !away.has(why)) up.add(backend);
  }
  return up.size;
}
