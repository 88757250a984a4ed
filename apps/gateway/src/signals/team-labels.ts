import type { Config, Team } from "../config/config.ts";

/** The label of a name that the config does not give, so that clients cannot make series, and of teams without a label of their own. */
export const OTHER = "other";

/** Which teams have a label of their own in metrics: as many as the config allows, so that a scrape stays small. */
export class TeamLabels {
  #own: ReadonlySet<string> = new Set();

  /**
   * Goes by another config. The same config gives the same labels in every replica and after every restart: first teams
   * with a budget, then those with limits, then the others, each in the order of the file.
   */
  follow({ teams, server }: Pick<Config, "teams" | "server">): void {
    const names = teams === undefined ? [OPEN_TEAM] : ranked([...teams.values()]).map(({ name }) => name);
    this.#own = new Set(names.slice(0, server.metricTeams));
  }

  /** The label for a team; `other` where there is no team. */
  of(team: string): string {
    return this.#own.has(team) ? team : OTHER;
  }

  /** All of them, without `other`. */
  get own(): Iterable<string> {
    return this.#own;
  }
}

/** Whose requests are that show no key. */
const OPEN_TEAM = "default";

/** Those first whose series somebody waits for: alerts ask for budgets and limits by team. */
function ranked(teams: readonly Team[]): readonly Team[] {
  return teams.toSorted((one, other) => rankOf(one) - rankOf(other));
}

function rankOf({ budgets = [], limits }: Team): number {
  if (budgets.length > 0) return 0;
  return Object.keys(limits).length > 0 ? 1 : 2;
}
