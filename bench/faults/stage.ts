import { setTimeout as sleep } from "node:timers/promises";
import { startSimulator } from "../../packages/simulator/src/index.ts";
import { checkTruth } from "./check-truth.ts";
import type { Checks } from "./checks.ts";
import { type GatewayOptions, type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import type { Labels, Scrape } from "./metrics.ts";
import { ownLagSince, watchOwnLag } from "./own-lag.ts";
import { type Pool, type PoolShape, startPool } from "./pool.ts";
import type { Profile } from "./profile.ts";
import { robbedMs } from "./robbed.ts";
import { type Answer, type Ask, ask, type Reading, readAnswer } from "./wire-client.ts";

/** What a stage is made of. */
export interface StageShape extends Partial<GatewayOptions> {
  /** One pool of two engines unless given. */
  readonly pools?: readonly PoolShape[];
  /** False = go on before every backend has been probed. */
  readonly probed?: boolean;
}

/** A chat request beyond the model and whether it is streamed. */
interface ChatOptions extends Omit<Ask, "body"> {
  /** More members of the body. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** What the answer may say besides the pool's own words. */
  readonly says?: string;
}

/** An answer, and what a careful client reads in it. */
export type ChatAnswer = Answer &
  Reading & {
    /** How much of its time other programs took from the gateway and from this process, in milliseconds. */
    readonly robbedMs: number;
  };

/** One scenario's own engines, gateway process and client. */
export interface Stage {
  readonly profile: Profile;
  readonly random: () => number;
  readonly gateway: GatewayProcess;
  readonly pools: readonly Pool[];
  /** The first pool. */
  readonly pool: Pool;
  /**
   * Asks a pool's model `large`. Of every answer it is checked that it does not lie: whole only with all the words of one
   * engine, else a part of them in order; one id; at most one error, and nothing behind it.
   */
  chat(stream: boolean, options?: ChatOptions, pool?: Pool): Promise<ChatAnswer>;
  /** How much a metric has grown since the stage stood (a gauge: since then, too). */
  grown(name: string, labels?: Labels): Promise<number>;
  /**
   * How wrong a measured time may be, at most 500 ms: what the slowest of some requests took to which nothing happened, just before,
   * and how late this process itself has been since the stage stood. A busy machine makes everything later by about that.
   */
  readonly noiseMs: number;
  /** What the metrics were when the stage stood. */
  readonly before: Scrape;
  close(): Promise<void>;
}

/** The fault matrix's limits, as the profile has them; `defaults` of every stage's config unless it has its own. */
function defaultsFor(profile: Profile): Readonly<Record<string, unknown>> {
  const ms = (real: number): string => `${profile.ms(real)}ms`;
  return {
    timeouts: {
      connect: ms(2000),
      first_token: ms(10_000),
      idle: ms(15_000),
      total: ms(600_000),
      cold_start: ms(600_000),
    },
    // Seldom enough that no fault is found by a probe before a request meets it, where that is not what is asked about.
    probe: { interval: "60s", timeout: "5s" },
  };
}

/** The body of a chat request. */
export function chatBody(model: string, stream: boolean, more: object = {}): Record<string, unknown> {
  return { model, stream, messages: [{ role: "user", content: "count" }], ...more };
}

/** Starts engines and a gateway in front of them, and has the gateway answer a few requests that nothing is asked about. */
export async function startStage(
  shape: StageShape,
  profile: Profile,
  random: () => number,
  checks: Checks,
): Promise<Stage> {
  watchOwnLag();
  const pools = await Promise.all((shape.pools ?? [{}]).map((pool, index) => startPool(pool, index, random)));
  const warm = await startSimulator({ kind: "openai", models: ["warm"] });
  const closeEngines = async (): Promise<void> => {
    await Promise.all([...pools.map((pool) => pool.close()), warm.close()]);
  };
  let gateway: GatewayProcess;
  try {
    gateway = await startGatewayProcess({ ...shape, config: configOf(shape, pools, warm.url, profile) });
  } catch (error) {
    await closeEngines();
    throw error;
  }
  const { url } = gateway;
  if (shape.probed !== false) await untilReady(gateway);
  const plainMs = shape.config?.teams === undefined ? await warmUp(url) : 0;
  const before = await gateway.scrape();
  gateway.forgetLag();
  const stoodAt = performance.now();
  return {
    profile,
    random,
    gateway,
    pools,
    pool: pools[0]!,
    async chat(stream, { body = {}, says, ...options } = {}, pool = pools[0]!) {
      const before = robbedMs(gateway.pid);
      const answer = await ask(url, { ...options, body: chatBody(pool.names.large, stream, body) });
      const reading = { ...answer, ...readAnswer(answer), robbedMs: robbedMs(gateway.pid) - before };
      checkTruth(checks, reading, says === undefined ? Object.values(pool.words) : [says]);
      return reading;
    },
    get noiseMs() {
      return Math.min(500, plainMs + ownLagSince(stoodAt));
    },
    before,
    grown: async (name, labels) => (await gateway.scrape()).sum(name, labels) - before.sum(name, labels),
    async close() {
      await gateway.close();
      await closeEngines();
    },
  };
}

/** Has a gateway run once what it needs to have run once; resolves with the worst time of later requests, in milliseconds. */
async function warmUp(url: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 12; i++) times.push((await ask(url, { body: chatBody("warm", i % 2 === 0) })).ms);
  return Math.max(...times.slice(6));
}

function configOf(
  shape: StageShape,
  pools: readonly Pool[],
  warm: string,
  profile: Profile,
): Readonly<Record<string, unknown>> {
  const { config = {} } = shape;
  const parts = pools.map((pool) => pool.config);
  return {
    ...config,
    backends: Object.assign(
      { warm: { kind: "openai", url: warm } },
      ...parts.map(({ backends }) => backends),
      config.backends,
    ),
    models: Object.assign({ warm: { on: [{ backend: "warm" }] } }, ...parts.map(({ models }) => models), config.models),
    defaults: { ...defaultsFor(profile), ...(config.defaults as object | undefined) },
  };
}

async function untilReady({ adminUrl }: GatewayProcess): Promise<void> {
  const end = performance.now() + 10_000;
  while ((await fetch(`${adminUrl}/readyz`)).status !== 200) {
    if (performance.now() > end) throw new Error("the gateway was not ready within 10 s");
    await sleep(10);
  }
}

/** True as soon as `holds`; false when it does not within `ms`. */
export async function comesTrue(holds: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) return false;
    await sleep(5);
  }
  return true;
}
