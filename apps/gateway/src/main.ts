#!/usr/bin/env node
import { type Command, UsageError } from "./cli/command.ts";
import { callsOf, commandHelp } from "./cli/command-help.ts";
import { health } from "./cli/health.ts";
import { version } from "./runtime/version.ts";

type Commands = Readonly<Record<string, Command>>;

/** To load all of them takes half a second: too long for what is asked every few seconds beside a busy gateway. */
async function commandsFor(name: string | undefined): Promise<Commands> {
  return name === "health" ? { health } : (await import("./cli/commands.ts")).commands;
}

function help(commands: Commands): string {
  const lines = Object.values(commands).flatMap(({ usage, summary }) => [
    ...callsOf(usage).map((call) => `  ${call}`),
    `      ${summary}`,
  ]);
  return `signalbox ${version}: one OpenAI-compatible endpoint in front of self-hosted model servers\n\n${lines.join("\n")}\n`;
}

async function main([name, ...args]: string[]): Promise<number> {
  if (name === "--version" || name === "version") {
    console.log(version);
    return 0;
  }
  const commands = await commandsFor(name);
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(help(commands));
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new UsageError(`there is no command «${name}»: ${Object.keys(commands).join(", ")}`);
  if (args.includes("--help") || args.includes("-h")) {
    console.log(commandHelp(command));
    return 0;
  }
  return command.run(args);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  const wrongWords = error instanceof UsageError || code?.startsWith("ERR_PARSE_ARGS");
  console.error(
    `signalbox: ${code === "EADDRINUSE" ? `the address is taken by another program (${message})` : message}`,
  );
  process.exitCode = wrongWords ? 2 : 1;
}
