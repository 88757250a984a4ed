import type { Config } from "../config/config.ts";
import type { Metrics } from "../signals/metrics.ts";
import type { RequestLog } from "../signals/request-log.ts";
import type { TeamLabels } from "../signals/team-labels.ts";
import type { OpenStore } from "../store/open-store.ts";
import { LimitWatch } from "../teams/limit-watch.ts";
import { BudgetWatch } from "./budget-watch.ts";
import { createFileLedger } from "./file-ledger.ts";
import type { Ledger } from "./ledger.ts";
import { createRedisLedger } from "./redis-ledger.ts";
import { restoreBudgets } from "./restore-budgets.ts";

/** How often it is looked how budgets stand. */
const LOOK_MS = 5000;

/** What is written down of usage, and who is told. */
export interface Accounting {
  /** Undefined = nothing is written down. */
  readonly ledger: Ledger | undefined;
  readonly budgets: BudgetWatch;
  /** Goes by another config; where usage is written stays as it was. */
  follow(config: Config): void;
  /** Resolves when all is written down. */
  close(): Promise<void>;
}

export interface AccountingOptions {
  readonly config: Config;
  readonly store: Pick<OpenStore, "usedOf" | "isFirst" | "seed" | "connection">;
  readonly metrics: Metrics;
  readonly teams: TeamLabels;
  readonly log: RequestLog;
}

/** Opens the ledger, and counts again what budgets have used before a restart. */
export async function openAccounting(options: AccountingOptions): Promise<Accounting> {
  const { config, store, metrics, teams, log } = options;
  const { folder } = config.usage;
  const ledger = openLedger(options);
  const budgets = new BudgetWatch({ book: store, wallNow: Date.now, metrics, teams, log });
  const limits = new LimitWatch({ book: store, metrics, teams });
  const follow = (followed: Config): void => {
    budgets.follow(followed.teams?.values() ?? []);
    limits.follow(followed.teams?.values() ?? []);
    void limits.look();
  };
  follow(config);
  if (folder !== undefined && store.seed !== undefined) await restore(folder, store.seed, options);
  else if (store.seed !== undefined && hasBudgets(config))
    log.warn("budgets begin anew with each start: name a usage.folder, or share a Redis");
  await budgets.look(true);
  const dropped = metrics.counter("signalbox_usage_entries_dropped_total", {});
  const looking = setInterval(() => {
    void budgets.look();
    void limits.look();
    dropped.value = ledger?.dropped ?? 0;
  }, LOOK_MS).unref();
  return {
    ledger,
    budgets,
    follow(next) {
      follow(next);
      void budgets.look();
    },
    async close() {
      clearInterval(looking);
      await ledger?.close();
    },
  };
}

/** In files where a folder is named, else where all replicas count. */
function openLedger({ config, store, log }: AccountingOptions): Ledger | undefined {
  const { folder, keepDays } = config.usage;
  const onProblem = (problem: string): void => log.warn("usage cannot be written down", { folder, problem });
  if (folder !== undefined) return createFileLedger({ folder, keepDays, onProblem });
  return store.connection && createRedisLedger({ connection: store.connection, keepDays, onProblem });
}

const hasBudgets = ({ teams }: Config): boolean =>
  [...(teams?.values() ?? [])].some(({ budgets = [] }) => budgets.length > 0);

async function restore(
  folder: string,
  seed: NonNullable<OpenStore["seed"]>,
  { config, log }: AccountingOptions,
): Promise<void> {
  const began = performance.now();
  try {
    const teams = config.teams?.values() ?? [];
    const { days, entries, torn } = await restoreBudgets({ folder, teams, now: Date.now(), seed });
    if (torn > 0) log.warn("usage files hold lines that are torn, which were left out", { folder, lines: torn });
    if (days > 0) log.info("budgets restored", { days, entries, ms: Math.round(performance.now() - began) });
  } catch (error) {
    log.warn("budgets begin anew: the usage files cannot be read", { folder, error: String(error) });
  }
}
