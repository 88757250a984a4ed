import { busyness } from "../busyness.ts";
import type { Candidate, Strategy } from "../strategy.ts";

/**
 * Two at random, the less busy of them first; the rest in random order. Almost as even as `least_busy`, and many gateways
 * that see the same old load figures do not all run to the same backend.
 */
export const twoChoices: Strategy = (candidates, { random }) => {
  if (candidates.length < 2) return candidates;
  const shuffled: Candidate[] = [...candidates];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const candidate = shuffled[last]!;
    shuffled[last] = shuffled[other]!;
    shuffled[other] = candidate;
  }
  const [one, two, ...rest] = shuffled as [Candidate, Candidate, ...Candidate[]];
  return busyness(two) < busyness(one) ? [two, one, ...rest] : shuffled;
};
