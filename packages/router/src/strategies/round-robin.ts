import type { Strategy } from "../strategy.ts";

/** Each in its turn. */
export const roundRobin: Strategy = (candidates, { turn }) => {
  if (candidates.length < 2) return candidates;
  const first = turn % candidates.length;
  return [...candidates.slice(first), ...candidates.slice(0, first)];
};
