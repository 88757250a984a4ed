import { busyness } from "../busyness.ts";
import type { Strategy } from "../strategy.ts";

/** The least busy first, relative to capacity; a loaded model before one that must be loaded. Equals take turns. */
export const leastBusy: Strategy = (candidates, { turn }) => {
  if (candidates.length < 2) return candidates;
  const first = turn % candidates.length;
  const scored = candidates.map((_, index) => {
    const candidate = candidates[(first + index) % candidates.length]!;
    return { candidate, busy: busyness(candidate) };
  });
  scored.sort((a, b) => a.busy - b.busy);
  return scored.map(({ candidate }) => candidate);
};
