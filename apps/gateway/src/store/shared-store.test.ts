import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { Admission, Reservation } from "../teams/limits.ts";
import type { Quota } from "../teams/quota.ts";
import { claim, quota, took } from "../teams/store-contract/claims.ts";
import { createConnection } from "./connection.ts";
import { type DelayingProxy, startDelayingProxy } from "./delaying-proxy.ts";
import { createSharedStore, type SharedStore } from "./shared-store.ts";
import type { StoreLevel } from "./store-level.ts";
import { startRedis, type TestRedis } from "./test-redis.ts";
import { testRedisConfig } from "./test-redis-config.ts";
import { once } from "./test-redis-groups.ts";

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

interface Replica {
  readonly store: SharedStore;
  readonly turns: StoreLevel[];
  dropped: number;
  ask(quotas: readonly Quota[], tokens?: number): Promise<Admission>;
}

function replica({ port }: { readonly port: number }, options: { instances?: number } = {}): Replica {
  const config = testRedisConfig({ port }, { prefix: "test", instances: options.instances ?? 1 });
  const turns: StoreLevel[] = [];
  const one: Replica = {
    turns,
    dropped: 0,
    store: createSharedStore({
      connection: createConnection(config),
      prefix: config.prefix,
      instances: config.instances,
      reservationTtlMs: 600_000,
      signals: {
        turned: (level) => turns.push(level),
        reserved: () => {},
        dropped: (count) => {
          one.dropped += count;
        },
      },
    }),
    async ask(quotas, tokens = 0) {
      return one.store.reserve(claim(quotas, tokens));
    },
  };
  open.push(one.store);
  return one;
}

async function redisOf(options?: Parameters<typeof startRedis>[0]): Promise<TestRedis> {
  const redis = await startRedis(options);
  open.push(redis);
  return redis;
}

const isIn = (state: "shared" | "local", ...replicas: Replica[]) =>
  expect
    .poll(() => replicas.map(({ store }) => store.level.state), { timeout: 15_000, interval: 10 })
    .toEqual(replicas.map(() => state));

/** How many of `count` requests are admitted. */
async function admitted(one: Replica, quotas: readonly Quota[], count: number): Promise<Reservation[]> {
  const reservations: Reservation[] = [];
  for (let asked = 0; asked < count; asked++) {
    const admission = await one.ask(quotas);
    if (admission.ok) reservations.push(admission.reservation);
  }
  return reservations;
}

test("two replicas count as one, and each knows of the other", async () => {
  const redis = await redisOf();
  const replicas = [replica(redis), replica(redis)] as const;
  await isIn("shared", ...replicas);
  const quotas = [quota("requests", 10)];
  expect(await admitted(replicas[0], quotas, 6)).toHaveLength(6);
  expect(await admitted(replicas[1], quotas, 6)).toHaveLength(4);
  await expect.poll(() => replicas.map(({ store }) => store.level.instances), { timeout: 5000 }).toEqual([2, 2]);
  await replicas[1].store.close();
  await expect.poll(() => replicas[0].store.level.instances, { timeout: 5000 }).toBe(1);
  expect(replicas[0].turns.map(({ state }) => state)).toEqual(["shared"]);
});

test("a Redis that is not there costs nothing, is told once, and is used when it comes", async () => {
  const redis = await redisOf();
  await redis.kill();
  const one = replica(redis);
  await one.store.started;
  const quotas = [quota("requests", 3)];
  const started = performance.now();
  const admission = await one.ask(quotas);
  expect(performance.now() - started).toBeLessThan(20);
  expect(admission).toMatchObject({ ok: true, state: { local: true, requests: { limit: 3, remaining: 2 } } });
  expect(one.turns).toMatchObject([{ state: "local", why: expect.stringContaining("ECONNREFUSED") }]);
  await redis.restart();
  await isIn("shared", one);
  expect(one.turns.map(({ state }) => state)).toEqual(["local", "shared"]);
  // What was admitted without Redis counts in it now.
  expect(await admitted(one, quotas, 3)).toHaveLength(2);
});

test.each([
  ["frozen", (redis: TestRedis) => redis.freeze()],
  ["killed", (redis: TestRedis) => redis.kill()],
])("a %s Redis costs 50 ms at most, once, and fails no request", async (_, hurt) => {
  const redis = await redisOf();
  const one = replica(redis);
  await isIn("shared", one);
  const quotas = [quota("requests", 100_000)];
  await admitted(one, quotas, 20);
  await hurt(redis);
  const times: number[] = [];
  for (let asked = 0; asked < 200; asked++) {
    const started = performance.now();
    expect((await one.ask(quotas)).ok).toBe(true);
    times.push(performance.now() - started);
    await sleep(1);
  }
  expect(times.filter((ms) => ms > 20).length).toBeLessThanOrEqual(2);
  expect(Math.max(...times)).toBeLessThan(75);
  expect(one.turns.map(({ state }) => state)).toEqual(["shared", "local"]);
});

test("40 ms more stay shared, 200 ms more are too much, and what was reserved too late is free again", async () => {
  const redis = await redisOf();
  const proxy: DelayingProxy = await startDelayingProxy(redis.port);
  open.push(proxy);
  const one = replica(proxy);
  await isIn("shared", one);
  const quotas = [quota("requests", 1000), quota("concurrent", 1000)];
  proxy.delayMs = 40;
  const far = await admitted(one, quotas, 20);
  expect(one.store.level.state).toBe("shared");
  proxy.delayMs = 200;
  const late: Reservation[] = [];
  // One more than once, since a busy machine may have made it stumble already.
  while (one.store.level.state === "shared") {
    late.push(...(await admitted(one, quotas, 1)));
    await sleep(5);
  }
  expect(await one.ask([quota("requests", 1, 60_000, "team b")])).toMatchObject({ ok: true, state: { local: true } });
  for (const reservation of [...far, ...late]) reservation.release();
  await sleep(1000);
  expect(one.store.level.state).toBe("local");
  proxy.delayMs = 0;
  await isIn("shared", one);
  await expect.poll(() => one.store.usedOf(quotas), { timeout: 5000 }).toEqual([0, 0]);
});

test("one answer that is a little late is a stumble: nobody waits for it, and nothing turns", async () => {
  const redis = await redisOf();
  const proxy = await startDelayingProxy(redis.port);
  open.push(proxy);
  const one = replica(proxy);
  await isIn("shared", one);
  const quotas = [quota("requests", 1000)];
  await admitted(one, quotas, 1);
  proxy.delayMs = 75;
  expect(await one.ask(quotas)).toMatchObject({ ok: true, state: { local: true } });
  proxy.delayMs = 0;
  expect(await one.ask(quotas)).toMatchObject({ ok: true, state: { local: true } });
  await expect.poll(() => one.ask(quotas)).not.toMatchObject({ state: { local: true } });
  expect(one.turns.map(({ state }) => state)).toEqual(["shared"]);
  await expect.poll(async () => (await one.store.usedOf(quotas))[0]).toBeGreaterThanOrEqual(4);
});

test("over the switch and back, replicas together admit what the limit says, however the use was spread", async () => {
  const redis = await redisOf({ persistent: true });
  const replicas = [replica(redis), replica(redis), replica(redis)] as const;
  await isIn("shared", ...replicas);
  const quotas = [quota("requests", 30)];
  const first = (await admitted(replicas[0], quotas, 18)).length;
  await admitted(replicas[1], quotas, 1);
  await admitted(replicas[2], quotas, 1);
  await expect.poll(() => replicas.map(({ store }) => store.level.instances), { timeout: 5000 }).toEqual([3, 3, 3]);
  // Each has heard the totals once more.
  await sleep(1500);
  await redis.kill();
  let total = first + 2;
  for (const one of replicas) total += (await admitted(one, quotas, 40)).length;
  expect(total).toBeLessThanOrEqual(30);
  // The first has had more than its share: its part of what was left stays unused.
  expect(total).toBeGreaterThanOrEqual(26);
  await redis.restart();
  await isIn("shared", ...replicas);
  for (const one of replicas) total += (await admitted(one, quotas, 40)).length;
  expect(total).toBe(30);
});

test("a Redis that is back without its data decides nothing before all that were there have told it what they admitted", async () => {
  const redis = await redisOf();
  const replicas = [replica(redis), replica(redis), replica(redis)];
  const quotas = [quota("requests", 30)];
  await isIn("shared", ...replicas);
  await expect.poll(() => replicas.map(({ store }) => store.level.instances), { timeout: 5000 }).toEqual([3, 3, 3]);
  await redis.kill();
  await isIn("local", ...replicas);
  await redis.restart();
  let count = 0;
  const states = (): boolean => replicas.some(({ store }) => store.level.state === "local");
  while (states()) {
    for (const one of replicas) count += (await admitted(one, quotas, 1)).length;
    await sleep(1);
  }
  for (const one of replicas) count += (await admitted(one, quotas, 5)).length;
  expect(count).toBeGreaterThanOrEqual(27);
  expect(count).toBeLessThanOrEqual(30);
});

test("slots are held over the loss of Redis, and those of requests that it never knew are held when it is back", async () => {
  const redis = await redisOf({ persistent: true });
  const replicas = [replica(redis), replica(redis)] as const;
  await isIn("shared", ...replicas);
  await expect.poll(() => replicas.map(({ store }) => store.level.instances), { timeout: 5000 }).toEqual([2, 2]);
  const quotas = [quota("concurrent", 4)];
  const held = await admitted(replicas[0], quotas, 1);
  await sleep(1500);
  await redis.kill();
  const alone = [...(await admitted(replicas[0], quotas, 5)), ...(await admitted(replicas[1], quotas, 5))];
  expect(held.length + alone.length).toBeLessThanOrEqual(4);
  expect(alone.length).toBeGreaterThanOrEqual(2);
  await redis.restart();
  await isIn("shared", ...replicas);
  await expect.poll(() => replicas[0].store.usedOf(quotas)).toEqual([held.length + alone.length]);
  for (const reservation of [...held, ...alone]) reservation.settle(took(0));
  await expect.poll(() => replicas[0].store.usedOf(quotas)).toEqual([0]);
});

test("how requests ended while Redis was away is told when it is back, once", async () => {
  const redis = await redisOf({ persistent: true });
  const one = replica(redis);
  await isIn("shared", one);
  const quotas = [quota("tokens", 10_000), quota("cost", 1e9, { kind: "period", every: "month" })];
  const before = [await one.ask(quotas, 100), await one.ask(quotas, 100)];
  await redis.kill();
  await isIn("local", one).catch(() => {});
  const without = [await one.ask(quotas, 100), await one.ask(quotas, 100)];
  for (const admission of [before[0]!, without[0]!])
    if (admission.ok) admission.reservation.settle(took(30, { cost: 5 }));
  expect(one.store.level.backlog).toBeGreaterThan(0);
  await redis.restart();
  await isIn("shared", one);
  await expect.poll(() => one.store.level.backlog).toBe(0);
  expect(await one.store.usedOf(quotas)).toEqual([260, 10]);
  for (const admission of [before[1]!, without[1]!])
    if (admission.ok) admission.reservation.settle(took(30, { cost: 5 }));
  await expect.poll(() => one.store.usedOf(quotas)).toEqual([120, 20]);
  expect(one.dropped).toBe(0);
});

test.each([
  ["FLUSHALL", (redis: TestRedis) => once(redis, "flushall")],
  ["a restart without its data", (redis: TestRedis) => redis.restart()],
])("after %s each replica tells what it admitted that still counts", async (_, lose) => {
  const redis = await redisOf();
  const replicas = [replica(redis), replica(redis)] as const;
  await isIn("shared", ...replicas);
  const quotas = [quota("requests", 20), quota("concurrent", 20)];
  for (const one of replicas) await admitted(one, quotas, 6);
  await lose(redis);
  await expect.poll(() => replicas[0].store.usedOf(quotas).catch(String), { timeout: 10_000 }).toEqual([12, 12]);
  expect((await admitted(replicas[0], quotas, 20)).length).toBe(8);
});

test.each([
  ["read-only", ["replicaof", "127.0.0.1", "1"], ["replicaof", "no", "one"]],
  ["full", ["config", "set", "maxmemory", "1"], ["config", "set", "maxmemory", "0"]],
  [
    "without its replicas",
    ["config", "set", "min-replicas-to-write", "1"],
    ["config", "set", "min-replicas-to-write", "0"],
  ],
])("a Redis that is %s is away, and back when it is not any more", async (_, hurt, heal) => {
  const redis = await redisOf();
  const one = replica(redis);
  await isIn("shared", one);
  const quotas = [quota("requests", 1000)];
  const [name, ...args] = hurt as [string, ...string[]];
  await once(redis, name, ...args);
  expect(await admitted(one, quotas, 5)).toHaveLength(5);
  expect(one.store.level.state).toBe("local");
  const [other, ...others] = heal as [string, ...string[]];
  await once(redis, other, ...others);
  await isIn("shared", one);
  expect(one.turns).toHaveLength(3);
});

test("data of another version is left alone, with one line that says so", async () => {
  const redis = await redisOf();
  await once(redis, "set", "{test}:version", "77");
  const one = replica(redis);
  await one.store.started;
  expect(await admitted(one, [quota("requests", 10)], 1)).toHaveLength(1);
  expect(one.turns).toMatchObject([{ state: "local", why: expect.stringContaining("version «77»") }]);
});
