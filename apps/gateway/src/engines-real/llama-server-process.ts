import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { llamaCpp } from "../../../../scripts/engines/llama-cpp.ts";
import { findFreePort } from "../demo/free-port.ts";

/** A real llama-server on a free port, which can be killed and started again. */
export interface LlamaServer {
  readonly url: string;
  readonly slots: number;
  /** Starts the process; resolves as soon as the port answers, while the model may still be loading. */
  start(): Promise<void>;
  /** Resolves when the model is loaded. */
  ready(): Promise<void>;
  /** Resolves when the process is gone. */
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Slots that work on a request now. */
  busySlots(): Promise<number>;
}

const slots = 2;
const POLL_MS = 20;
const START_MS = 60_000;

/** Prepares a server with two slots of 1,024 tokens; nothing runs before `start`. */
export async function createLlamaServer(): Promise<LlamaServer> {
  const { port } = await findFreePort(0);
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;

  const health = async (): Promise<number> => (await fetch(`${url}/health`).catch(() => undefined))?.status ?? 0;

  return {
    url,
    slots,
    async start() {
      const [file = "", ...args] = llamaCpp.command({ port, slots, context: 2048 });
      child = spawn(file, args, { stdio: "ignore" });
      await until(async () => (await health()) > 0, "the server answers");
    },
    async ready() {
      await until(async () => (await health()) === 200, "the model is loaded");
    },
    async stop(signal) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill(signal);
      await gone;
    },
    async busySlots() {
      const listed = (await (await fetch(`${url}/slots`)).json()) as { is_processing: boolean }[];
      return listed.filter(({ is_processing }) => is_processing).length;
    },
  };
}

/** Asks again every 20 ms until it holds; a real engine has no clock that could be turned. Resolves with the milliseconds. */
export async function until(holds: () => Promise<boolean> | boolean, what: string, ms = START_MS): Promise<number> {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > ms) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return performance.now() - started;
}
