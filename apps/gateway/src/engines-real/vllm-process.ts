import { spawn } from "node:child_process";
import { once } from "node:events";
import { vllm } from "../../../../scripts/engines/vllm.ts";
import { findFreePort } from "../demo/free-port.ts";
import { until } from "./llama-server-process.ts";

/** A real vLLM on a free port, without a tool parser. */
export interface VllmServer {
  readonly url: string;
  /** Resolves when all its processes are gone. */
  stop(): Promise<void>;
}

/** It reads half a library before it listens. */
const START_MS = 240_000;

/** Starts vLLM; resolves when it is healthy. */
export async function startVllm(): Promise<VllmServer> {
  const { port } = await findFreePort(0);
  const url = `http://127.0.0.1:${port}`;
  const [file = "", ...args] = vllm.command({ port, slots: 4, context: 4096 });
  // A group of its own: the server has children that must not outlive it.
  const child = spawn(file, args, { stdio: "ignore", detached: true });
  let running = true;
  const gone = once(child, "exit").then(() => {
    running = false;
  });
  await until(
    async () => {
      if (!running) throw new Error("vLLM ended before it was healthy");
      return (await fetch(`${url}/health`).catch(() => undefined))?.status === 200;
    },
    "vLLM is healthy",
    START_MS,
  );
  return {
    url,
    async stop() {
      if (running) process.kill(-child.pid!, "SIGKILL");
      await gone;
    },
  };
}
