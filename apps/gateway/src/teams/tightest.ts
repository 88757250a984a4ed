import type { Allowance, LimitState } from "./limits.ts";
import type { Meter, Quota } from "./quota.ts";

/** Which of a client's two allowances a quota bears on; -1 = neither. */
export function kindOfAllowance(meter: Meter): -1 | 0 | 1 {
  if (meter === "requests") return 0;
  return meter === "tokens" || meter === "input_tokens" || meter === "output_tokens" ? 1 : -1;
}

/** How the limits with the least left stand: what a client does well to look at. `leftOf` may be below 0. */
export function tightest(
  quotas: readonly Quota[],
  limitOf: (quota: Quota) => number,
  leftOf: (quota: Quota, limit: number) => number,
  resetOf: (quota: Quota) => number,
): LimitState {
  const found: (Quota | undefined)[] = [];
  const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const quota of quotas) {
    const kind = kindOfAllowance(quota.meter);
    if (kind < 0) continue;
    const left = leftOf(quota, limitOf(quota));
    if (left >= least[kind]!) continue;
    least[kind] = left;
    found[kind] = quota;
  }
  const allowance = (kind: 0 | 1): Allowance | undefined => {
    const quota = found[kind];
    return quota && { limit: limitOf(quota), remaining: Math.max(0, least[kind]!), resetMs: resetOf(quota) };
  };
  const [requests, tokens] = [allowance(0), allowance(1)];
  return { ...(requests && { requests }), ...(tokens && { tokens }) };
}
