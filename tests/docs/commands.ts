import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "../../apps/gateway/src/cli/command.ts";
import { flagWords } from "../../apps/gateway/src/cli/command-help.ts";
import { commands } from "../../apps/gateway/src/cli/commands.ts";
import { textOf } from "./markdown.ts";
import { root } from "./repository.ts";

const { scripts, packageManager } = JSON.parse(textOf("package.json")) as {
  scripts: Record<string, string>;
  packageManager: string;
};
/** What pnpm runs beside the scripts of package.json. */
const programs = ["biome", "node", "vitest", "tsc"];

/** Why a command line of a page cannot be right; undefined = nothing is known against it. */
export function wrongIn(line: string): string | undefined {
  const words = wordsOf(line);
  const wrong = ((): string | undefined => {
    if (words[0] === "npx" && words[1] !== packageManager) return `pnpm is ${packageManager}`;
    if (words[0] === "signalbox") return wrongForSignalbox(words.slice(1));
    if (words[0] !== "pnpm" && words[0] !== "npm") return undefined;
    const [, name = "", ...rest] = words;
    if (words[0] === "pnpm" && name === "signalbox") return wrongForSignalbox(rest);
    if (words[0] === "pnpm" && programs.includes(name)) return undefined;
    const script = scripts[name];
    return script === undefined ? `there is no script «${name}»` : wrongForScript(script, rest);
  })();
  return wrong === undefined ? undefined : `${line}: ${wrong}`;
}

/** The words of a command, up to what is behind it: a remark, a pipe, another command. */
function wordsOf(line: string): string[] {
  const [command = ""] = line.split(/\s+#|\s{3,}|\s+[|;&<>]/);
  return (command.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).filter((word) => word !== "\\");
}

function wrongForSignalbox([name = "", ...rest]: string[]): string | undefined {
  if (["help", "version", "COMMAND", "--version", "--help", ""].includes(name)) return undefined;
  if (!Object.hasOwn(commands, name)) return `there is no command «${name}»`;
  const command: Command = commands[name as keyof typeof commands];
  const flags = Object.entries(command.flags).map(([flag, about]) => flagWords(flag, about).split(/[ ,]/)[0]);
  const shorts = Object.values(command.flags).map(({ short }) => `-${short}`);
  for (const word of rest) {
    const [flag = ""] = word.split("=");
    if (/^-./.test(flag) && ![...flags, ...shorts, "--help"].includes(flag)) return `${name} has no ${flag}`;
  }
  const actions = actionsOf(command);
  const [action] = rest;
  if (actions.length === 0 || action === undefined || action.startsWith("-") || actions.includes(action))
    return undefined;
  return `${name} knows ${actions.join(", ")}`;
}

/** The words that may stand behind a command's name: `create`, `list` of `keys`. */
function actionsOf({ usage }: Command): string[] {
  return usage
    .split("\n")
    .flatMap((line) => (/^\S+ ([a-z|]+)(?= |$)/.exec(line)?.[1] ?? "").split("|").filter(Boolean));
}

function wrongForScript(script: string, rest: readonly string[]): string | undefined {
  const [, file = ""] = /^node (\S+\.ts)/.exec(script) ?? [];
  if (file === "") return undefined;
  const sources = sourcesFrom(file);
  for (const word of rest) {
    const [, flag] = /^--([a-z][a-z-]*)/.exec(word) ?? [];
    if (flag === undefined) continue;
    const camel = flag.replace(/-(.)/g, (_all, letter: string) => letter.toUpperCase());
    const known = [`"${flag}"`, `"--${flag}"`, `--${flag}`, `${flag}:`, `${camel}:`, `"${flag.replace(/^no-/, "")}"`];
    if (!known.some((form) => sources.includes(form))) return `${file} knows no --${flag}`;
  }
  return undefined;
}

const read = new Map<string, string>();

/** The texts of a script and of all that it imports by a path. */
function sourcesFrom(file: string): string {
  const known = read.get(file);
  if (known !== undefined) return known;
  const texts = new Map<string, string>();
  for (const todo = [file]; todo.length > 0; ) {
    const path = todo.pop() as string;
    if (texts.has(path) || !existsSync(join(root, path))) continue;
    const text = textOf(path);
    texts.set(path, text);
    for (const [, other] of text.matchAll(/from "(\.[^"]+\.ts)"/g)) todo.push(join(dirname(path), other as string));
  }
  const all = [...texts.values()].join("\n");
  read.set(file, all);
  return all;
}
