import type { BackendState, DeploymentState } from "./backend-state.ts";
import type { Deployment } from "./policy.ts";

/** A deployment that may answer. */
export interface Candidate {
  readonly deployment: Deployment;
  /** What is known of the model on this backend: asked before an attempt, and told of its end. */
  readonly state: DeploymentState;
  /** `state.backend`: what all models of the backend share. */
  readonly backend: BackendState;
}

/** What a strategy may look at besides the candidates. */
export interface StrategyContext {
  /** Counts the requests of this model: 0, 1, 2, ... */
  readonly turn: number;
  /** In [0, 1). */
  random(): number;
}

/** Orders candidates, best first: the same candidates, each once. Pure; it neither filters nor tries. */
export type Strategy = (candidates: readonly Candidate[], context: StrategyContext) => readonly Candidate[];
