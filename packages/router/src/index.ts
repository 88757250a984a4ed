// The order is a request's: facts, features, rules, a chain of models, candidates, attempts, and what is learned.

export type { AttemptEffects, Choice, Rival } from "./attempt-effects.ts";
export { type AttemptEnd, AttemptFailure, classifyOutcome } from "./attempt-failure.ts";
export { AllAttemptsFailed, attemptLoop, type Opened } from "./attempt-loop.ts";
export {
  type BackendState,
  type DeploymentState,
  type EngineLoad,
  type Health,
  type Holder,
  type Override,
  overrides,
  type Permit,
  type SaturationLimits,
  type Unfit,
} from "./backend-state.ts";
export { type BreakerSettings, type BreakerState, breakerDefaults } from "./breaker.ts";
export { busyness } from "./busyness.ts";
export { type Assessment, type Conversation, classify, defaultThresholds, type Thresholds } from "./classifier.ts";
export { describeMatch, matches } from "./conditions.ts";
export {
  type BackendStateOptions,
  type BreakerChange,
  createBackendState,
  type OwnedBackendState,
} from "./create-backend-state.ts";
export { type DeadRule, findDeadRules, type RuleKnowledge, teamsOf } from "./dead-rules.ts";
export { autoModel, chainOf, type Decision, decide, isReachable, type ModelLoad, usableModels } from "./decide.ts";
export { estimateTokens } from "./estimate-tokens.ts";
export {
  type Claimant,
  FairQueue,
  Lane,
  Place,
  type Priority,
  priorities,
  priorityWeights,
  type Waiter,
} from "./fair-queue.ts";
export { holderOf, isOverShare, keptSlots } from "./fair-share.ts";
export { type Features, readFeatures } from "./features.ts";
export { localPolicy } from "./local-policy.ts";
export {
  type Capabilities,
  type Comparison,
  type Complexity,
  type Condition,
  comparisons,
  complexities,
  type Deployment,
  type Model,
  type Policy,
  type RequestFacts,
  type Rule,
} from "./policy.ts";
export { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from "./retry-budget.ts";
export { candidatesFor, type Refusal, type Selection } from "./select.ts";
export { isSaturated, type Standing, standingOf } from "./standing.ts";
export { isStrategyName, type StrategyName, strategies, strategyNames } from "./strategies.ts";
export type { Candidate, Strategy, StrategyContext } from "./strategy.ts";
export type { AttemptPlan, AttemptRecord } from "./walk.ts";
