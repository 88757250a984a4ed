import type { BreakerState, Override, Unfit } from "@signalbox/router";
import type { BudgetMeter } from "../config/config.ts";
import type { Period } from "../config/units.ts";
import type { BackendRuntime } from "../runtime/backend-runtime.ts";
import type { Serving } from "../runtime/serving.ts";
import { type ToolCallCounts, toolCallCounts } from "../signals/tool-call-counts.ts";
import type { StoreLevel, StoreState } from "../store/store-level.ts";
import { type BudgetLevel, inUnits } from "../usage/budget-watch.ts";

/** One backend, as `/status` tells it. */
export interface BackendStatus {
  readonly name: string;
  readonly kind: string;
  readonly address: string;
  /** What is sent there leaves the house: it is off limits for teams whose data is `local_only`. */
  readonly hosted: boolean;
  readonly version: string | null;
  readonly health: { readonly status: string; readonly reason: string; readonly for_seconds: number };
  /** Set by hand; null = left to itself. */
  readonly override: Override | null;
  /** Of all deployments the one that lets least through. */
  readonly breaker: BreakerState;
  /** The models that the config has on it, by the names that it knows. */
  readonly deployments: readonly {
    readonly model: string;
    readonly breaker: BreakerState;
    /** Why no request goes there now; null = requests may. */
    readonly unfit: Unfit | null;
    readonly cooling_down_seconds: number;
  }[];
  readonly in_flight: number;
  readonly max_concurrent: number | null;
  /** What the engine says of itself; null where it says nothing. */
  readonly load: {
    readonly running: number | null;
    readonly waiting: number | null;
    readonly kv_use: number | null;
    readonly slots: number | null;
  };
  readonly models: readonly { readonly id: string; readonly loaded: boolean | null }[];
}

/** One budget of a team, as `/status` tells it. */
export interface BudgetStatus {
  readonly team: string;
  readonly meter: BudgetMeter;
  readonly period: Period;
  /** Tokens, the currency, or seconds of a GPU. */
  readonly budget: number;
  readonly used: number;
  readonly used_percent: number;
  /** ISO time. */
  readonly begins_anew: string;
}

/** The gateway, as `/status` tells it and `signalbox status` prints it. */
export interface Status {
  readonly version: string;
  readonly ready: boolean;
  readonly reason: string | null;
  readonly uptime_seconds: number;
  readonly config_hash: string;
  readonly in_flight: number;
  readonly store: StoreStatus;
  readonly backends: readonly BackendStatus[];
  readonly models: readonly {
    readonly name: string;
    readonly strategy: string;
    readonly on: readonly string[];
    readonly fallback: readonly string[];
  }[];
  /** Since the start. */
  readonly tool_calls: readonly ToolCallCounts[];
  /** As they stood within the last few seconds. */
  readonly budgets: readonly BudgetStatus[];
}

/** Where limits are counted, as `/status` tells it. */
export interface StoreStatus {
  readonly kind: "memory" | "redis";
  /** `local`: Redis is away, and this replica enforces its share. */
  readonly state: StoreState;
  readonly address: string | null;
  readonly reason: string | null;
  /** Replicas that limits are shared out to while Redis is away. */
  readonly instances: number;
  readonly backlog: number;
  readonly for_seconds: number | null;
}

/** The state of a gateway now. */
export function statusOf(
  serving: Serving,
  version: string,
  notReady: string | undefined,
  store: StoreLevel | undefined,
): Status {
  const { config, backends, signals } = serving;
  return {
    version,
    ready: notReady === undefined,
    reason: notReady ?? null,
    uptime_seconds: Math.round(process.uptime()),
    config_hash: config.hash,
    in_flight: signals.inFlight,
    store: store === undefined ? ownStore : storeStatus(store),
    backends: [...backends.values()].map(backendStatus),
    models: [...config.policy.models.values()].map(({ name, strategy, deployments, fallback }) => ({
      name,
      strategy,
      on: deployments.map(({ id }) => id),
      fallback,
    })),
    tool_calls: toolCallCounts(signals.metrics),
    budgets: serving.budgets.levels.map(budgetStatus),
  };
}

const ownStore: StoreStatus = Object.freeze({
  kind: "memory",
  state: "local",
  address: null,
  reason: null,
  instances: 1,
  backlog: 0,
  for_seconds: null,
});

function storeStatus({ state, address, why, instances, backlog, sinceMs }: StoreLevel): StoreStatus {
  return {
    kind: "redis",
    state,
    address: address ?? null,
    reason: why ?? null,
    instances,
    backlog,
    for_seconds: Math.round(sinceMs / 1000),
  };
}

function budgetStatus({ team, meter, period, limit, used, resetsAt }: BudgetLevel): BudgetStatus {
  return {
    team,
    meter,
    period,
    budget: inUnits(meter, limit),
    used: inUnits(meter, used),
    used_percent: Math.round((used / limit) * 1000) / 10,
    begins_anew: new Date(resetsAt).toISOString(),
  };
}

/** The state of one backend now. */
export function backendStatus(backend: BackendRuntime): BackendStatus {
  const { state } = backend;
  const now = performance.now();
  const { running = null, waiting = null, kvUse = null, slots = null } = state.load ?? {};
  return {
    name: backend.name,
    kind: backend.config.kind,
    address: backend.address,
    hosted: backend.config.hosted,
    version: backend.version ?? null,
    health: {
      status: state.health.status,
      reason: state.health.reason,
      for_seconds: Math.round((now - state.health.since) / 1000),
    },
    override: state.override ?? null,
    breaker: state.breaker,
    deployments: [...state.deployments].map((deployment) => ({
      model: deployment.model,
      breaker: deployment.breaker,
      unfit: deployment.unfit(now) ?? null,
      cooling_down_seconds: Math.max(0, Math.ceil((deployment.coolingUntil - now) / 1000)),
    })),
    in_flight: state.inFlight,
    max_concurrent: Number.isFinite(state.maxConcurrent) ? state.maxConcurrent : null,
    load: { running, waiting, kv_use: kvUse, slots },
    models: backend.models.map(({ id, loaded = null }) => ({ id, loaded })),
  };
}
