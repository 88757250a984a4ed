import type { Command } from "./command.ts";
import { callsOf, exitsOf, flagMeaning, flagWords } from "./command-help.ts";
import { commands } from "./commands.ts";

/** docs/cli.md: every command with its flags and exit codes, as the commands themselves say. */
export function cliDoc(): string {
  const all = Object.entries(commands as Record<string, Command>);
  return [
    "# Command line",
    "",
    "Written by `pnpm cli` from the commands themselves. In a checkout `signalbox` is `pnpm signalbox`; in the image it is the",
    "entry point. `signalbox help` lists the commands, `signalbox COMMAND --help` shows one, `signalbox --version` the version.",
    "",
    "Results go to standard output, remarks and errors to standard error.",
    "",
    ...table(
      ["command", "what it does"],
      all.map(([name, { summary }]) => [`[\`${name}\`](#signalbox-${name})`, summary]),
    ),
    ...all.flatMap(([name, command]) => ["", ...section(name, command)]),
    "",
  ].join("\n");
}

function section(name: string, command: Command): string[] {
  return [
    `## \`signalbox ${name}\``,
    "",
    `${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`,
    "",
    "```text",
    ...callsOf(command.usage),
    "```",
    "",
    ...table(
      ["flag", "meaning"],
      Object.entries(command.flags).map(([flag, about]) => [`\`${flagWords(flag, about)}\``, flagMeaning(about)]),
    ),
    "",
    ...table(["exit code", "when"], exitsOf(command)),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)];
}
