import type { Recipe } from "../../apps/gateway/src/recipes/recipe.ts";

/** Flags whose value is one of a list that the help shows. */
const listed = new Set(["--tool-call-parser"]);

/**
 * Flags of recipes, in a container's command too, that an engine's help does not name, and values that are not in the
 * list that it shows: `--tool-call-parser hermes`.
 */
export function unknownFlags(help: string, recipes: readonly Recipe[]): string[] {
  const flags = recipes.flatMap(({ launch }) => [...launch.flags, ...(launch.container?.flags ?? [])]);
  const unknown = flags.flatMap(([name, value]) => {
    if (!names(help, name)) return [name];
    return value === undefined || !listed.has(name) || lists(help, name, value) ? [] : [`${name} ${value}`];
  });
  return [...new Set(unknown)];
}

/** A whole word of the help: `--port` is not named by `--port-range`. */
function names(help: string, flag: string): boolean {
  return new RegExp(String.raw`(^|[\s,[])${flag}(?![\w-])`, "m").test(help);
}

function lists(help: string, flag: string, value: string): boolean {
  const [, choices] = new RegExp(String.raw`${flag} \{([^}]*)\}`).exec(help) ?? [];
  return choices?.split(",").includes(value) ?? false;
}
