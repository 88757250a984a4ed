import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { hashOf } from "../hostile/ready-gateway.ts";
import type { Checks } from "./checks.ts";
import { type GatewayOptions, type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { robbedMs } from "./robbed.ts";
import type { Scene } from "./scenario.ts";
import { chatBody, comesTrue, type Stage } from "./stage.ts";
import { type Answer, ask } from "./wire-client.ts";

const key = "sb-shared-5b0c9d2e7f4a8163";
/** Of a team without limits. */
const warmKey = "sb-warm-8c1e6a3f5d7b9024";
const headers = { authorization: `Bearer ${key}` };
/** One in so many milliseconds. */
const EVERY_MS = 10;

/** One request of a steady load. */
export interface Timed {
  /** Milliseconds since the load began. */
  readonly at: number;
  /** Without what other programs took of the gateway's time and of this process's. */
  readonly ms: number;
  readonly status: number;
  /** Its replica decided by its share. */
  readonly local: boolean;
}

/** A stage whose gateway counts in a shared store, and replicas of it. */
export interface StoreStage {
  readonly stage: Stage;
  /** One chat request of the team that has limits; of a replica, if given. */
  ask(gateway?: GatewayProcess): Promise<Answer>;
  /** How many of `count` requests, one after the other, are answered; anything but 200 and 429 fails the scenario. */
  admitted(count: number, gateway?: GatewayProcess): Promise<number>;
  /** Steady requests for so long. */
  load(ms: number): Promise<Timed[]>;
  /** Another gateway with the same policy. */
  replica(options?: Partial<GatewayOptions>): Promise<GatewayProcess>;
  /** Resolves when the store is so at each of these, or fails the scenario after a while. */
  becomes(state: "shared" | "local", ...gateways: GatewayProcess[]): Promise<void>;
  /** The gateway's log has so many lines about turns of the store, and no more; they are written a moment later. */
  checkTurns(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a stage on a store, with limits for its one team. */
export async function startStoreStage(
  { start, checks }: Scene,
  store: unknown,
  limits: object,
  shape: { readonly tokensPerSecond?: number } = {},
): Promise<StoreStage> {
  const config = { store, teams: { one: { keys: [hashOf(key)], limits }, warm: { keys: [hashOf(warmKey)] } } };
  const primary = shape.tokensPerSecond === undefined ? { slots: 500 } : { ...shape, slots: 500 };
  const stage = await start({ config, pools: [{ fallback: false, primary }] });
  const replicas: GatewayProcess[] = [];
  const one = (gateway = stage.gateway): Promise<Answer> =>
    ask(gateway.url, { body: chatBody(stage.pool.names.large, shape.tokensPerSecond !== undefined), headers });
  // What runs for the first time is slow.
  if (shape.tokensPerSecond === undefined) for (let asked = 0; asked < 5; asked++) await askWarm(stage);
  return {
    stage,
    ask: one,
    async admitted(count, gateway) {
      let admitted = 0;
      for (let asked = 0; asked < count; asked++) {
        const { status } = await one(gateway);
        if (status === 200) admitted++;
        else checks.is("client", "the status of a request that was not admitted", status, 429);
      }
      return admitted;
    },
    load: (ms) => steadily(ms, () => timed(stage, one)),
    async replica(options = {}) {
      const whole = JSON.parse(readFileSync(stage.gateway.configFile, "utf8")) as Record<string, unknown>;
      const gateway = await startGatewayProcess({ config: whole, ...options });
      replicas.push(gateway);
      return gateway;
    },
    async becomes(state, ...gateways) {
      const is = async (gateway: GatewayProcess): Promise<boolean> =>
        (await gateway.scrape()).sum("signalbox_store_up") === (state === "shared" ? 1 : 0);
      for (const gateway of gateways.length > 0 ? gateways : [stage.gateway])
        checks.that("metrics", `the store is not ${state} within 15 s`, await comesTrue(() => is(gateway), 15_000));
    },
    async checkTurns(count) {
      const turns = () => stage.gateway.lines.filter(({ event }) => /^limits are/.test(String(event))).length;
      await comesTrue(() => turns() >= count, 2000);
      checks.is("log", "lines about the store", turns(), count);
    },
    async close() {
      await Promise.all(replicas.map((gateway) => gateway.close()));
    },
  };
}

async function askWarm({ gateway }: Stage): Promise<void> {
  await ask(gateway.url, { body: chatBody("warm", false), headers: { authorization: `Bearer ${warmKey}` } });
}

async function timed({ gateway }: Stage, one: () => Promise<Answer>): Promise<Omit<Timed, "at">> {
  const before = robbedMs(gateway.pid);
  const { status, ms, headers } = await one();
  const robbed = robbedMs(gateway.pid) - before;
  return { ms: Math.max(0, ms - robbed), status, local: headers["x-signalbox-store"] === "local" };
}

async function steadily(ms: number, one: () => Promise<Omit<Timed, "at">>): Promise<Timed[]> {
  const began = performance.now();
  const all: Promise<Timed>[] = [];
  while (performance.now() - began < ms) {
    const at = performance.now() - began;
    all.push(one().then((answer) => ({ ...answer, at })));
    await sleep(EVERY_MS);
  }
  return Promise.all(all);
}

/** The value that a share of them are at most. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** No request failed. */
export function checkServed(checks: Checks, load: readonly Timed[]): void {
  const statuses = [...new Set(load.map(({ status }) => status))];
  checks.is("client", "the statuses of the load", statuses, [200]);
}
