import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { SimulatorInput } from "@signalbox/simulator";
import { type FreePort, findFreePort } from "./free-port.ts";
import type { EngineMessage } from "./simulated-engine.ts";

/** One engine of the demo's pool. */
interface PoolEngine {
  /** Its backend's name in the policy. */
  readonly name: string;
  readonly options: SimulatorInput & { readonly models: string[] };
}

/** The pool of the demo: a large model, a coder and two small ones, at the pace of their like. */
const poolEngines: readonly PoolEngine[] = [
  {
    name: "m2",
    options: {
      kind: "sglang",
      port: 30_000,
      models: ["MiniMaxAI/MiniMax-M2"],
      tokensPerSecond: 90,
      firstTokenMs: 280,
      context: 196_608,
      // Thoughts and calls stay in the text, as the model writes them.
      toolParser: false,
    },
  },
  {
    name: "coder",
    options: {
      kind: "vllm",
      port: 8000,
      models: ["Qwen/Qwen2.5-Coder-32B-Instruct"],
      tokensPerSecond: 110,
      firstTokenMs: 120,
      context: 32_768,
    },
  },
  {
    name: "edge",
    // Ollama loads a model on its first request: that is the cold start of the first easy question.
    options: {
      kind: "ollama",
      port: 11_434,
      models: ["qwen2.5:0.5b"],
      tokensPerSecond: 140,
      firstTokenMs: 40,
      loadMs: 1500,
    },
  },
  {
    name: "phi",
    options: { kind: "foundry_local", port: 5273, models: ["phi-4-mini"], tokensPerSecond: 70, firstTokenMs: 90 },
  },
];

/** A simulated engine that runs. */
export interface RunningEngine extends PoolEngine {
  readonly address: string;
  readonly pid: number;
  /** Ports that were passed over because others have them. */
  readonly taken: readonly number[];
}

export interface SimulatedPool {
  readonly engines: readonly RunningEngine[];
  /** Ends all of them; resolves when they are gone. */
  stop(): Promise<void>;
}

export interface PoolOptions {
  /** Any free port for each engine, rather than the one that its kind has by default. */
  readonly anyPort: boolean;
  /** Ports promised to others; those of the pool are added. */
  readonly reserved: Set<number>;
  /** An engine's process ended, and not by `stop`. */
  onGone(engine: RunningEngine): void;
}

const STOP_MS = 1000;

/**
 * Starts the pool, each engine in a process of its own.
 * @throws Error when one of them cannot be started; none is left running then.
 */
export async function startSimulatedPool({ anyPort, reserved, onGone }: PoolOptions): Promise<SimulatedPool> {
  const children = new Set<ChildProcess>();
  let stopping = false;

  async function stop(): Promise<void> {
    stopping = true;
    await Promise.all([...children].map(end));
  }

  async function start(engine: PoolEngine, { port, taken }: FreePort): Promise<RunningEngine> {
    const entry = fileURLToPath(new URL("./simulated-engine.ts", import.meta.url));
    const child = fork(entry, [JSON.stringify({ ...engine.options, port })], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    children.add(child);
    const message = await Promise.race([
      once(child, "message").then(([told]) => told as EngineMessage),
      once(child, "exit").then(([code]): EngineMessage => ({ error: `its process ended with ${code}` })),
    ]);
    if ("error" in message) throw new Error(`simulated ${engine.options.kind}: ${message.error}`);
    const running = { ...engine, address: `http://127.0.0.1:${message.port}`, pid: child.pid!, taken };
    child.once("exit", () => {
      children.delete(child);
      if (!stopping) onGone(running);
    });
    return running;
  }

  try {
    const ports: FreePort[] = [];
    // One after the other, so that no two engines take the same; the processes then start side by side.
    for (const { options } of poolEngines) ports.push(await findFreePort(anyPort ? 0 : (options.port ?? 0), reserved));
    return { engines: await Promise.all(poolEngines.map((engine, index) => start(engine, ports[index]!))), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const hard = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await gone;
  clearTimeout(hard);
}
