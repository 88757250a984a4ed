import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { startReadyGateway } from "../hostile/ready-gateway.ts";
import { heldBy, watched } from "../lab/held-memory.ts";
import { requestOf } from "../lab/lane.ts";
import { planOf } from "../lab/plan.ts";
import type { Measure } from "./measure.ts";

const FLOOD_BYTES = 390_000_000;
const WARM_BYTES = 10_000_000;
const MB = 1024 * 1024;
const limitMb = 1;

const sizes = {
  full: { clients: 100, readers: 20, seconds: 20 },
  short: { clients: 10, readers: 5, seconds: 1 },
} as const;

/** What clients that never read cost, each asking for more than the process could hold. */
export const slowReaders: Measure = {
  title: "MB of resident memory for a client that never reads its stream of 390 MB",
  target: "<= 1",
  async run({ size }) {
    const { clients, readers, seconds } = sizes[size];
    const engine = await startSimulator({ kind: "vllm", models: ["lab"], slots: clients + readers });
    await using gateway = await startReadyGateway({
      config: {
        backends: { a: { kind: "vllm", url: engine.url } },
        models: { large: { on: [{ backend: "a", model: "lab" }] } },
      },
      ...watched,
    });
    const sockets: Socket[] = [];
    const ask = (reads: boolean, number: number): void => {
      const socket = connect(gateway.port, "127.0.0.1");
      sockets.push(socket.on("error", () => {}));
      if (reads) socket.resume();
      else socket.pause();
      socket.write(requestOf(planOf({ number }), { model: "large" }));
    };
    try {
      // A heap grows to the size of the work; what the same work leaves behind for readers is not what is measured.
      engine.fault({ kind: "flood", bytes: WARM_BYTES });
      for (let reader = 0; reader < readers; reader++) ask(true, reader);
      await untilThere("readers that are done", readers, () => flooded(engine).length - stillOpen(engine));
      await engine.clearFaults();
      for (const socket of sockets.splice(0)) socket.destroy();
      const before = (await heldBy(gateway)).rss;
      engine.fault({ kind: "flood", bytes: FLOOD_BYTES });
      for (let client = 0; client < clients; client++) ask(false, client);
      await untilThere("streams", clients, () => stillOpen(engine));
      let most = 0;
      for (let look = 0; look < seconds * 10; look++) {
        await sleep(100);
        most = Math.max(most, gateway.rss() - before);
      }
      const held = (await heldBy(gateway)).rss - before;
      const open = stillOpen(engine);
      const value = most / MB / clients;
      const ok = value <= limitMb && open === clients;
      return { value, ok, details: { clients, open, afterCollectionMb: held / MB / clients } };
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
