import type { Team } from "../config/config.ts";
import { amountOf } from "../teams/amounts.ts";
import { periodAt } from "../teams/period.ts";
import { type BudgetQuota, budgetQuotas } from "../teams/quota.ts";
import { DAY_MS, type UsageEntry } from "./usage-entry.ts";
import { readUsageFolder } from "./usage-files.ts";

export interface RestoreOptions {
  readonly folder: string;
  readonly teams: Iterable<Team>;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Told of each budget of which something was used in its present period. */
  readonly seed: (quota: BudgetQuota, amount: number) => void;
}

/** What was read to find out what budgets have left. */
export interface Restored {
  readonly entries: number;
  /** Lines that were no entries: torn by a crash. */
  readonly torn: number;
}

interface Sum {
  readonly quota: BudgetQuota;
  readonly from: number;
  amount: number;
}

/**
 * Counts again what was used of budgets in their present periods, from the files of a ledger, so that a restart gives no
 * month back. About 3 s for a million entries; only the days since the earliest period's beginning are read.
 * @throws Error when a file cannot be read.
 */
export async function restoreBudgets({ folder, teams, now, seed }: RestoreOptions): Promise<Restored> {
  const byTeam = new Map<string, Sum[]>();
  let from = Number.POSITIVE_INFINITY;
  for (const team of teams) {
    const sums = budgetQuotas(team).map((quota): Sum => {
      return { quota, from: periodAt(now, quota.span.every).start, amount: 0 };
    });
    if (sums.length > 0) byTeam.set(team.name, sums);
    for (const sum of sums) from = Math.min(from, sum.from);
  }
  const restored = { entries: 0, torn: 0 };
  if (byTeam.size === 0) return restored;
  const onEntry = (entry: UsageEntry): void => {
    restored.entries++;
    const { input, output, cost, gpuMs, time } = entry;
    const used = { inputTokens: input, outputTokens: output, cost, gpuMs };
    for (const sum of byTeam.get(entry.team) ?? []) if (time >= sum.from) sum.amount += amountOf(sum.quota.meter, used);
  };
  const onTorn = (): void => {
    restored.torn++;
  };
  await readUsageFolder(folder, { from, until: now + DAY_MS }, { onEntry, onTorn });
  for (const { quota, amount } of [...byTeam.values()].flat()) if (amount > 0) seed(quota, amount);
  return restored;
}
