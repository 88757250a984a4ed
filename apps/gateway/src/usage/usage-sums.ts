import { dayOf, type UsageEntry } from "./usage-entry.ts";

/** What usage can be told apart by. */
export const groupings = {
  team: ({ team }) => team,
  key: ({ key }) => key,
  model: ({ model }) => model,
  backend: ({ backend }) => backend,
  endpoint: ({ endpoint }) => endpoint,
  outcome: ({ outcome }) => outcome,
  day: ({ time }) => dayOf(time),
  hour: ({ time }) => `${dayOf(time)}T${String(Math.floor(time / 3_600_000) % 24).padStart(2, "0")}`,
} as const satisfies Record<string, (entry: UsageEntry) => string>;
export type Grouping = keyof typeof groupings;

/** What many requests used. Whole numbers, exact up to 2^53 each; `cost` without end. */
export interface UsageSum {
  requests: number;
  input: number;
  output: number;
  cached: number;
  reasoning: number;
  /** In billionths of the currency. */
  cost: bigint;
  gpuMs: number;
}

/** What one group used: its values in the order of the groupings. */
export interface UsageRow extends UsageSum {
  readonly group: readonly string[];
}

const nothing = (): UsageSum => {
  return { requests: 0, input: 0, output: 0, cached: 0, reasoning: 0, cost: 0n, gpuMs: 0 };
};

/** Adds entries up by groups; holds one row for each group, however many entries come. */
export class UsageSums {
  readonly total = nothing();
  readonly #by: readonly Grouping[];
  readonly #rows = new Map<string, UsageRow>();

  constructor(by: readonly Grouping[]) {
    this.#by = by;
  }

  add(entry: UsageEntry): void {
    const group = this.#by.map((name) => groupings[name](entry));
    const key = group.join("\n");
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { group, ...nothing() };
      this.#rows.set(key, row);
    }
    addTo(row, entry);
    addTo(this.total, entry);
  }

  /** In the order of their groups' names. */
  rows(): readonly UsageRow[] {
    const keyed = [...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1));
    return keyed.map(([, row]) => row);
  }
}

function addTo(sum: UsageSum, entry: UsageEntry): void {
  sum.requests++;
  sum.input += entry.input;
  sum.output += entry.output;
  sum.cached += entry.cached;
  sum.reasoning += entry.reasoning;
  sum.cost += BigInt(entry.cost);
  sum.gpuMs += entry.gpuMs;
}

/** Billionths of the currency as a decimal number, exactly: `12.00075`. */
export function formatCost(nano: bigint): string {
  const fraction = String(nano % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${nano / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}
