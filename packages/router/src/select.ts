import type { DeploymentState, Unfit } from "./backend-state.ts";
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
   * fewer than half of the model's deployments are healthy, those held by hand left out. Best first. Tried only when every fit candidate of the whole
   * chain is used up.
   */
  readonly panic: readonly Candidate[];
  /** Everything that is not in `fit`. */
  readonly refused: readonly Refusal[];
}

/** Best first: a failed probe may be wrong, a failed request hardly is, a loading model will not answer. */
const panicOrder: Partial<Record<Unfit, number>> = { down: 0, breaker_open: 1, loading: 2 };

/** An operator's word: such a deployment is neither healthy nor ill, and never forced. */
const held: ReadonlySet<Unfit> = new Set<Unfit>(["draining", "opened_by_hand"]);

/** Splits a model's deployments into fit and unfit. `states` by deployment id. No side effect: `begin` reserves. */
export function candidatesFor(model: Model, states: ReadonlyMap<string, DeploymentState>, now: number): Selection {
  const fit: Candidate[] = [];
  const unhealthy: { candidate: Candidate; rank: number; retryInMs: number }[] = [];
  const refused: Refusal[] = [];
  let judged = 0;
  for (const deployment of model.deployments) {
    const state = states.get(deployment.id)!;
    const why = state.unfit(now);
    if (why === undefined || !held.has(why)) judged++;
    if (why === undefined) {
      fit.push({ deployment, state, backend: state.backend });
      continue;
    }
    refused.push({ deployment, why });
    const rank = panicOrder[why];
    if (rank !== undefined) {
      const candidate = { deployment, state, backend: state.backend };
      unhealthy.push({ candidate, rank, retryInMs: state.retryInMs(now) });
    }
  }
  const healthy = judged - unhealthy.length;
  if (healthy * 2 >= judged) return { fit, panic: [], refused };
  unhealthy.sort((a, b) => a.rank - b.rank || a.retryInMs - b.retryInMs);
  return { fit, panic: unhealthy.map(({ candidate }) => candidate), refused };
}
