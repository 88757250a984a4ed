import type { Config } from "../config/config.ts";
import type { Metrics } from "../signals/metrics.ts";
import type { RequestLog } from "../signals/request-log.ts";
import type { LimitStore } from "../teams/limits.ts";
import { createMemoryStore } from "../teams/memory-store.ts";
import type { Quota } from "../teams/quota.ts";
import { createConnection, type RedisConnection } from "./connection.ts";
import { createSharedStore } from "./shared-store.ts";
import type { StoreLevel, StoreSignals } from "./store-level.ts";

/** Where the gateway counts, as its config says. */
export interface OpenStore {
  readonly limits: LimitStore;
  /** How the shared store is; undefined = this process counts for itself. */
  readonly level: (() => StoreLevel) | undefined;
  /** The way to the shared Redis; undefined = there is none. */
  readonly connection: RedisConnection | undefined;
  /** Resolves when it is known whether the shared store is there, within a second. */
  readonly started: Promise<void>;
  /** What counts against each quota now. Rejects when the shared store cannot be asked. */
  usedOf(quotas: readonly Quota[]): Promise<readonly number[]>;
  /** True for the first who asks by this name, in whichever replica, for so many milliseconds. Rejects as `usedOf` does. */
  isFirst(name: string, ms: number): Promise<boolean>;
  /** Counts what was used before this process began; undefined = a shared store has counted it. */
  readonly seed: ((quota: Quota, amount: number) => void) | undefined;
  /** Resolves when the shared store was told what it can be told, within a second. */
  close(): Promise<void>;
}

/** A slot is given back by the request that holds it; one that was forgotten is free so long after any could have ended. */
const GRACE_MS = 60_000;

/** Opens the store of a config. Never fails: one that is away is waited for in the background. */
export function openStore({ store, timeouts }: Config, metrics: Metrics, log: RequestLog): OpenStore {
  const reservationTtlMs = timeouts.totalMs + GRACE_MS;
  if (store === "memory") {
    const limits = createMemoryStore({ now: () => performance.now(), wallNow: Date.now, reservationTtlMs });
    return {
      limits,
      level: undefined,
      connection: undefined,
      started: Promise.resolve(),
      usedOf: async (quotas) => quotas.map((quota) => limits.used(quota)),
      isFirst: async () => true,
      seed: (quota, amount) => limits.seed(quota, amount),
      close: async () => {},
    };
  }
  const { prefix, instances } = store;
  const connection = createConnection(store);
  const signals = tell(metrics, log);
  const shared = createSharedStore({ connection, prefix, instances, reservationTtlMs, signals });
  return {
    limits: shared,
    level: () => shared.level,
    connection,
    started: shared.started,
    usedOf: (quotas) => shared.usedOf(quotas),
    isFirst: (name, ms) => shared.isFirst(name, ms),
    seed: undefined,
    close: () => shared.close(),
  };
}

/** Sets the gauges of a shared store, before a scrape. */
export function setStoreGauges(metrics: Metrics, { state, instances, backlog }: StoreLevel): void {
  metrics.gauge("signalbox_store_up", {}).value = state === "shared" ? 1 : 0;
  metrics.gauge("signalbox_store_instances", {}).value = instances;
  metrics.gauge("signalbox_store_backlog", {}).value = backlog;
}

function tell(metrics: Metrics, log: RequestLog): StoreSignals {
  const reserve = metrics.histogram("signalbox_store_reserve_seconds", {});
  const dropped = metrics.counter("signalbox_store_dropped_total", {});
  return {
    turned({ state, why, address, instances, backlog }, lastedMs) {
      metrics.counter("signalbox_store_transitions_total", { to: state }).value++;
      const where = { redis: address, instances, backlog, lasted_ms: Math.round(lastedMs) };
      if (state === "shared") log.info("limits are shared by all replicas", where);
      else log.warn("limits are enforced by each replica's share: Redis is away", { why, ...where });
    },
    reserved(ms) {
      reserve.observe(ms / 1000);
    },
    dropped(count) {
      dropped.value += count;
    },
  };
}
