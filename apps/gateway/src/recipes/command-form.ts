import { headOf } from "./policy-form.ts";
import type { Flag, Recipe } from "./recipe.ts";

/** A shell script that launches the engine and stays with it; ends when it does. */
export function commandForm(recipe: Recipe): string {
  const { environment, before, program, flags, after } = recipe.launch;
  const server = program === undefined ? undefined : [program.join(" "), ...flags.map(inShell)].join(" \\\n  ");
  const lines = [
    "#!/bin/sh",
    ...headOf(recipe),
    "set -eu",
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${value}`),
    ...before,
    ...(server === undefined ? [] : after === undefined ? [`exec ${server}`] : backgrounded(server, after)),
  ];
  return `${lines.join("\n")}\n`;
}

/** SIGTERM to the script reaches the engine. */
function backgrounded(server: string, { ready, run }: NonNullable<Recipe["launch"]["after"]>): string[] {
  return [`${server} &`, `trap 'kill $!' INT TERM`, `until ${ready} > /dev/null 2>&1; do sleep 1; done`, run, "wait"];
}

/** The words of a server's command line, as it is given to the system without a shell. */
export function commandWords({ program = [], flags }: Pick<Recipe["launch"], "program" | "flags">): string[] {
  return [...program, ...flags.flat()];
}

const inShell = (flag: Flag): string => flag.join(" ");
