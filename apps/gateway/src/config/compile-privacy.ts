import { localPolicy, type Policy } from "@signalbox/router";
import type { ConfigFile } from "./schema.ts";

/** What becomes of a team's data. */
export interface Privacy {
  /**
   * What the requests of a team are decided by. That of a team with `data: local_only` holds no hosted deployment, so that
   * nothing that is made of it can reach one. Undefined, or a team that the file does not have = the whole policy.
   */
  policyOf(team: string | undefined): Policy;
  /** May the team's requests not go to hosted backends? */
  keepsLocal(team: string): boolean;
}

/** The privacy settings of a file. */
export function compilePrivacy(file: ConfigFile, policy: Policy): Privacy {
  const teams = Object.entries(file.teams ?? {});
  const local = new Set(teams.flatMap(([name, { data }]) => (data === "local_only" ? [name] : [])));
  const own = local.size === 0 ? policy : localPolicy(policy);
  return Object.freeze({
    policyOf: (team: string | undefined) => (team !== undefined && local.has(team) ? own : policy),
    keepsLocal: (team: string) => local.has(team),
  });
}
