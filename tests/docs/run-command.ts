import type { Command } from "../../apps/gateway/src/cli/command.ts";
import { commands } from "../../apps/gateway/src/cli/commands.ts";

/** Runs a command of `signalbox` in this process; gives the lines that it prints, on both outputs, in their order. */
export async function runCommand(name: keyof typeof commands, ...args: readonly string[]): Promise<string[]> {
  const command: Command = commands[name];
  let printed = "";
  const { log, error } = console;
  const outputs = [process.stdout, process.stderr] as const;
  const writes = outputs.map((output) => output.write);
  console.log = console.error = (...words: unknown[]) => {
    printed += `${words.join(" ")}\n`;
  };
  for (const output of outputs) {
    output.write = (text: string | Uint8Array) => {
      printed += String(text);
      return true;
    };
  }
  try {
    await command.run([...args]);
  } finally {
    Object.assign(console, { log, error });
    outputs.forEach((output, index) => {
      output.write = writes[index] as typeof output.write;
    });
  }
  return printed.split("\n");
}
