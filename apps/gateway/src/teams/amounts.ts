import type { Claim, Used } from "./limits.ts";
import type { Meter, Quota } from "./quota.ts";

// An engine may say that a reply took any number of tokens: sums of these stay whole numbers that a double holds.
const MAX_AMOUNT = 1e12;

/** What something that took `used` counts by a meter: a whole number of at least 0. */
export function amountOf(meter: Meter, used: Used): number {
  switch (meter) {
    case "requests":
    case "concurrent":
      return 1;
    case "tokens":
      return whole(used.inputTokens) + whole(used.outputTokens);
    case "input_tokens":
      return whole(used.inputTokens);
    case "output_tokens":
      return whole(used.outputTokens);
    case "cost":
      return whole(used.cost);
    case "gpu_seconds":
      return whole(used.gpuMs);
  }
}

/**
 * What a claim reserves of each of its quotas: its estimates, capped at the smallest limit of their meter. A quota whose
 * limit is 0 (a share of nothing) is still asked for 1, which does not fit.
 */
export function estimatesOf(claim: Claim, limitOf: (quota: Quota) => number): number[] {
  const { quotas } = claim;
  const amounts: number[] = [];
  for (const { meter } of quotas) {
    let amount = amountOf(meter, claim);
    // Nobody knows beforehand for how long a GPU will work; when its time is spent, the next request is one too many.
    if (meter === "gpu_seconds" && amount === 0) amount = 1;
    for (const other of quotas) {
      if (other.meter !== meter) continue;
      const limit = limitOf(other);
      if (limit < amount) amount = Math.max(1, limit);
    }
    amounts.push(amount);
  }
  return amounts;
}

/** A whole number of at least 0, whatever an engine said. */
export function whole(value: number): number {
  const amount = Math.ceil(value);
  return amount > 0 ? Math.min(amount, MAX_AMOUNT) : 0;
}
