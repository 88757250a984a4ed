import { localPolicy, type Policy } from "@signalbox/router";
import { createRedaction, type Redaction } from "../privacy/redaction.ts";
import type { ConfigFile } from "./schema.ts";

/** What is written down of a team's requests: nothing, a line without their words, or a line with prompt and answer. */
export type TeamLog = "none" | "metadata" | "full";

/** What becomes of a team's data. */
export interface Privacy {
  /**
   * What the requests of a team are decided by. That of a team with `data: local_only` holds no hosted deployment, so that
   * nothing that is made of it can reach one. Undefined, or a team that the file does not have = the whole policy.
   */
  policyOf(team: string | undefined): Policy;
  /** May the team's requests not go to hosted backends? */
  keepsLocal(team: string): boolean;
  logOf(team: string): TeamLog;
  /** The teams whose prompts and answers are logged. */
  readonly fullTeams: readonly string[];
  /** What is taken out of these. */
  readonly redaction: Redaction;
}

/** The privacy settings of a file. */
export function compilePrivacy(file: ConfigFile, policy: Policy): Privacy {
  const teams = Object.entries(file.teams ?? {});
  const local = new Set(teams.flatMap(([name, { data }]) => (data === "local_only" ? [name] : [])));
  const logs = new Map(teams.flatMap(([name, { log }]) => (log === "metadata" ? [] : [[name, log] as const])));
  const own = local.size === 0 ? policy : localPolicy(policy);
  return Object.freeze({
    policyOf: (team: string | undefined) => (team !== undefined && local.has(team) ? own : policy),
    keepsLocal: (team: string) => local.has(team),
    logOf: (team: string) => logs.get(team) ?? "metadata",
    fullTeams: teams.flatMap(([name, { log }]) => (log === "full" ? [name] : [])),
    redaction: createRedaction(
      file.server.redact.map((one) =>
        typeof one === "string" ? one : { name: one.name, matches: one.matches, ignoreCase: one.ignore_case },
      ),
    ),
  });
}
