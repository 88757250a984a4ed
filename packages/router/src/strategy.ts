import type { BackendState } from "./backend-state.ts";
import type { Deployment } from "./policy.ts";

/** A deployment that may answer, with its backend's state. */
export interface Candidate {
  readonly deployment: Deployment;
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
