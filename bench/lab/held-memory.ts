import { once } from "node:events";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { GatewayProcess } from "../faults/gateway-process.ts";

/** What a process holds after a garbage collection, in bytes. */
export interface Held {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  /** What keeps its event loop alive, by sort. */
  readonly resources: Readonly<Record<string, number>>;
  readonly descriptors: number;
}

/** Options of a gateway process that `heldBy` may ask. */
export const watched = {
  nodeOptions: ["--expose-gc", "--import", fileURLToPath(import.meta.resolve("./memory-probe.ts"))],
  messages: true,
};

/** Has the process collect its garbage and says what is left. `snapshot` names a file for a heap snapshot. */
export async function heldBy({ child, pid }: GatewayProcess, snapshot?: string): Promise<Held> {
  const answer = once(child, "message");
  child.send(snapshot === undefined ? {} : { snapshot });
  const [held] = (await answer) as [Omit<Held, "descriptors">];
  return { ...held, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}
