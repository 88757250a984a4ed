import { type Ask, amountOf, type Rule } from "./trace.ts";

/** The fullest window of one limit. */
export interface Fullest {
  readonly rule: Rule;
  /** What was admitted in it for certain. */
  readonly most: number;
  /** How far that is over the limit, in percent of it; 0 when it is not. */
  readonly overPct: number;
  /** When that window begins; with the loss of Redis, by how long after it. */
  readonly at: number;
  /** How much of the window lies between sending and decision, in percent, the median: so exact is what is certain. */
  readonly blindPct: number;
}

/**
 * The fullest window of each limit. When a decision was made is only known to lie between `sentAt` and `decidedBy`, so a
 * request counts in a window only when both do: a limiter that never exceeds a limit is never said to. Windows that end
 * before `from` are not looked at.
 */
export function fullestWindows(asks: readonly Ask[], from = Number.NEGATIVE_INFINITY): readonly Fullest[] {
  return [...byRule(asks)].map(([rule, all]) => {
    const admitted = all.filter(({ sentAt, endedAt }) => Math.max(sentAt + rule.windowMs, endedAt) >= from);
    const { most, at } = rule.meter === "concurrent" ? mostAtOnce(admitted) : mostInWindow(rule, admitted);
    const overPct = Math.max(0, ((most - rule.limit) / rule.limit) * 100);
    return { rule, most, at, overPct, blindPct: blindShare(rule, admitted) };
  });
}

function byRule(asks: readonly Ask[]): ReadonlyMap<Rule, Ask[]> {
  const found = new Map<Rule, Ask[]>();
  for (const ask of asks) {
    if (!ask.admitted) continue;
    for (const rule of ask.rules) {
      const list = found.get(rule);
      if (list === undefined) found.set(rule, [ask]);
      else list.push(ask);
    }
  }
  return found;
}

function mostInWindow(rule: Rule, admitted: readonly Ask[]): { most: number; at: number } {
  const sorted = admitted.toSorted((a, b) => a.sentAt - b.sentAt);
  let best = { most: 0, at: 0 };
  for (let first = 0; first < sorted.length; first++) {
    const at = sorted[first]!.sentAt;
    const end = at + rule.windowMs;
    let most = 0;
    for (let index = first; index < sorted.length && sorted[index]!.sentAt < end; index++) {
      const ask = sorted[index]!;
      if (ask.decidedBy < end) most += amountOf(rule, ask);
    }
    if (most > best.most) best = { most, at };
  }
  return best;
}

/** A slot is held for certain from when an engine has the request until its answer ends. */
function mostAtOnce(admitted: readonly Ask[]): { most: number; at: number } {
  const steps = admitted.flatMap(({ decidedBy, endedAt }) =>
    endedAt > decidedBy
      ? [
          { at: decidedBy, by: 1 },
          { at: endedAt, by: -1 },
        ]
      : [],
  );
  // One that ends as another begins makes room for it.
  steps.sort((a, b) => a.at - b.at || a.by - b.by);
  let held = 0;
  let best = { most: 0, at: 0 };
  for (const { at, by } of steps) {
    held += by;
    if (held > best.most) best = { most: held, at };
  }
  return best;
}

function blindShare({ windowMs }: Rule, admitted: readonly Ask[]): number {
  if (windowMs === 0 || admitted.length === 0) return 0;
  const widths = admitted.map(({ sentAt, decidedBy }) => decidedBy - sentAt).sort((a, b) => a - b);
  return (widths[widths.length >> 1]! / windowMs) * 100;
}
