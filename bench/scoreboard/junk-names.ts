import { startSimulator } from "../../packages/simulator/src/index.ts";
import { hashOf, type ReadyGateway, startReadyGateway } from "../hostile/ready-gateway.ts";
import { sendJunk } from "../hostile/send-junk.ts";
import { median } from "../rounds.ts";
import type { Measure } from "./measure.ts";

const key = "sb-junk-2d9b6f1e8c3a5074";
const WARM_UP = 2_000;
const LIMITS = { bytes: 1_000_000, ms: 50 };

/** Series, size and time of `/metrics` after names that nobody knows. */
export const junkNames: Measure = {
  title: "metric series made by 1,000,000 requests with junk models, paths, methods, keys, users and headers",
  target: "0; /metrics at most 1 MB and 50 ms",
  async run({ size }) {
    const engine = await startSimulator({ kind: "vllm", models: ["m"] });
    await using gateway = await startReadyGateway({
      config: {
        backends: { one: { kind: "vllm", url: engine.url, probe: { interval: "1h" } } },
        models: { m: { on: [{ backend: "one" }], embeddings: true } },
        teams: { all: { keys: [hashOf(key)] } },
      },
    });
    const { port } = gateway;
    const count = size === "full" ? 1_000_000 : 20_000;
    // Every kind of refusal has been met, so that each has its series.
    await sendJunk({ port, key, count: WARM_UP, from: 0 });
    const before = await scrape(gateway);
    const statuses = await sendJunk({ port, key, count, from: WARM_UP });
    const scrapes = [];
    for (let i = 0; i < 9; i++) scrapes.push(await scrape(gateway));
    await engine.close();
    const { text, series } = scrapes.at(-1)!;
    const ms = median(scrapes.map((one) => one.ms));
    const made = [...series].filter((name) => !before.series.has(name));
    const served = [...statuses.keys()].filter((status) => status < 400 || status > 499);
    const names = text.match(/junk[^"]*/g) ?? [];
    const ok = made.length + served.length + names.length === 0 && text.length <= LIMITS.bytes && ms <= LIMITS.ms;
    const details = {
      series: series.size,
      bytes: text.length,
      ms,
      statuses: Object.fromEntries(statuses),
      made,
      names,
    };
    return { value: made.length, ok, details };
  },
};

async function scrape(gateway: ReadyGateway) {
  const began = performance.now();
  const { text } = await gateway.scrape();
  return { text, ms: performance.now() - began, series: new Set(text.match(/^signalbox_\w+(\{[^}]*\})?/gm)) };
}
