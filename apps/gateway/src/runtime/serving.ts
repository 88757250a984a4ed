import { createSchemaCache, type DeclaredTools, readTools } from "@signalbox/adapter";
import { GatewayError } from "@signalbox/protocol";
import {
  type Candidate,
  type Choice,
  candidatesFor,
  createRetryBudget,
  type DeploymentState,
  isSaturated,
  type Model,
  type RetryBudget,
  type StrategyName,
  strategies,
} from "@signalbox/router";
import type { Admission } from "../admission/admission.ts";
import { Entrance } from "../admission/entrance.ts";
import type { Config } from "../config/config.ts";
import type { HttpExchange } from "../http/exchange.ts";
import type { Intake } from "../http/intake.ts";
import type { ReadRequest } from "../request-path/read-request.ts";
import type { ReasoningMemory } from "../request-path/reasoning-memory.ts";
import type { Capture } from "../signals/capture.ts";
import type { Signals } from "../signals/signals.ts";
import type { FailureThrottle } from "../teams/failure-throttle.ts";
import { type Caller, createKeyIndex, type KeyIndex } from "../teams/keys.ts";
import type { LimitStore } from "../teams/limits.ts";
import { createQuotaIndex, type QuotaIndex } from "../teams/quota.ts";
import type { StoredKeys } from "../teams/stored-keys.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { BudgetWatch } from "../usage/budget-watch.ts";
import type { Ledger } from "../usage/ledger.ts";
import { type BackendRuntime, createBackendRuntime } from "./backend-runtime.ts";
import type { Gate } from "./gate.ts";

/** Everything a request needs, as one config has it. A reload makes a new one; requests finish on the one they began with. */
export interface Serving {
  readonly config: Config;
  readonly keys: KeyIndex;
  readonly backends: ReadonlyMap<string, BackendRuntime>;
  readonly limits: LimitStore;
  /** Undefined = nobody writes down what requests use. */
  readonly ledger: Ledger | undefined;
  readonly budgets: BudgetWatch;
  /** The way to backends that have room, and to the queue before the others. */
  readonly entrance: Entrance;
  readonly retryBudget: RetryBudget;
  readonly signals: Signals;
  readonly tracing: Tracing;
  /** Undefined = no reply is kept. */
  readonly capture: Capture | undefined;
  readonly reasoning: ReasoningMemory;
  readonly gate: Gate;
  readonly intake: Intake;
  /** @throws GatewayError `invalid_api_key`, `too_many_failed_keys`, `invalid_request`. */
  identify(exchange: HttpExchange): Caller;
  /** What a request of this caller to this model is counted against. */
  readonly quotasOf: QuotaIndex["quotasOf"];
  /** The deployments of a model that may be tried now, ordered by its strategy. */
  choose(model: Model): Choice;
  /** The tools of a request, as guards read them; compiled once for equal tools. */
  declaredTools(request: ReadRequest): DeclaredTools;
  /** Milliseconds until one of the models' backends may be worth a try. */
  retryInMs(models: readonly Model[]): number;
}

/** What outlives a config. */
export interface ServingParts {
  readonly admission: Admission;
  readonly limits: LimitStore;
  readonly ledger: Ledger | undefined;
  readonly budgets: BudgetWatch;
  readonly signals: Signals;
  readonly tracing: Tracing;
  readonly throttle: FailureThrottle;
  /** Keys beside those of the policy file. */
  readonly stored: StoredKeys | undefined;
  readonly capture: Capture | undefined;
  readonly reasoning: ReasoningMemory;
  readonly gate: Gate;
  readonly intake: Intake;
  now(): number;
}

/** Prepares a config to be served; backends that did not change are taken over from `previous` with all they know. */
export function createServing(config: Config, parts: ServingParts, previous?: Serving): Serving {
  const backends = new Map<string, BackendRuntime>();
  for (const backend of config.backends.values()) {
    const before = previous?.backends.get(backend.name);
    const same = before !== undefined && sameBackend(before, backend);
    backends.set(backend.name, same ? before : createBackend(backend, config.store !== "memory", parts));
  }
  const states = statesOf(config, backends);
  const keys = createKeyIndex(config.teams, { more: parts.stored, previous: previous?.keys });
  parts.stored?.follow(new Set(config.teams?.keys()));
  const turns = new Map<string, number>();
  // An outage with many reloads must not have a new budget with each.
  const retryBudget = previous?.retryBudget ?? createRetryBudget({ now: parts.now });
  retryBudget.setRatio(config.retryBudget);

  return {
    config,
    keys,
    backends,
    limits: parts.limits,
    ledger: parts.ledger,
    budgets: parts.budgets,
    entrance: new Entrance({ admission: parts.admission, queue: config.queue, states, now: parts.now }),
    signals: parts.signals,
    tracing: parts.tracing,
    capture: parts.capture,
    reasoning: parts.reasoning,
    gate: parts.gate,
    intake: parts.intake,
    retryBudget,
    quotasOf: createQuotaIndex(config).quotasOf,
    identify: (exchange) => identify(exchange, keys, parts.throttle),
    choose(model) {
      const { fit, panic, refused } = candidatesFor(model, states, parts.now());
      const turn = turns.get(model.name) ?? 0;
      turns.set(model.name, turn + 1);
      const ordered = fit.length > 1 ? saturatedLast(order(model, fit, turn), parts.now()) : fit;
      return { fit: ordered, panic, refused };
    },
    declaredTools({ bytes, members, body }) {
      const tools = members.find(({ key }) => key === "tools");
      const own = tools === undefined ? NO_BYTES : bytes.subarray(tools.valueStart, tools.valueEnd);
      return schemas(readTools(body.tools), own);
    },
    retryInMs(models) {
      const now = parts.now();
      const waits = models.flatMap(({ deployments }) => deployments.map(({ id }) => states.get(id)!.retryInMs(now)));
      return waits.length === 0 ? 0 : Math.min(...waits);
    },
  };
}

/** The state of each deployment, by its id; what a backend no longer serves gives its breaker back. */
function statesOf(
  { policy }: Config,
  backends: ReadonlyMap<string, BackendRuntime>,
): ReadonlyMap<string, DeploymentState> {
  const deployments = [...policy.models.values()].flatMap((model) => model.deployments);
  for (const { name, state } of backends.values()) {
    state.retain(new Set(deployments.flatMap(({ backend, model }) => (backend === name ? [model] : []))));
  }
  return new Map(deployments.map(({ id, backend, model }) => [id, backends.get(backend)!.state.deployment(model)]));
}

const NO_BYTES = Buffer.alloc(0);
const schemas = createSchemaCache();

function order(model: Model, fit: readonly Candidate[], turn: number): readonly Candidate[] {
  return strategies[model.strategy as StrategyName](fit, { turn, random: Math.random });
}

/** Who says that it has more than it can work on is asked behind those who have room. */
function saturatedLast(candidates: readonly Candidate[], now: number): readonly Candidate[] {
  if (!candidates.some(({ backend }) => isSaturated(backend, now))) return candidates;
  return candidates.toSorted((a, b) => Number(isSaturated(a.backend, now)) - Number(isSaturated(b.backend, now)));
}

function createBackend(
  config: Config["backends"] extends ReadonlyMap<string, infer B> ? B : never,
  isShared: boolean,
  parts: ServingParts,
): BackendRuntime {
  return createBackendRuntime({
    config,
    isShared,
    now: parts.now,
    onBreakerChange: (change) => parts.signals.breaker(change),
    onRoom: parts.admission.roomOn,
  });
}

/** Would a new connection to it be the same in every respect? */
function sameBackend(before: BackendRuntime, config: BackendRuntime["config"]): boolean {
  const text = (one: BackendRuntime["config"]) => JSON.stringify([one, one.headers(), one.tls()]);
  return text(before.config) === text(config);
}

function identify(exchange: HttpExchange, keys: KeyIndex, throttle: FailureThrottle): Caller {
  const authorization = exchange.header("authorization");
  const twice = exchange.headerCount("authorization") > 1;
  const identity = keys.identify(twice ? ["", ""] : authorization, exchange.header("x-api-key"));
  if (identity.ok) return identity.caller;
  const waitMs = identity.code === "invalid_api_key" ? throttle.fail(exchange.remoteAddress) : 0;
  if (waitMs > 0) {
    throw new GatewayError("too_many_failed_keys", "too many wrong API keys from this address", {
      retryAfterMs: waitMs,
    });
  }
  const { fault } = identity;
  throw new GatewayError(identity.code, identity.message, fault === undefined ? {} : { cause: new Error(fault) });
}
