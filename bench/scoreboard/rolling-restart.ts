import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type ReadyGateway, startReadyGateway } from "../hostile/ready-gateway.ts";
import { Balancer } from "../lab/balancer.ts";
import { Engine } from "../lab/engine.ts";
import { judge } from "../lab/judge.ts";
import { Lane, play, requestOf } from "../lab/lane.ts";
import { type Plan, planOf } from "../lab/plan.ts";
import { replaceConfig } from "../lab/replace-config.ts";
import type { Measure } from "./measure.ts";

const NEW_EVERY_MS = 20;
const RELOAD_EVERY_MS = 20;
const BROKEN_EVERY = 10;

interface Size {
  readonly streams: number;
  readonly reloads: number;
  readonly drainDelay: string;
  /** Milliseconds between the tokens of a stream of 30. */
  readonly paceMs: number;
}

const sizes: Readonly<Record<"full" | "short", Size>> = {
  full: { streams: 200, reloads: 100, drainDelay: "2s", paceMs: 200 },
  short: { streams: 20, reloads: 10, drainDelay: "300ms", paceMs: 20 },
};

function policy(url: string, size: Size, total: number): Readonly<Record<string, unknown>> {
  return {
    server: { drain_delay: size.drainDelay, drain: "30s" },
    backends: { a: { kind: "vllm", url } },
    models: { large: { on: [{ backend: "a", model: "lab" }] } },
    defaults: { timeouts: { total: `${total}s` } },
  };
}

/** Two gateways behind a balancer are replaced one after the other, then reloaded, under streams and new requests. */
export const rollingRestart: Measure = {
  title: "streams cut and new requests failed by a rolling restart of two gateways, and by 100 reloads, of 200 streams",
  target: "0",
  async run({ size: name }) {
    const size = sizes[name];
    const plans = new Map<number, Plan>();
    const engine = await new Engine("a", plans).open();
    const balancer = new Balancer();
    const load = new Load(await balancer.open(), plans, size);
    const gateways: ReadyGateway[] = [];
    const start = async (): Promise<ReadyGateway> => {
      const gateway = await startReadyGateway({ config: policy(engine.url, size, 100) });
      gateways.push(gateway);
      await balancer.add(gateway);
      return gateway;
    };
    const exits: (number | null)[] = [];
    try {
      const pair = [await start(), await start()];
      load.begin();
      await sleep(size.paceMs * 15);
      for (const old of pair) {
        old.child.kill("SIGTERM");
        exits.push(await old.exited);
        balancer.remove(old);
        await start();
      }
      const restart = load.found();
      const reloads = await reload(gateways.slice(-2), engine.url, size);
      const { failed, wrong, ...all } = await load.end();
      const value = failed + balancer.turnedAway;
      const ok = value === 0 && exits.every((code) => code === 0) && reloads.taken > 0;
      return {
        value,
        ok,
        details: { ...all, failed, turnedAway: balancer.turnedAway, exits, restart, reloads, wrong },
      };
    } finally {
      await load.end();
      balancer.close();
      await Promise.all(gateways.map((gateway) => gateway.close()));
      await engine.close();
    }
  },
};

/** Rewrites the policy files, now and then with one that is broken; the last one is good. */
async function reload(
  gateways: readonly ReadyGateway[],
  url: string,
  size: Size,
): Promise<Record<"taken" | "refused", number>> {
  for (let count = 1; count <= size.reloads; count++) {
    for (const gateway of gateways) {
      if (count % BROKEN_EVERY === 0 && count < size.reloads)
        writeFileSync(gateway.configFile, "version: 1\nbackends: {");
      else replaceConfig(gateway, policy(url, size, 100 + count));
    }
    await sleep(RELOAD_EVERY_MS);
  }
  await sleep(500);
  const scrapes = await Promise.all(gateways.map((gateway) => gateway.scrape()));
  const sum = (result: string): number =>
    scrapes.reduce((total, scrape) => total + scrape.sum("signalbox_config_reloads_total", { result }), 0);
  return { taken: sum("success"), refused: sum("failure") };
}

/** So many streams at all times and a new short request every 20 ms, each on a connection of its own. */
class Load {
  readonly #port: number;
  readonly #plans: Map<number, Plan>;
  readonly #size: Size;
  readonly #under = new Set<Promise<void>>();
  readonly #counts = { streams: 0, requests: 0, failed: 0 };
  readonly #wrong: string[] = [];
  #number = 0;
  #on = false;

  constructor(port: number, plans: Map<number, Plan>, size: Size) {
    this.#port = port;
    this.#plans = plans;
    this.#size = size;
  }

  begin(): void {
    this.#on = true;
    for (let stream = 0; stream < this.#size.streams; stream++) this.#track(this.#keepStreaming());
    this.#track(this.#keepAsking());
  }

  found(): { streams: number; requests: number; failed: number } {
    return { ...this.#counts };
  }

  /** Resolves when the last answer has come. */
  async end(): Promise<{ streams: number; requests: number; failed: number; wrong: readonly string[] }> {
    this.#on = false;
    while (this.#under.size > 0) await Promise.all(this.#under);
    return { ...this.#counts, wrong: this.#wrong };
  }

  #track(work: Promise<void>): void {
    this.#under.add(work);
    void work.finally(() => this.#under.delete(work));
  }

  async #keepStreaming(): Promise<void> {
    const { paceMs } = this.#size;
    while (this.#on) {
      this.#counts.streams++;
      await this.#ask(planOf({ number: this.#number++, tokens: 30, pieceBytes: 250, paceMs }));
    }
  }

  async #keepAsking(): Promise<void> {
    while (this.#on) {
      this.#counts.requests++;
      this.#track(this.#ask(planOf({ number: this.#number++, stream: this.#number % 2 === 0 })));
      await sleep(NEW_EVERY_MS);
    }
  }

  async #ask(plan: Plan): Promise<void> {
    const lane = new Lane(this.#port);
    this.#plans.set(plan.number, plan);
    const heard = await play(lane, plan, requestOf(plan, { model: "large" }));
    this.#plans.delete(plan.number);
    const { end, code, wrong } = judge(plan, heard);
    lane.leave();
    if (end === "ok" && wrong === undefined) return;
    this.#counts.failed++;
    if (this.#wrong.length < 20) this.#wrong.push(`${wrong ?? `${end} ${code}`}: ${JSON.stringify(plan)}`);
  }
}
