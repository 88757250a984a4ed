import type { BackendState, DeploymentState } from "./backend-state.ts";

/** `open`: may be tried and has room. `full`: could be tried, but for its load. `unfit`: cannot, whatever its load. */
export type Standing = "open" | "full" | "unfit";

/** How a deployment stands now; `promised` slots of its backend count as taken. Under 1 microsecond when all is well. */
export function standingOf(state: DeploymentState, now: number, promised = 0): Standing {
  const why = state.unfit(now);
  if (why !== undefined) return why === "full" ? "full" : "unfit";
  const { backend } = state;
  const full = backend.inFlight + promised >= backend.maxConcurrent || isSaturated(backend, now, promised);
  return full ? "full" : "open";
}

/**
 * Does the engine have more than it can work on? What it said is carried on by what we have sent and got back since, so that
 * a probe's answer does not hold for all the time until the next one.
 */
export function isSaturated(backend: BackendState, now: number, promised = 0): boolean {
  const { load, saturation } = backend;
  if (load === undefined || now - backend.loadAt > backend.loadTtlMs) return false;
  const { waiting = 0, kvUse = 0, running } = load;
  const since = backend.inFlight + promised - backend.loadInFlight;
  // Where nobody waited it is not known how many more it would have begun with at once.
  if (waiting > 0 && waiting + since > saturation.waiting) return true;
  // Only downwards: how much a new request will take of the cache is not known.
  const left = since < 0 ? Math.max(0, 1 + since / Math.max(1, running ?? backend.loadInFlight)) : 1;
  return kvUse > 0 && kvUse * left >= saturation.kvUse;
}
