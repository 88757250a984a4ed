import { type Command, UsageError } from "./cli/command.ts";
import { callsOf, commandHelp } from "./cli/command-help.ts";
import { commands } from "./cli/commands.ts";
import { version } from "./runtime/gateway.ts";

function help(): string {
  const lines = Object.values(commands as Record<string, Command>).flatMap(({ usage, summary }) => [
    ...callsOf(usage).map((call) => `  ${call}`),
    `      ${summary}`,
  ]);
  return `signalbox ${version}: one OpenAI-compatible endpoint in front of self-hosted model servers\n\n${lines.join("\n")}\n`;
}

async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    console.log(help());
    return name === undefined ? 2 : 0;
  }
  if (name === "--version" || name === "version") {
    console.log(version);
    return 0;
  }
  if (!Object.hasOwn(commands, name))
    throw new UsageError(`there is no command «${name}»: ${Object.keys(commands).join(", ")}`);
  const command: Command = commands[name as keyof typeof commands];
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
