import { combinePolicies, createGuard, type Guard, type GuardPolicy } from "@signalbox/adapter";
import type { GuardSection } from "./guard-schema.ts";
import type { ConfigFile } from "./schema.ts";

/** What tool calls are held to, by who answers and who asked. */
export interface Guards {
  /** The guard of a model (by its own name, not an alias) and a team together; undefined = every call passes. */
  of(model: string, team: string): Guard | undefined;
}

/** The guards of a file: of a model and a team the stricter word counts, and the deny rules of both. */
export function compileGuards(file: ConfigFile): Guards {
  const policies = (place: "models" | "teams") =>
    new Map(
      Object.entries(file[place] ?? {}).flatMap(([name, { guard }]): [string, GuardPolicy][] =>
        guard === undefined ? [] : [[name, compilePolicy(guard, `${place}.${name}.guard`)]],
      ),
    );
  const models = policies("models");
  const teams = policies("teams");
  // Each pair once: a compiled guard is kept for as long as the config is.
  const guards = new Map<string, Guard | undefined>();
  return {
    of(model, team) {
      const parts = [models.get(model), teams.get(team)].filter((policy) => policy !== undefined);
      if (parts.length === 0) return undefined;
      const key = `${model} ${team}`;
      if (!guards.has(key)) guards.set(key, createGuard(combinePolicies(...parts)));
      return guards.get(key);
    },
  };
}

function compilePolicy(guard: GuardSection, path: string): GuardPolicy {
  return {
    schema: guard.schema,
    undeclared: guard.undeclared,
    deny: guard.deny.map(({ name, tool, when = [], action }, index) => ({
      label: name ?? `${path}.deny.${index}`,
      tool,
      when: when.map(({ argument, matches, ignore_case }) => ({ argument, matches, ignoreCase: ignore_case })),
      action,
    })),
  };
}
