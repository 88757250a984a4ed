import { setTimeout as sleep } from "node:timers/promises";
import { type Contender, startIn, teamKey } from "./contenders.ts";
import type { Harness } from "./harness.ts";
import { residentBytes } from "./processes.ts";
import type { Pace } from "./upstream.ts";

const single: Pace = { everyMs: 10, eventsPerWrite: 1 };

/** Resident memory per open stream that waits for its next token, in KiB, of a process that has just begun and is warm. */
export async function idleStreamKb(harness: Harness, contender: Contender, streams: number): Promise<number> {
  const { port, pid, stop } = await startIn(harness.folder, contender, harness.upstreamPort);
  harness.pace(single);
  await harness.load({ do: "streams", port, key: teamKey, streams: 100, tokens: 20 });
  harness.pace({ ...single, silentAfter: 1 });
  await sleep(500);
  const before = residentBytes(pid);
  await harness.load({ do: "hold", port, key: teamKey, streams });
  await sleep(2_000);
  const grown = residentBytes(pid) - before;
  await harness.load({ do: "release" });
  await stop();
  return grown / 1024 / streams;
}
