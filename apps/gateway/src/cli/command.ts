/** One command of `signalbox`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** How it is called, without the program's name. */
  readonly usage: string;
  /** Runs it; resolves with the exit code. */
  run(args: string[]): Promise<number>;
}

/** Wrong words on the command line: shown with the command's usage, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
