import { type Ask, amountOf, type Rule } from "./trace.ts";

interface Entry {
  readonly at: number;
  amount: number;
}

/** What one limit holds: its window's entries in their order, or its slots. */
interface Count {
  readonly entries: Entry[];
  /** Entries before this have left the window. */
  first: number;
  total: number;
}

interface Ending {
  readonly at: number;
  readonly end: () => void;
}

/**
 * A limiter as a limit is meant: what was admitted counts for exactly the length of the window, what was reserved beyond the
 * use is free when the answer ends, a request is admitted if and only if it fits under all its limits. Asked in the order
 * of time.
 */
export class PerfectLimiter {
  readonly #counts = new Map<Rule, Count>();
  readonly #endings: Ending[] = [];

  /** `heldMs` is how long the request is under way. */
  admit(ask: Pick<Ask, "rules" | "reserved" | "used">, at: number, heldMs: number): boolean {
    this.#endUntil(at);
    for (const rule of ask.rules) if (!this.#fits(rule, ask, at)) return false;
    const undo = ask.rules.map((rule) => this.#take(rule, ask, at));
    const ending = { at: at + heldMs, end: () => undo.forEach((settle) => void settle()) };
    this.#endings.splice(placeOf(this.#endings, ending.at), 0, ending);
    return true;
  }

  #fits(rule: Rule, ask: Pick<Ask, "reserved">, at: number): boolean {
    const count = this.#countOf(rule, at);
    return count.total + reservedOf(rule, ask) <= rule.limit;
  }

  #take(rule: Rule, ask: Pick<Ask, "reserved" | "used">, at: number): () => void {
    const count = this.#countOf(rule, at);
    const entry: Entry = { at, amount: reservedOf(rule, ask) };
    count.total += entry.amount;
    if (rule.meter === "concurrent") return () => void count.total--;
    count.entries.push(entry);
    const place = count.entries.length - 1;
    return () => {
      if (place < count.first) return;
      const settled = amountOf(rule, ask);
      count.total += settled - entry.amount;
      entry.amount = settled;
    };
  }

  #countOf(rule: Rule, at: number): Count {
    let count = this.#counts.get(rule);
    if (count === undefined) {
      count = { entries: [], first: 0, total: 0 };
      this.#counts.set(rule, count);
    }
    while (count.first < count.entries.length && count.entries[count.first]!.at <= at - rule.windowMs) {
      count.total -= count.entries[count.first++]!.amount;
    }
    return count;
  }

  #endUntil(at: number): void {
    while (this.#endings.length > 0 && this.#endings[0]!.at <= at) this.#endings.shift()!.end();
  }
}

/** No estimate is above the limit: such a request could never be admitted. */
function reservedOf(rule: Rule, { reserved }: Pick<Ask, "reserved">): number {
  return rule.meter === "tokens" ? Math.min(reserved, rule.limit) : 1;
}

function placeOf(endings: readonly Ending[], at: number): number {
  let [low, high] = [0, endings.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endings[middle]!.at <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}
