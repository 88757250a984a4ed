import { setTimeout as sleep } from "node:timers/promises";
import { type KindName, type Simulator, simulatedKinds, startSimulator } from "../../packages/simulator/src/index.ts";
import { startGatewayProcess } from "../faults/gateway-process.ts";
import type { Measure } from "./measure.ts";

const INTERVAL_MS = 25;

/** What an engine is while it is probed. */
const states: Readonly<Record<string, (engine: Simulator, kind: KindName) => Promise<void>>> = {
  ready: async () => {},
  loading: async () => {},
  failing: async (engine) => engine.fault({ kind: "status", status: 500, probes: true, probability: 0.5 }),
  silent: async (engine) => engine.fault({ kind: "silence", probes: true, probability: 0.5 }),
  "dead and back": async (engine) => {
    await engine.kill();
    await sleep(20 * INTERVAL_MS);
    await engine.revive();
  },
};

/** What the readiness probes of all kinds cost in tokens, whatever state the engines are in. */
export const probeTokens: Measure = {
  title: "probes that are not GETs, that have a body, or that generate, of all six kinds in five states",
  target: "0",
  async run({ size }) {
    const seconds = size === "full" ? 30 : 2;
    const kinds = Object.keys(simulatedKinds) as KindName[];
    const engines: Simulator[] = [];
    const names: string[] = [];
    for (const state of Object.keys(states))
      for (const kind of kinds) {
        engines.push(await startSimulator({ kind, ...(state === "loading" ? { loadMs: seconds * 500 } : {}) }));
        names.push(`${state} ${kind}`.replaceAll(" ", "-"));
      }
    const gateway = await startGatewayProcess({
      config: {
        backends: Object.fromEntries(engines.map(({ url, kind }, index) => [names[index], { kind, url }])),
        models: Object.fromEntries(
          engines.map(({ models }, index) => [`m${index}`, { on: [{ backend: names[index], model: models[0] }] }]),
        ),
        defaults: { probe: { interval: `${INTERVAL_MS}ms`, timeout: "200ms" } },
      },
    });
    try {
      const dealt = Object.values(states).flatMap((deal, state) =>
        kinds.map((kind, index) => deal(engines[state * kinds.length + index]!, kind)),
      );
      await Promise.all(dealt);
      await sleep(seconds * 1000);
    } finally {
      await gateway.close();
      await Promise.all(engines.map((engine) => engine.close()));
    }
    return figureOf(engines, names);
  },
};

function figureOf(engines: readonly Simulator[], names: readonly string[]) {
  const log = engines.flatMap((engine) => engine.log);
  const costly = log.filter(({ method, bodyBytes }) => method !== "GET" || bodyBytes > 0);
  const sum = (name: "inference" | "tokensSent" | "requests"): number =>
    engines.reduce((total, engine) => total + Number(engine.stats()[name]), 0);
  const unprobed = names.filter((_, index) => Number(engines[index]!.stats().requests) === 0);
  const value = costly.length + sum("inference") + sum("tokensSent");
  const paths = [...new Set(costly.map(({ method, path }) => `${method} ${path}`))];
  return { value, ok: value === 0 && unprobed.length === 0, details: { probes: sum("requests"), unprobed, paths } };
}
