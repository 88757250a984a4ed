import type { ErrorCode } from "@signalbox/protocol";
import type { Admission } from "../admission/admission.ts";
import type { BackendRuntime } from "../runtime/backend-runtime.ts";
import type { Serving } from "../runtime/serving.ts";
import type { Metrics } from "../signals/metrics.ts";
import type { BackendHistory, LoadHistory, Presence } from "./load-history.ts";
import type { BackendCounts, LoadRecorder, LoadSources, ModelCounts } from "./load-recorder.ts";

export interface GatewayLoad {
  serving(): Serving;
  readonly admission: Admission;
  /** Milliseconds, never going back, as backends' states have them. */
  now(): number;
}

/** What a gateway knows of its load: what its states and counters hold already. */
export function loadSources({ serving, admission, now }: GatewayLoad): LoadSources {
  return {
    wallNow: Date.now,
    backends: () =>
      [...serving().backends.values()].map(({ name, state }) => {
        const isOld = now() - state.loadAt > state.loadTtlMs;
        return { name, inFlight: state.inFlight, load: isOld ? undefined : state.load };
      }),
    waiting: () => admission.waitingByModel(),
    backendCounts: () => backendCounts(serving().signals.metrics),
    modelCounts: () => modelCounts(serving()),
  };
}

/** The history of a gateway's own load, with its backends as they are now. */
export function historyOf({ config, backends }: Serving, recorder: LoadRecorder): LoadHistory {
  return {
    scaling: config.scaling,
    slice_ms: recorder.sliceMs,
    now: recorder.now,
    known: [recorder.known],
    backends: [...backends.values()].map((backend) => backendNow(backend, recorder)),
    models: [...config.policy.models.values()].map(({ name, deployments }) => ({
      name,
      on: [...new Set(deployments.map(({ backend }) => backend))].sort(),
      slices: recorder.model(name),
    })),
  };
}

function backendNow({ name, state }: BackendRuntime, recorder: LoadRecorder): BackendHistory {
  const own = Number.isFinite(state.maxConcurrent) ? state.maxConcurrent : undefined;
  const engine = state.load?.slots || undefined;
  const slots = own === undefined ? engine : Math.min(own, engine ?? own);
  const from = slots === undefined ? null : slots === own ? "max_concurrent" : "engine";
  const presence = presenceOf(state);
  return { name, presence, slots: slots ?? null, slots_from: from, slices: recorder.backend(name) };
}

/** Where all its breakers are open a backend is down, whatever its probes say. */
function presenceOf({ override, health, deployments }: BackendRuntime["state"]): Presence {
  if (override === "drain" || override === "open") return "by_hand";
  if (health.status === "ready") {
    const breakers = [...deployments].map(({ breaker }) => breaker);
    return breakers.length > 0 && breakers.every((breaker) => breaker === "open") ? "down" : "up";
  }
  // What was not looked at yet is about to be.
  return health.status === "down" ? "down" : "loading";
}

function backendCounts(metrics: Metrics): Map<string, BackendCounts> {
  const counts = new Map<string, { attempts: number; outputTokens: number }>();
  const of = (backend: string) => {
    const known = counts.get(backend) ?? { attempts: 0, outputTokens: 0 };
    counts.set(backend, known);
    return known;
  };
  for (const { labels, value } of metrics.series("signalbox_attempts_total")) of(labels.backend).attempts += value;
  for (const { labels, value } of metrics.series("signalbox_tokens_total"))
    if (labels.type === "output") of(labels.backend).outputTokens += value;
  return counts;
}

/** What of a request's end says that there was no room for it, and that it had no right to any. */
const endings: { readonly [Code in ErrorCode | "ok"]?: "turnedAway" | "limited" } = {
  team_queue_full: "turnedAway",
  backends_overloaded: "turnedAway",
  rate_limit_exceeded: "limited",
  concurrency_limit_exceeded: "limited",
  budget_exceeded: "limited",
};

function modelCounts({ config, signals }: Serving): Map<string, ModelCounts> {
  const names = config.policy.models.keys();
  const counts = new Map([...names].map((name) => [name, { requests: 0, turnedAway: 0, limited: 0 }]));
  for (const { labels, value } of signals.metrics.series("signalbox_requests_total")) {
    const known = counts.get(labels.model);
    if (known === undefined) continue;
    known.requests += value;
    const ending = endings[labels.code as keyof typeof endings];
    if (ending !== undefined) known[ending] += value;
  }
  return counts;
}
