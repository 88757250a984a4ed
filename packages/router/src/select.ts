import type { BackendState, Unfit } from "./backend-state.ts";
import type { Deployment, Model } from "./policy.ts";
import type { Candidate } from "./strategy.ts";

/** A deployment that is not taken now, and why. */
export interface Refusal {
  readonly deployment: Deployment;
  readonly why: Unfit;
}

/** A model's deployments, sorted by what can be done with them now. */
export interface Selection {
  /** May be tried, in the order of the config: for the strategy. */
  readonly fit: readonly Candidate[];
  /**
   * Panic mode: unhealthy, but worth a forced try within the retry budget rather than no answer at all. Empty unless
   * fewer than half of the model's deployments are healthy. Best first. Tried only when every fit candidate of the whole
   * chain is used up.
   */
  readonly panic: readonly Candidate[];
  /** Everything that is not in `fit`. */
  readonly refused: readonly Refusal[];
}

/** Best first: a failed probe may be wrong, a failed request hardly is, a loading model will not answer. */
const panicOrder: Partial<Record<Unfit, number>> = { down: 0, breaker_open: 1, loading: 2 };

/** Splits a model's deployments into fit and unfit. No side effect: nothing is reserved before `begin`. */
export function candidatesFor(model: Model, states: ReadonlyMap<string, BackendState>, now: number): Selection {
  const fit: Candidate[] = [];
  const unhealthy: { candidate: Candidate; rank: number; retryInMs: number }[] = [];
  const refused: Refusal[] = [];
  for (const deployment of model.deployments) {
    const backend = states.get(deployment.backend);
    if (backend === undefined) {
      // A reload took the backend away under a request that began before it.
      refused.push({ deployment, why: "down" });
      continue;
    }
    const why = backend.unfit(now);
    if (why === undefined) {
      fit.push({ deployment, backend });
      continue;
    }
    refused.push({ deployment, why });
    const rank = panicOrder[why];
    if (rank !== undefined) {
      unhealthy.push({ candidate: { deployment, backend }, rank, retryInMs: backend.retryInMs(now) });
    }
  }
  const healthy = model.deployments.length - unhealthy.length;
  if (healthy * 2 >= model.deployments.length) return { fit, panic: [], refused };
  unhealthy.sort((a, b) => a.rank - b.rank || a.retryInMs - b.retryInMs);
  return { fit, panic: unhealthy.map(({ candidate }) => candidate), refused };
}

/** Milliseconds until the first of the refused may be worth a try, for Retry-After; undefined = nobody can tell. */
export function soonestRetryMs(
  refused: readonly Refusal[],
  states: ReadonlyMap<string, BackendState>,
  now: number,
): number | undefined {
  let soonest: number | undefined;
  for (const { deployment } of refused) {
    const wait = states.get(deployment.backend)?.retryInMs(now);
    if (wait !== undefined && (soonest === undefined || wait < soonest)) soonest = wait;
  }
  return soonest;
}
