import { UNTIL_SOMETHING_ENDS } from "./counters.ts";
import type { Refusal } from "./limits.ts";
import { periodAt } from "./period.ts";
import type { Meter, Quota } from "./quota.ts";

/** Why a quota has no room, as a store found it. */
export interface Shortage {
  readonly quota: Quota;
  /** The quota's, or this replica's share of it. */
  readonly limit: number;
  /** Milliseconds until there is room, or UNTIL_SOMETHING_ENDS. */
  readonly waitMs: number;
  /** How long one slot was held of late, in milliseconds; 0 = not known yet. */
  readonly holdMs: number;
  /** Milliseconds since 1970 by the store's clock. */
  readonly time: number;
}

/** The words for a client that was not admitted. */
export function refusalOf(shortage: Shortage): Refusal {
  const { quota, waitMs } = shortage;
  if (quota.span.kind === "period") return overBudget(shortage, quota.span.every);
  if (quota.span.kind === "held") return overConcurrency(shortage);
  const rate = `${shortage.limit} ${names[quota.meter]} in ${formatWindow(quota.span.ms)}`;
  const message = `${quota.scope}: limit of ${rate} reached; ${again(waitMs)}`;
  return { code: "rate_limit_exceeded", message, retryAfterMs: waitMs, spent: undefined };
}

function overConcurrency({ quota, limit, holdMs }: Shortage): Refusal {
  // With n requests under way that each take t, one ends every t/n.
  const retryAfterMs = Math.min(60_000, Math.max(1000, Math.ceil(holdMs / limit) || 0));
  const message = `${quota.scope}: limit of ${limit} requests at once reached; ${again(retryAfterMs)}`;
  return { code: "concurrency_limit_exceeded", message, retryAfterMs, spent: undefined };
}

function overBudget({ quota, limit, waitMs, time }: Shortage, every: keyof typeof periods): Refusal {
  const budget = `budget of ${formatAmount(quota.meter, limit)} ${names[quota.meter]} ${periods[every]}`;
  const code = "budget_exceeded";
  if (waitMs === UNTIL_SOMETHING_ENDS) {
    const message = `${quota.scope}: the rest of the ${budget} is kept for requests under way; ${again(1000)}`;
    return { code, message, retryAfterMs: 1000, spent: undefined };
  }
  // The wait is in whole milliseconds, and may reach into the next period by a part of one.
  const resets = new Date(periodAt(Math.round(time + waitMs), every).start).toISOString().replace(".000Z", "Z");
  const message = `${quota.scope}: ${budget} is spent; it begins anew at ${resets}`;
  return { code, message, retryAfterMs: waitMs, spent: quota };
}

const again = (waitMs: number): string => `try again in ${Math.ceil(waitMs / 1000)} s`;

const names = {
  requests: "requests",
  tokens: "tokens",
  input_tokens: "input tokens",
  output_tokens: "output tokens",
  concurrent: "requests at once",
  cost: "cost",
  gpu_seconds: "GPU seconds",
} as const satisfies Record<Meter, string>;

const periods = { day: "this day", week: "this week", month: "this month" } as const;

function formatAmount(meter: Meter, amount: number): number {
  if (meter === "cost") return amount / 1e9;
  return meter === "gpu_seconds" ? amount / 1000 : amount;
}

function formatWindow(ms: number): string {
  if (ms === 86_400_000) return "1 day";
  if (ms === 3_600_000) return "1 hour";
  return ms === 60_000 ? "1 min" : `${ms / 1000} s`;
}
