import { leastBusy } from "./strategies/least-busy.ts";
import { ordered } from "./strategies/ordered.ts";
import { roundRobin } from "./strategies/round-robin.ts";
import { twoChoices } from "./strategies/two-choices.ts";
import { weighted } from "./strategies/weighted.ts";
import type { Strategy } from "./strategy.ts";

/** Every strategy that a config can name. */
export const strategies = {
  round_robin: roundRobin,
  least_busy: leastBusy,
  two_choices: twoChoices,
  weighted,
  ordered,
} as const satisfies Record<string, Strategy>;

export type StrategyName = keyof typeof strategies;

/** In the order of the registry. */
export const strategyNames = Object.keys(strategies) as [StrategyName, ...StrategyName[]];

export function isStrategyName(name: string): name is StrategyName {
  return Object.hasOwn(strategies, name);
}
