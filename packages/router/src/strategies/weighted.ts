import type { Strategy } from "../strategy.ts";

/**
 * A random order in which a deployment of weight 3 comes first three times as often as one of weight 1. Weight 0 comes
 * last: it is there for when nothing else is.
 */
export const weighted: Strategy = (candidates, { random }) => {
  if (candidates.length < 2) return candidates;
  // Exponential arrival times: the smallest is candidate i with probability weight i / sum of weights.
  const arrivals = candidates.map((candidate) => {
    const { weight } = candidate.deployment;
    return { candidate, at: weight > 0 ? -Math.log(1 - random()) / weight : Number.POSITIVE_INFINITY };
  });
  arrivals.sort((a, b) => (a.at === b.at ? 0 : a.at - b.at));
  return arrivals.map(({ candidate }) => candidate);
};
