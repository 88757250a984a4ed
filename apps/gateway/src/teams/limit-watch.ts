import type { Team } from "../config/config.ts";
import type { Metrics } from "../signals/metrics.ts";
import type { TeamLabels } from "../signals/team-labels.ts";
import { limitQuotas, type Quota } from "./quota.ts";

export interface LimitWatchOptions {
  readonly book: {
    /** What counts against each of these now. Rejects when nobody knows. */
    usedOf(quotas: readonly Quota[]): Promise<readonly number[]>;
  };
  readonly metrics: Pick<Metrics, "gauge" | "reset">;
  readonly teams: Pick<TeamLabels, "of">;
}

/** Asked for at once: a shared store answers nobody else meanwhile. */
const ASKED_AT_ONCE = 100;

/** Shows how much of their own limits teams use. */
export class LimitWatch {
  readonly #options: LimitWatchOptions;
  #owned: readonly { readonly team: string; readonly quota: Quota }[] = [];
  #looking = false;

  constructor(options: LimitWatchOptions) {
    this.#options = options;
  }

  /** Looks after the limits of these teams from now on. */
  follow(teams: Iterable<Team>): void {
    this.#owned = [...teams].flatMap((team) => limitQuotas(team).map((quota) => ({ team: team.name, quota })));
  }

  /** Looks how all limits stand. Never rejects; without an answer no series is left, since nobody knows. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const owned = this.#owned;
    const used = await this.#usedOf(owned.map(({ quota }) => quota)).catch(() => undefined);
    this.#looking = false;
    const { metrics, teams } = this.#options;
    metrics.reset("signalbox_limit_used_ratio");
    if (used === undefined) return;
    owned.forEach(({ team, quota }, at) => {
      const gauge = metrics.gauge("signalbox_limit_used_ratio", { team: teams.of(team), meter: quota.meter });
      gauge.value = Math.max(gauge.value, used[at]! / quota.limit);
    });
  }

  async #usedOf(quotas: readonly Quota[]): Promise<readonly number[]> {
    const used: number[] = [];
    for (let at = 0; at < quotas.length; at += ASKED_AT_ONCE)
      used.push(...(await this.#options.book.usedOf(quotas.slice(at, at + ASKED_AT_ONCE))));
    return used;
  }
}
