import { vi } from "vitest";
import { type Command, UsageError } from "../cli/command.ts";

/** What a command printed on both outputs, and its exit code. */
export interface CommandRun {
  readonly out: string;
  readonly code: number;
}

/** Runs a command of `signalbox` in this process: a process of its own takes seconds where all cores are busy with tests. */
export async function runCommand(command: Command, ...args: readonly string[]): Promise<CommandRun> {
  const lines: string[] = [];
  const spies = (["log", "error"] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation((line: string) => void lines.push(line)),
  );
  try {
    const code = await command.run([...args]).catch((error: Error) => {
      lines.push(error.message);
      return error instanceof UsageError ? 2 : 1;
    });
    return { out: lines.join("\n"), code };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
