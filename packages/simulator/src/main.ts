import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { SimulatorInput } from "./options.ts";
import { parseScript } from "./script.ts";
import { startSimulator } from "./simulator.ts";

const USAGE = `usage: pnpm simulator --kind KIND --port N [--host 127.0.0.1] [--model NAME]... [--script FILE]
  [--tokens-per-second N] [--first-token-ms N] [--slots N] [--queue N] [--load-ms N] [--context N] [--seed N]
  [--api-key K] [--no-tool-parser]
kinds: sglang, vllm, ollama, foundry_local, llama_cpp, openai`;

const NUMBERS = {
  port: "port",
  "tokens-per-second": "tokensPerSecond",
  "first-token-ms": "firstTokenMs",
  slots: "slots",
  queue: "queue",
  "load-ms": "loadMs",
  context: "context",
  seed: "seed",
} as const;

/** Reads the command line; throws an Error that names what is wrong with it. */
export async function readCommandLine(args: readonly string[]): Promise<SimulatorInput | "help"> {
  const text = { type: "string" } as const;
  const numbers = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, text]));
  const { values } = parseArgs({
    args: args.filter((arg, index) => arg !== "--" || index > 0),
    options: {
      ...numbers,
      kind: text,
      host: text,
      script: text,
      model: { type: "string", multiple: true },
      "api-key": text,
      "no-tool-parser": { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  const given: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>> = values;
  if (given.help === true) return "help";
  const options: Record<string, unknown> = { kind: given.kind, models: given.model ?? [] };
  for (const [flag, name] of Object.entries(NUMBERS)) {
    const value = given[flag];
    if (value === undefined) continue;
    const number = Number(value);
    if (value === "" || Number.isNaN(number)) throw new Error(`--${flag} needs a number, not "${String(value)}"`);
    options[name] = number;
  }
  if (given.kind === undefined) throw new Error("--kind is missing");
  if (given.host !== undefined) options.host = given.host;
  if (given["api-key"] !== undefined) options.apiKey = given["api-key"];
  if (given["no-tool-parser"] === true) options.toolParser = false;
  if (typeof given.script === "string")
    options.script = parseScript(await readFile(given.script, "utf8"), given.script);
  return options as SimulatorInput;
}

function explain(error: unknown, args: readonly string[]): string {
  const code = (error as { code?: unknown } | null)?.code;
  const port = args[args.indexOf("--port") + 1] ?? "";
  if (code === "EADDRINUSE") return `port ${port} is taken by another program; choose another with --port`;
  return error instanceof Error ? error.message : String(error);
}

/** Runs the command until it is interrupted; sets the exit code 1 when it cannot start. */
export async function runSimulator(
  args: readonly string[],
  print: (line: string) => void,
  complain: (line: string) => void,
): Promise<void> {
  try {
    const options = await readCommandLine(args);
    if (options === "help") return print(USAGE);
    const simulator = await startSimulator(options);
    print(`simulated ${simulator.kind} on ${simulator.url} (models ${simulator.models.join(", ")})`);
    const stop = (): void => void simulator.close().then(() => process.exit(0));
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  } catch (error) {
    complain(`simulator: ${explain(error, args)}`);
    complain("try --help");
    process.exitCode = 1;
  }
}

if (import.meta.main) {
  await runSimulator(process.argv.slice(2), console.log, console.error);
}
