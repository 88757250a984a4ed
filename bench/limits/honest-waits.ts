import { type Ask, amountOf, type Rule } from "./trace.ts";

/** How far the waits that were told with refusals hold. */
export interface HonestWaits {
  readonly refused: number;
  /** Of those the share that would be admitted when they come back as told, if nothing else came; in percent. */
  readonly keptPct: number;
  /** The share that were told to wait longer than they had to, by more than the second that is rounded up and 2 % of the window. */
  readonly tooLongPct: number;
}

const ROUNDED_MS = 1000;
const SLACK = 0.02;

/**
 * Holds each wait against what had been admitted before the refusal, and what that took in the end. Only of requests that
 * count against windows alone: nobody knows when a slot is free.
 */
export function honestWaits(asks: readonly Ask[]): HonestWaits {
  const windows = windowsOf(asks);
  let [refused, kept, tooLong] = [0, 0, 0];
  for (const ask of asks) {
    const { admitted, retryAfterMs, rules } = ask;
    if (admitted || retryAfterMs === undefined || rules.some(({ windowMs }) => windowMs === 0)) continue;
    refused++;
    const fits = (afterMs: number): boolean => rules.every((rule) => windows.get(rule)?.fits(ask, afterMs) ?? true);
    if (fits(retryAfterMs)) kept++;
    const slackMs = ROUNDED_MS + SLACK * Math.max(...rules.map(({ windowMs }) => windowMs));
    if (retryAfterMs > slackMs && fits(retryAfterMs - slackMs)) tooLong++;
  }
  const percent = (part: number): number => (refused === 0 ? 0 : (part / refused) * 100);
  return { refused, keptPct: refused === 0 ? 100 : percent(kept), tooLongPct: percent(tooLong) };
}

function windowsOf(asks: readonly Ask[]): ReadonlyMap<Rule, Window> {
  const admitted = asks.filter((ask) => ask.admitted).sort((a, b) => a.sentAt - b.sentAt);
  const rules = new Set(admitted.flatMap((ask) => ask.rules));
  return new Map(
    [...rules].map((rule) => [
      rule,
      new Window(
        rule,
        admitted.filter((ask) => ask.rules.includes(rule)),
      ),
    ]),
  );
}

/** What was admitted under one limit, with sums up to each. */
class Window {
  readonly #rule: Rule;
  readonly #times: readonly number[];
  readonly #sums: readonly number[];

  constructor(rule: Rule, admitted: readonly Ask[]) {
    this.#rule = rule;
    this.#times = admitted.map(({ sentAt }) => sentAt);
    let sum = 0;
    this.#sums = [0, ...admitted.map((ask) => (sum += amountOf(rule, ask)))];
  }

  /** Would a refused request fit so much later, when nothing has come since? */
  fits(ask: Ask, afterMs: number): boolean {
    const { limit, windowMs, meter } = this.#rule;
    const left = this.#upTo(ask.decidedBy + afterMs - windowMs);
    const used = this.#upTo(ask.decidedBy) - left;
    const amount = meter === "tokens" ? Math.min(ask.reserved, limit) : 1;
    return used + amount <= limit;
  }

  #upTo(at: number): number {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#times[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return this.#sums[low]!;
  }
}
