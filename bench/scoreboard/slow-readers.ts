import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { startReadyGateway } from "../hostile/ready-gateway.ts";
import { heldBy, watched } from "../lab/held-memory.ts";
import { requestOf } from "../lab/lane.ts";
import { planOf } from "../lab/plan.ts";
import type { Measure } from "./measure.ts";

const FLOOD_BYTES = 390_000_000;
const MB = 1024 * 1024;
const limitMb = 1;

const sizes = {
  full: { first: 200, more: 400, seconds: 20 },
  short: { first: 20, more: 40, seconds: 1 },
} as const;

/**
 * What clients that never read cost, each asking for more than the process could hold. The first of them pay for what a
 * heap grows by however many there are; the price is what each further one adds.
 */
export const slowReaders: Measure = {
  title: "MB of resident memory for a further client that never reads its stream of 390 MB",
  target: "<= 1",
  async run({ size }) {
    const { first, more, seconds } = sizes[size];
    const engine = await startSimulator({ kind: "vllm", models: ["lab"], slots: first + more });
    await using gateway = await startReadyGateway({
      config: {
        // Longer than the look takes: they would be let go.
        server: { timeouts: { write: "5m" } },
        backends: { a: { kind: "vllm", url: engine.url } },
        models: { large: { on: [{ backend: "a", model: "lab" }] } },
      },
      ...watched,
    });
    const sockets: Socket[] = [];
    const ask = async (count: number): Promise<void> => {
      for (let client = 0; client < count; client++) {
        const socket = connect(gateway.port, "127.0.0.1");
        sockets.push(socket.on("error", () => {}).pause());
        socket.write(requestOf(planOf({ number: client }), { model: "large" }));
      }
      await untilThere("streams", sockets.length, () => stillOpen(engine));
      await sleep(1000);
    };
    try {
      engine.fault({ kind: "flood", bytes: FLOOD_BYTES });
      await ask(first);
      const before = await heldBy(gateway);
      await ask(more);
      let most = 0;
      for (let look = 0; look < seconds * 10; look++) {
        await sleep(100);
        most = Math.max(most, gateway.rss() - before.rss);
      }
      const after = await heldBy(gateway);
      const open = stillOpen(engine);
      const heapMb = (after.heapUsed - before.heapUsed) / MB / more;
      const buffersMb = (after.arrayBuffers - before.arrayBuffers) / MB / more;
      // Of few clients the heap's own steps are the larger part.
      const value = size === "full" ? most / MB / more : heapMb + buffersMb;
      return {
        value,
        ok: value <= limitMb && open === first + more,
        details: { first, more, open, heapMb, buffersMb },
      };
    } finally {
      for (const socket of sockets) socket.destroy();
      await engine.close();
    }
  },
};

const flooded = ({ log }: Simulator) => log.filter(({ fault }) => fault === "flood");

const stillOpen = (engine: Simulator): number =>
  flooded(engine).filter(({ endedAt, abortedAt }) => endedAt === undefined && abortedAt === undefined).length;

async function untilThere(what: string, wanted: number, count: () => number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (count() === wanted) return;
    await sleep(50);
  }
  throw new Error(`${count()} ${what} after 30 seconds, not ${wanted}`);
}
