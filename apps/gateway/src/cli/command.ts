/** One command of `signalbox`. Its words are what `--help` shows and what docs/cli.md is written from. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** How it is called, without the program's name: one line for each way. Names every flag. */
  readonly usage: string;
  readonly flags: Flags;
  /** When it ends with which exit code; wrong words on the command line are 2 everywhere and not named here. */
  readonly exits: Readonly<Record<number, string>>;
  /** Runs it; resolves with the exit code. */
  run(args: string[]): Promise<number>;
}

/** One flag: as `parseArgs` takes it, and what is said of it. */
export interface Flag {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
  readonly default?: string | boolean;
  /** What stands behind it, in capitals: `FILE`. Of texts alone. */
  readonly value?: string;
  /** A sentence in Markdown. */
  readonly meaning: string;
}

/** By name, without the dashes. */
export type Flags = Readonly<Record<string, Flag>>;

/** Wrong words on the command line: shown with the command's usage, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
