import type { BudgetMeter, Team } from "../config/config.ts";
import type { Period } from "../config/units.ts";
import type { Metrics } from "../signals/metrics.ts";
import type { RequestLog } from "../signals/request-log.ts";
import type { TeamLabels } from "../signals/team-labels.ts";
import { periodAt } from "../teams/period.ts";
import { type BudgetQuota, budgetQuotas, type Quota } from "../teams/quota.ts";

/** Where it is known how much of budgets is used: the store of the limits. */
export interface BudgetBook {
  /** What counts against each of these now. Rejects when nobody knows. */
  usedOf(quotas: readonly BudgetQuota[]): Promise<readonly number[]>;
  /** True for the first who asks by this name, in whichever replica, for so many milliseconds. */
  isFirst(name: string, ms: number): Promise<boolean>;
}

export interface BudgetWatchOptions {
  readonly book: BudgetBook;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly metrics: Pick<Metrics, "counter" | "gauge" | "reset">;
  readonly teams: Pick<TeamLabels, "of">;
  readonly log: Pick<RequestLog, "warn">;
}

/** How a budget stands. */
export interface BudgetLevel {
  readonly team: string;
  readonly meter: BudgetMeter;
  readonly period: Period;
  /** In the meter's smallest unit. */
  readonly limit: number;
  readonly used: number;
  /** What is left was too little for a request. */
  readonly refuses: boolean;
  /** Milliseconds since 1970. */
  readonly resetsAt: number;
}

/** Of a budget: its owner hears when so much of it is used. */
export const budgetPercents = [50, 80, 100] as const;

/** Tells of budgets that are used up to 50, 80 and 100 %: once for each threshold and period. */
export class BudgetWatch {
  /** As they stood at the last look. */
  levels: readonly BudgetLevel[] = [];
  readonly #options: BudgetWatchOptions;
  /** When the period ends in which a request was refused, by the budget's id. */
  readonly #refused = new Map<string, number>();
  /** The highest threshold that was told, by the budget's id and the end of its period. */
  #told = new Map<string, number>();
  #looking = false;
  #owned: readonly { readonly team: string; readonly quota: BudgetQuota }[] = [];

  constructor(options: BudgetWatchOptions) {
    this.#options = options;
  }

  /** Looks after the budgets of these teams from now on. */
  follow(teams: Iterable<Team>): void {
    this.#owned = [...teams].flatMap((team) => budgetQuotas(team).map((quota) => ({ team: team.name, quota })));
  }

  /** A request was refused, since its estimate is more than what is left of a budget. */
  refused({ id, span }: Quota): void {
    if (span.kind === "period") this.#refused.set(id, periodAt(this.#options.wallNow(), span.every).end);
  }

  /**
   * Looks how all budgets stand. `quietly`: what they have passed already was told before, by a process that is no more.
   * Never rejects; without an answer all stays as it was.
   */
  async look(quietly = false): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      this.levels = await this.#read();
      this.#show();
      await this.#tell(quietly);
    } catch {
      // The store says itself that it cannot be reached.
    } finally {
      this.#looking = false;
    }
  }

  async #read(): Promise<BudgetLevel[]> {
    const { book, wallNow } = this.#options;
    const owned = this.#owned;
    if (owned.length === 0) return [];
    const used = await book.usedOf(owned.map(({ quota }) => quota));
    const now = wallNow();
    return owned.map(({ team, quota: { id, meter, limit, span } }, at) => {
      const resetsAt = periodAt(now, span.every).end;
      const refuses = this.#refused.get(id) === resetsAt;
      return { team, meter, period: span.every, limit, used: used[at]!, refuses, resetsAt };
    });
  }

  #show(): void {
    const { metrics, teams } = this.#options;
    metrics.reset("signalbox_budget_used_ratio");
    for (const { team, meter, period, used, limit } of this.levels) {
      const gauge = metrics.gauge("signalbox_budget_used_ratio", { team: teams.of(team), meter, period });
      // Of teams that share a label, the one that has least left.
      gauge.value = Math.max(gauge.value, used / limit);
    }
  }

  async #tell(quietly: boolean): Promise<void> {
    const told = new Map<string, number>();
    for (const level of this.levels) {
      const id = `${level.team}|${level.meter}|${level.period}|${level.resetsAt}`;
      const before = this.#told.get(id) ?? 0;
      const passed = passedBy(level);
      told.set(id, Math.max(before, passed));
      if (quietly) continue;
      for (const percent of budgetPercents)
        if (percent > before && percent <= passed) await this.#alert(id, percent, level);
    }
    this.#told = told;
  }

  async #alert(id: string, percent: number, level: BudgetLevel): Promise<void> {
    const { book, metrics, teams, log, wallNow } = this.#options;
    const { team, meter, period, resetsAt } = level;
    if (!(await book.isFirst(`${id}|${percent}`, Math.max(1, resetsAt - wallNow())))) return;
    const labels = { team: teams.of(team), meter, period, percent: String(percent) };
    metrics.counter("signalbox_budget_alerts_total", labels).value++;
    log.warn(percent === 100 ? "a budget is used up" : "a budget is being used up", {
      team,
      meter,
      period,
      percent,
      used: inUnits(meter, level.used),
      budget: inUnits(meter, level.limit),
      begins_anew: new Date(resetsAt).toISOString(),
    });
  }
}

/** The highest threshold that a budget has passed. The last bit of one is never used, where estimates no longer fit into it. */
function passedBy({ used, limit, refuses }: BudgetLevel): number {
  const passed = budgetPercents.findLast((percent) => used * 100 >= limit * percent) ?? 0;
  return refuses && passed >= 80 ? 100 : passed;
}

/** An amount in the units that people know: tokens, the currency, or seconds. */
export function inUnits(meter: BudgetMeter, amount: number): number {
  return amount / { tokens: 1, cost: 1e9, gpu_seconds: 1000 }[meter];
}
