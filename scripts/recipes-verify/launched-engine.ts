import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { addressOf } from "../../apps/gateway/src/recipes/policy-form.ts";
import type { Recipe } from "../../apps/gateway/src/recipes/recipe.ts";
import type { StandIn } from "../engines/real-engine.ts";

/** vLLM reads half a library before it listens. */
const START_MS = 300_000;
const POLL_MS = 200;
/** Of what the engine says, for people to find out why it ended. */
const KEPT_CHARACTERS = 2_000;

export interface LaunchedEngine {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  /** Resolves when all its processes are gone. */
  stop(): Promise<void>;
}

/** The words of a recipe's command as they are run here: each flag of the recipe, in its order. */
export function wordsHere({ launch, model }: Recipe, standIn: StandIn, port: number): string[] {
  const values: Readonly<Record<string, string>> = { ...standIn.values, "--host": "127.0.0.1", "--port": String(port) };
  const flags = launch.flags.flatMap(([name, value]) => (value === undefined ? [name] : [name, values[name] ?? value]));
  return [...standIn.program, ...flags, ...standIn.added(model.upstream)];
}

/** Launches a recipe; resolves when the engine is healthy, rejects with what it said when it ends before. */
export async function launchEngine(recipe: Recipe, standIn: StandIn, port: number): Promise<LaunchedEngine> {
  const [file = "", ...args] = wordsHere(recipe, standIn, port);
  // A group of its own: the server has children that must not outlive it.
  const child = spawn(file, args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...standIn.environment, ...recipe.launch.environment },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => {
      said = (said + data).slice(-KEPT_CHARACTERS);
    });
  let running = true;
  const gone = Promise.race([once(child, "exit"), once(child, "error")]).then(() => {
    running = false;
  });
  const stop = async (): Promise<void> => {
    if (running) process.kill(-child.pid!, "SIGKILL");
    await gone;
  };
  const address = addressOf({ ...recipe, launch: { ...recipe.launch, port } });
  const health = `${address}${recipe.launch.container?.healthPath ?? "/health"}`;
  const until = performance.now() + START_MS;
  while ((await fetch(health).catch(() => undefined))?.status !== 200) {
    if (!running) throw new Error(`it ended before it was healthy: ${said}`);
    if (performance.now() > until) {
      await stop();
      throw new Error(`not healthy within ${START_MS} ms: ${said}`);
    }
    await wait(POLL_MS);
  }
  return { address, stop };
}
