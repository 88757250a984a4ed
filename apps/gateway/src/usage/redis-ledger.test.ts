import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { createConnection, type RedisConnection } from "../store/connection.ts";
import { startRedis, type TestRedis } from "../store/test-redis.ts";
import { testRedisConfig } from "../store/test-redis-config.ts";
import { createRedisLedger } from "./redis-ledger.ts";
import { entry } from "./test-entry.ts";
import { DAY_MS, dayOf, type UsageEntry } from "./usage-entry.ts";
import { readUsageStreams } from "./usage-streams.ts";

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function connect(redis: TestRedis): RedisConnection {
  const connection = createConnection(testRedisConfig(redis));
  open.push(connection);
  return connection;
}

async function start(): Promise<{ redis: TestRedis; connection: RedisConnection; problems: string[] }> {
  const redis = await startRedis({ persistent: true });
  open.push(redis);
  const connection = connect(redis);
  await isUp(connection);
  return { redis, connection, problems: [] };
}

const isUp = (connection: RedisConnection) =>
  expect.poll(() => connection.command(["ping"]).catch(String), { timeout: 10_000, interval: 20 }).toBe("PONG");

const now = Date.now();
const numbered = (id: number, time = now): UsageEntry => entry({ id: `r${id}`, time, cost: id, gpuMs: 1 });

async function readAll(connection: RedisConnection, range = { from: now - 3 * DAY_MS, until: now + 3 * DAY_MS }) {
  const entries: UsageEntry[] = [];
  await readUsageStreams(connection, range, (one) => entries.push(one));
  return entries;
}

const idsOf = (entries: readonly UsageEntry[]): string[] => entries.map(({ id }) => id).sort();
const idsTo = (count: number): string[] => Array.from({ length: count }, (_, id) => `r${id}`).sort();

test("entries go to the stream of their day, and come back as they were", async () => {
  const { connection } = await start();
  const ledger = createRedisLedger({ connection, keepDays: 7, onProblem: expect.unreachable });
  const entries = [numbered(0, now - DAY_MS), numbered(1), numbered(2)];
  for (const one of entries) ledger.enter(one);
  await ledger.close();
  expect(await readAll(connection)).toEqual(entries);
  expect(await readAll(connection, { from: now, until: now + 1 })).toEqual(entries.slice(1));
  const stream = `{signalbox}:usage:${dayOf(now)}`;
  expect(await connection.command(["xlen", stream])).toBe(2);
  const left = Number(await connection.command(["pttl", stream]));
  expect(left).toBeGreaterThan(7 * DAY_MS - 60_000);
  expect(left).toBeLessThanOrEqual(8 * DAY_MS);
});

test("more than one batch is read and written whole", async () => {
  const { connection } = await start();
  const ledger = createRedisLedger({ connection, keepDays: 7, onProblem: expect.unreachable });
  for (let id = 0; id < 2500; id++) ledger.enter(numbered(id));
  await ledger.close();
  const entries = await readAll(connection);
  expect(idsOf(entries)).toEqual(idsTo(2500));
});

test("what comes while Redis is gone is late, and each entry is there once", async () => {
  const { redis, connection } = await start();
  const ledger = createRedisLedger({ connection, keepDays: 7, onProblem: expect.unreachable });
  for (let id = 0; id < 1000; id++) {
    ledger.enter(numbered(id));
    if (id % 100 === 50) await sleep(20);
    if (id === 400) await redis.kill();
    if (id === 800) await redis.restart();
  }
  await expect.poll(async () => (await readAll(connection).catch(() => [])).length, { timeout: 15_000 }).toBe(1000);
  await ledger.close();
  expect(idsOf(await readAll(connection))).toEqual(idsTo(1000));
  expect(ledger.dropped).toBe(0);
});

test("what was sent, and whose answer was lost, is not written again", async () => {
  const { redis, connection } = await start();
  const ledger = createRedisLedger({ connection, keepDays: 7, onProblem: expect.unreachable });
  ledger.enter(numbered(0));
  await expect.poll(async () => (await readAll(connection)).length).toBe(1);
  redis.freeze();
  for (let id = 1; id < 300; id++) ledger.enter(numbered(id));
  // The batch is in the frozen server's socket when the connection is given up, and is run when it thaws.
  await sleep(150);
  connection.renew("a test gives it up");
  await sleep(50);
  redis.thaw();
  await expect.poll(async () => (await readAll(connection).catch(() => [])).length, { timeout: 10_000 }).toBe(300);
  await ledger.close();
  expect(idsOf(await readAll(connection))).toEqual(idsTo(300));
});

test("beyond what may wait entries are dropped and counted", async () => {
  const { redis, connection } = await start();
  await redis.kill();
  const ledger = createRedisLedger({ connection, keepDays: 7, onProblem: expect.unreachable, maxWaiting: 10 });
  for (let id = 0; id < 15; id++) ledger.enter(numbered(id));
  expect(ledger.dropped).toBe(5);
  await ledger.close();
  expect(ledger.dropped).toBe(15);
});

test("a Redis that says no is told of once", async () => {
  const { connection, problems } = await start();
  await connection.command(["set", `{signalbox}:usage:${dayOf(now)}`, "not a stream"]);
  const ledger = createRedisLedger({ connection, keepDays: 7, onProblem: (problem) => problems.push(problem) });
  ledger.enter(numbered(1));
  await expect.poll(() => problems.length, { timeout: 5000 }).toBe(1);
  await sleep(300);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain("WRONGTYPE");
  await ledger.close();
});

test("two replicas write into the same stream, each its own", async () => {
  const { redis, connection } = await start();
  const other = connect(redis);
  await isUp(other);
  const ledgers = [connection, other].map((each) =>
    createRedisLedger({ connection: each, keepDays: 7, onProblem: expect.unreachable }),
  );
  for (let id = 0; id < 500; id++) ledgers[id % 2]!.enter(numbered(id));
  await Promise.all(ledgers.map((ledger) => ledger.close()));
  expect(idsOf(await readAll(connection))).toEqual(idsTo(500));
});
