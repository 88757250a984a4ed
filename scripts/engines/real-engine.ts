import { spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";

/** A real engine that can be installed, run and tested against on a machine without a GPU. */
export interface RealEngine {
  readonly title: string;
  /** Time and disk that it takes, for people. */
  readonly cost: string;
  installed(): Promise<boolean>;
  /** Does what is not done yet; running it twice does nothing. */
  install(): Promise<void>;
  /** The command that runs it in the foreground. */
  command(options: StartOptions): readonly string[];
  /** Its test files, from the root of the repository. */
  readonly tests: readonly string[];
  /** How a recipe for its kind is launched here. */
  readonly standIn: StandIn;
}

/** What of a recipe's command line is another here: the program's path, the weights, and what a processor needs. */
export interface StandIn {
  readonly program: readonly string[];
  /** Values in place of the recipe's, by flag. */
  readonly values: Readonly<Record<string, string>>;
  /** Further words; `model` is what the engine is to call its model. */
  added(model: string): readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Prints every flag that there is. */
  readonly help: readonly string[];
}

interface StartOptions {
  readonly port: number;
  /** Requests worked on at once. */
  readonly slots: number;
  /** Tokens of context, shared by the slots. */
  readonly context: number;
  /** Handed to the engine as they are. */
  readonly more?: readonly string[];
}

/** The folder that engines are installed in: `ENGINES`, or one in the user's cache. */
// biome-ignore lint/suspicious/noUndeclaredEnvVars: no task of turbo reads it
export const enginesFolder = process.env.ENGINES ?? path.join(homedir(), ".cache", "signalbox-engines");

export async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Runs a command in the engines' folder, its output on ours; rejects when it fails. */
export function run(command: readonly string[], cwd: string = enginesFolder): Promise<void> {
  const [file = "", ...args] = command;
  console.log(`+ ${command.join(" ")}`);
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, stdio: "inherit" });
    child.once("error", (error) => reject(new Error(`${file} cannot be run: ${error.message}`)));
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${file} ended with ${code ?? signal}`));
    });
  });
}
