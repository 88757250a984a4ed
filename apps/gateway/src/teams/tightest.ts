import type { Allowance, LimitState } from "./limits.ts";
import type { Meter, Quota } from "./quota.ts";

/** Which of the two things that a client is told of a meter bears on; undefined = neither. */
export function allowanceOf(meter: Meter): "requests" | "tokens" | undefined {
  if (meter === "requests") return "requests";
  return meter === "tokens" || meter === "input_tokens" || meter === "output_tokens" ? "tokens" : undefined;
}

/** How the limits with the least left stand: what a client does well to look at. `leftOf` may be below 0. */
export function tightest(
  quotas: readonly Quota[],
  limitOf: (quota: Quota) => number,
  leftOf: (quota: Quota) => number,
  resetOf: (quota: Quota) => number,
): LimitState {
  const state: { requests?: Allowance; tokens?: Allowance } = {};
  for (const name of ["requests", "tokens"] as const) {
    let least = Number.POSITIVE_INFINITY;
    let found: Quota | undefined;
    for (const quota of quotas) {
      if (allowanceOf(quota.meter) !== name) continue;
      const left = leftOf(quota);
      if (left >= least) continue;
      least = left;
      found = quota;
    }
    if (found !== undefined)
      state[name] = { limit: limitOf(found), remaining: Math.max(0, least), resetMs: resetOf(found) };
  }
  return state;
}
