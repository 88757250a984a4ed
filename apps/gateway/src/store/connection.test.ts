import { hash } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import type { RedisConfig } from "../config/config.ts";
import { createConnection, type RedisConnection } from "./connection.ts";
import { startRedis } from "./test-redis.ts";
import { testRedisConfig } from "./test-redis-config.ts";
import { once, startCluster, startSentinel } from "./test-redis-groups.ts";

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function closedAtEnd<T extends { close(): Promise<void> | void }>(one: T): T {
  open.push(one);
  return one;
}

const addressOf = (text: string) => ({ host: text.split(":")[0]!, port: Number(text.split(":")[1]) });

async function connect(config: RedisConfig): Promise<RedisConnection> {
  const connection = closedAtEnd(createConnection(config));
  await isUp(connection);
  return connection;
}

const isUp = (connection: RedisConnection) =>
  expect.poll(() => connection.command(["ping"]).catch(String), { timeout: 10_000, interval: 20 }).toBe("PONG");

const source = "return redis.call('incrby', KEYS[1], ARGV[1])";
const increment = { source, sha1: hash("sha1", source, "hex") };

test("runs a script by its hash, and brings it where it is not known, also after SCRIPT FLUSH", async () => {
  const redis = closedAtEnd(await startRedis());
  const connection = await connect(testRedisConfig(redis));
  const key = `${connection.prefix}a`;
  expect(await connection.run(increment, [key], [2])).toBe(2);
  expect(await connection.run(increment, [key], [2])).toBe(4);
  await connection.command(["script", "flush"]);
  expect(await connection.run(increment, [key], [2])).toBe(6);
});

test("a killed server is connected to again when it is back, and nothing that was asked meanwhile is sent then", async () => {
  const redis = closedAtEnd(await startRedis());
  const connection = await connect(testRedisConfig(redis));
  await redis.kill();
  await expect.poll(() => connection.connected).toBe(false);
  const started = performance.now();
  await expect(connection.command(["incr", `${connection.prefix}a`])).rejects.toThrow();
  expect(performance.now() - started).toBeLessThan(50);
  expect(connection.trouble).toContain(`127.0.0.1:${redis.port}`);
  await redis.restart();
  await isUp(connection);
  expect(connection.trouble).toBe(undefined);
  expect(await connection.command(["get", `${connection.prefix}a`])).toBe(null);
});

test("what a frozen server did not answer rejects when the connection is given up, and is not sent again", async () => {
  const redis = closedAtEnd(await startRedis());
  const connection = await connect(testRedisConfig(redis));
  const key = `${connection.prefix}a`;
  redis.freeze();
  await expect(connection.command(["incr", key], { withinMs: 30 })).rejects.toThrow(
    "no answer from Redis within 30 ms",
  );
  const unanswered = connection.command(["incr", key]);
  connection.renew("it is silent");
  await expect(unanswered).rejects.toThrow();
  redis.thaw();
  await isUp(connection);
  expect(Number(await connection.command(["get", key]))).toBeLessThanOrEqual(2);
});

test("a connection to nobody harms nobody, and ends", async () => {
  const connection = closedAtEnd(createConnection(testRedisConfig({ port: 1 })));
  await expect.poll(() => connection.trouble).toContain("127.0.0.1:1: connect ECONNREFUSED");
  await expect(connection.command(["ping"])).rejects.toThrow("ECONNREFUSED");
  const wrongName = closedAtEnd(
    createConnection(testRedisConfig({ port: 0 }, { addresses: [{ host: "redis.invalid", port: 1 }] })),
  );
  await expect.poll(() => wrongName.trouble, { timeout: 10_000 }).toContain("redis.invalid:1");
});

test("user and password open the door, and a wrong password is told without being shown", async () => {
  const redis = closedAtEnd(await startRedis({ args: ["--requirepass", "hunter2-hunter2"] }));
  const right = await connect(testRedisConfig(redis, { username: "default", password: () => "hunter2-hunter2" }));
  expect(right.connected).toBe(true);
  const wrong = closedAtEnd(createConnection(testRedisConfig(redis, { password: () => "hunter3-hunter3" })));
  await expect.poll(() => wrong.trouble).toContain("WRONGPASS");
  expect(wrong.trouble).not.toContain("hunter");
});

test("a database other than the first is kept to", async () => {
  const redis = closedAtEnd(await startRedis());
  const connection = await connect(testRedisConfig(redis, { database: 3 }));
  await connection.command(["set", "a", "1"]);
  expect(await once(redis, "dbsize")).toBe(0);
});

test("a channel is heard again after the server was killed, and its subscriber is told when to read what it missed", async () => {
  const redis = closedAtEnd(await startRedis());
  const connection = await connect(testRedisConfig(redis));
  const heard: string[] = [];
  let times = 0;
  const stop = connection.subscribe("news", { onMessage: (text) => heard.push(text), onHeard: () => times++ });
  await expect.poll(() => times).toBe(1);
  await once(redis, "publish", "news", "one");
  await expect.poll(() => heard).toEqual(["one"]);
  await redis.restart();
  await expect.poll(() => times, { timeout: 10_000 }).toBe(2);
  await once(redis, "publish", "news", "two");
  await expect.poll(() => heard).toEqual(["one", "two"]);
  stop();
  await expect.poll(() => once(redis, "publish", "news", "three")).toBe(0);
  expect(heard).toEqual(["one", "two"]);
});

test("a failover is followed, and so is the death of the new master", { timeout: 60_000 }, async () => {
  const group = closedAtEnd(await startSentinel());
  const addresses = group.sentinels.map(addressOf);
  const connection = await connect(
    testRedisConfig({ port: 0 }, { topology: "sentinel", addresses, masterName: group.name }),
  );
  expect(connection.address).toBe(`127.0.0.1:${(await group.master()).port}`);
  const next = await group.failover();
  const write = () => connection.command(["set", `${connection.prefix}a`, "1"]).catch(String);
  await expect.poll(write, { timeout: 10_000 }).toBe("OK");
  await expect.poll(() => connection.address, { timeout: 5000 }).toBe(`127.0.0.1:${next.port}`);
  await expect.poll(write, { timeout: 10_000 }).toBe("OK");
  await next.kill();
  await expect.poll(write, { timeout: 20_000 }).toBe("OK");
  expect(connection.address).not.toBe(`127.0.0.1:${next.port}`);
});

test("a slot is followed while it moves and when it has moved", { timeout: 60_000 }, async () => {
  const cluster = closedAtEnd(await startCluster());
  const connection = await connect(
    testRedisConfig({ port: 0 }, { topology: "cluster", addresses: cluster.addresses.map(addressOf) }),
  );
  const keys = ["a", "b"].map((name) => `${connection.prefix}${name}`);
  for (const key of keys) await connection.run(increment, [key], [1]);
  const owner = await cluster.ownerOf(keys[0]!);
  expect(connection.address).toBe(`127.0.0.1:${owner.port}`);
  const target = cluster.nodes.find((node) => node !== owner)!;
  await cluster.moveSlot(keys[0]!, target, async () => {
    // One of the two is there already, and one that is new belongs there.
    expect(await Promise.all(keys.map((key) => connection.run(increment, [key], [1])))).toEqual([2, 2]);
    expect(await connection.run(increment, [`${connection.prefix}new`], [1])).toBe(1);
    expect(connection.address).toBe(`127.0.0.1:${owner.port}`);
  });
  await expect.poll(() => connection.run(increment, [keys[0]!], [0]).catch(String), { timeout: 10_000 }).toBe(2);
  expect(connection.address).toBe(`127.0.0.1:${target.port}`);
});

test("a server that repeats the password that it was sent does not make it known", async () => {
  const redis = closedAtEnd(await startRedis({ args: ["--rename-command", "AUTH", "shut"] }));
  const password = () => "word-that-nobody-may-read";
  const connection = closedAtEnd(createConnection(testRedisConfig(redis, { password })));
  await expect.poll(() => connection.trouble).toMatch(/unknown command|shut/i);
  expect(connection.trouble).not.toContain(password());
  expect(await connection.command(["ping"]).catch(String)).not.toContain(password());
});
