import type { Command, Flag } from "./command.ts";
import { textTable } from "./text-table.ts";

/** What `signalbox COMMAND --help` prints. */
export function commandHelp({ usage, summary, flags, exits }: Command): string {
  const flagRows = Object.entries(flags).map(([name, flag]) => [flagWords(name, flag), flagMeaning(flag)]);
  const exitRows = exitsOf({ exits }).map(([code, when]) => [`exit ${code}`, when]);
  const lines = textTable([...flagRows, ...exitRows]).map((line) => `  ${line.replaceAll("`", "")}`);
  return [...callsOf(usage), `    ${summary}`, "", ...lines].join("\n");
}

/** Every way to call a command, with the program's name. */
export function callsOf(usage: string): string[] {
  return usage.split("\n").map((line) => `signalbox ${line}`);
}

/** `--config FILE, -c`; a switch that is on unless told otherwise is shown as what turns it off. */
export function flagWords(name: string, { type, default: value, value: placeholder, short }: Flag): string {
  const long = type === "boolean" && value === true ? `--no-${name}` : `--${name}`;
  return `${long}${placeholder === undefined ? "" : ` ${placeholder}`}${short === undefined ? "" : `, -${short}`}`;
}

/** Its sentence, with the default where there is one and whether it may be given again. */
export function flagMeaning({ meaning, default: value, multiple }: Flag): string {
  const words = typeof value === "string" ? `${meaning} \`${value}\` unless given.` : meaning;
  return multiple && !words.includes("again") ? `${words} May be given again.` : words;
}

/** Exit codes in their order, with that of wrong words. */
export function exitsOf({ exits }: Pick<Command, "exits">): [code: string, when: string][] {
  return Object.entries({ ...exits, 2: "wrong words on the command line, or a file that cannot be read" });
}
