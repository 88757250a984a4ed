import { setTimeout as sleep } from "node:timers/promises";
import { startRedis, type TestRedis } from "../../../apps/gateway/src/store/test-redis.ts";
import { once } from "../../../apps/gateway/src/store/test-redis-groups.ts";
import type { Scene } from "../scenario.ts";
import { comesTrue } from "../stage.ts";
import { type StoreStage, startStoreStage } from "../store-stage.ts";

const CONCURRENT = 20;
/** Tokens a second: 40 of them take four seconds. */
const PACE = 10;
/** The longest that a slot of a replica that died is held. */
const LEASE_MS = 30_000;

/** What a replica that was killed held in the shared store is free when its leases end; the real time is waited in the full profile alone. */
export async function leasesEnd(scene: Scene): Promise<void> {
  const { checks, profile, note } = scene;
  const redis = await startRedis();
  const one = await startStoreStage(scene, redis.url, { concurrent: CONCURRENT }, { tokensPerSecond: PACE });
  const { gateway, pool } = one.stage;
  try {
    const other = await one.replica();
    await one.becomes("shared", gateway, other);
    const own = Array.from({ length: CONCURRENT }, () => one.ask().catch(() => undefined));
    const areOpen = await comesTrue(() => pool.primary.stats().running === CONCURRENT, 5000);
    checks.that("engines", "the streams are not all under way", areOpen);
    checks.is("client", "the status of one too many, at the other replica", (await one.ask(other)).status, 429);
    gateway.child.kill("SIGKILL");
    const killedAt = performance.now();
    await Promise.all(own);
    checks.is("client", "the status while the dead hold their slots", (await one.ask(other)).status, 429);
    const left = await leases(redis);
    checks.is("metrics", "leases in Redis", left.length, CONCURRENT);
    checks.within("metrics", "ms until the last lease ends", Math.max(...left), 1, LEASE_MS);
    if (profile.name === "fast") return;
    const freeMs = await untilFree(one, other, killedAt);
    note("ms until slots are free", freeMs);
    // A second more than the lease: it is asked twice in one.
    checks.within("client", "ms until slots are free", freeMs, 0, LEASE_MS + 1000);
  } finally {
    await one.close();
    await redis.close();
  }
}

/** Milliseconds that each lease has left, by Redis' clock. */
async function leases(redis: TestRedis): Promise<number[]> {
  const [seconds, microseconds] = (await once(redis, "time")) as [string, string];
  const now = Number(seconds) * 1000 + Number(microseconds) / 1000;
  const scores = (await once(redis, "zrange", "{signalbox}:leases", 0, -1, "withscores")) as string[];
  return scores.filter((_, at) => at % 2 === 1).map((score) => Number(score) - now);
}

async function untilFree(one: StoreStage, other: Parameters<StoreStage["ask"]>[0], since: number): Promise<number> {
  for (;;) {
    const askedAt = performance.now();
    if ((await one.ask(other)).status === 200) return askedAt - since;
    if (askedAt - since > 2 * LEASE_MS) return Number.POSITIVE_INFINITY;
    await sleep(500);
  }
}
