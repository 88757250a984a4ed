import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startVitest } from "vitest/node";
import { llamaCpp } from "./engines/llama-cpp.ts";
import { enginesFolder, type RealEngine } from "./engines/real-engine.ts";
import { vllm } from "./engines/vllm.ts";

/** Every real engine, by the name of its kind. */
const engines = { llama_cpp: llamaCpp, vllm } satisfies Record<string, RealEngine>;

const USAGE = `usage: pnpm engines NAME [install | start [ARGUMENT...] | test]
  install   builds it in ${enginesFolder} (ENGINES overrides); does only what is not done yet
  start     runs it in the foreground: PORT (8080), NP requests at once (2), CTX tokens of context (4096)
  test      runs the tests against it, on free ports
engines:
${Object.entries(engines)
  .map(([name, { title, cost }]) => `  ${name}: ${title} (${cost})`)
  .join("\n")}`;

async function main([name, action = "install", ...rest]: string[]): Promise<number> {
  if (name === undefined || !Object.hasOwn(engines, name)) {
    console.error(USAGE);
    return 2;
  }
  const engine: RealEngine = engines[name as keyof typeof engines];
  switch (action) {
    case "install":
      await engine.install();
      console.log(`${engine.title}: installed in ${enginesFolder}`);
      return 0;
    case "start":
      if (await isMissing(engine, name)) return 1;
      return foreground(engine.command({ ...startOptions(), more: rest }));
    case "test":
      if (await isMissing(engine, name)) return 1;
      return runTests(engine);
    default:
      console.error(USAGE);
      return 2;
  }
}

async function isMissing(engine: RealEngine, name: string): Promise<boolean> {
  if (await engine.installed()) return false;
  console.error(`${engine.title} is not installed in ${enginesFolder}: pnpm engines ${name} install (${engine.cost})`);
  return true;
}

function startOptions(): { port: number; slots: number; context: number } {
  const number = (variable: string, otherwise: number): number => {
    const value = Number(process.env[variable] ?? otherwise);
    if (!Number.isInteger(value) || value < 1) throw new Error(`${variable}: «${process.env[variable]}» is no number`);
    return value;
  };
  return { port: number("PORT", 8080), slots: number("NP", 2), context: number("CTX", 4096) };
}

/** Runs an engine until it ends; Ctrl-C and SIGTERM reach it too. */
function foreground([file = "", ...args]: readonly string[]): Promise<number> {
  const child = spawn(file, args, { stdio: "inherit" });
  // A terminal sends Ctrl-C to both of us: we wait for the engine to end.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 0));
  });
}

/** In this process and without the repository's own settings, which leave these tests out of `npm test`. */
async function runTests({ tests }: RealEngine): Promise<number> {
  const vitest = await startVitest("test", [...tests], {
    config: false,
    root: fileURLToPath(new URL("..", import.meta.url)),
    watch: false,
    include: [...tests],
    // Two engines at once would take each other's cores.
    fileParallelism: false,
    reporters: ["verbose"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  });
  const failed = vitest.state.getCountOfFailedTests() > 0 || process.exitCode === 1;
  await vitest.close();
  return failed ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`engines: ${(error as Error).message}`);
  process.exitCode = 1;
}
