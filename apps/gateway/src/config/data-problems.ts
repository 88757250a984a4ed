import { isReachable, teamsOf } from "@signalbox/router";
import type { Config } from "./config.ts";
import type { Problem } from "./problems.ts";

/** What teams with `data: local_only` can certainly never be answered by: names and rules that lead to hosted backends alone. */
export function dataProblems({ policy, privacy, teams }: Config): Problem[] {
  const names = [...(teams?.keys() ?? [])];
  const local = names.filter((name) => privacy.keepsLocal(name));
  if (local.length === 0) return [];
  const own = privacy.policyOf(local[0]);
  const ofTeams = local.flatMap((team): Problem[] => {
    const allowed = teams?.get(team)?.models;
    const asked = [...(allowed ?? [...own.models.keys(), "auto"])];
    const lost = asked.filter((name) => !isReachable(own, name));
    const path = ["teams", team, allowed === undefined ? "data" : "models"];
    if (lost.length === asked.length) {
      const message = `«${team}» can use no model: all that it may ask for run on hosted backends, and its data is local_only`;
      return [{ path, message }];
    }
    if (allowed === undefined || lost.length === 0) return [];
    const message = `«${team}» can never use ${lost.map((name) => `«${name}»`).join(", ")}: hosted backends only, and its data is local_only`;
    return [{ path, message }];
  });
  const ofRules = policy.rules.flatMap((rule, index): Problem[] => {
    const matched = teamsOf(rule, names);
    if (matched.length === 0 || isReachable(own, rule.use) || !matched.every((name) => local.includes(name))) return [];
    const whose = matched.length === 1 ? `the data of «${matched[0]}» is` : `the data of ${matched.join(", ")} is`;
    const message = `«${rule.use}» runs on hosted backends only, and ${whose} local_only`;
    return [{ path: ["routing", index, "use"], message }];
  });
  return [...ofTeams, ...ofRules];
}
