import { Redis } from "ioredis";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { compileStore } from "../config/compile-store.ts";
import type { ConfigFile } from "../config/schema.ts";
import { createConnection } from "../store/connection.ts";
import { startRedis, type TestRedis } from "../store/test-redis.ts";
import { startCluster } from "../store/test-redis-groups.ts";
import type { KeyRecord } from "./key-record.ts";
import { hashKey } from "./keys.ts";
import { followStoredKeys, type StoredKeys } from "./stored-keys.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function startStore(options?: Parameters<typeof startRedis>[0]): Promise<TestRedis> {
  const redis = await startRedis(options);
  open.push(() => redis.close());
  return redis;
}

interface Replica {
  readonly keys: StoredKeys;
  readonly told: string[];
}

function follow(redis: TestRedis, options: { pollMs?: number; wallClock?: () => number } = {}): Replica {
  return followAt(redis.url, options);
}

function followAt(store: ConfigFile["store"], { pollMs = 1000, wallClock = Date.now } = {}): Replica {
  const config = compileStore(store, { files: new Map(), paths: [], folder: "/" });
  if (config === "memory") throw new Error("a Redis is wanted");
  const connection = createConnection(config);
  const told: string[] = [];
  const tell = (event: string): void => void told.push(event);
  const log = { info: tell, warn: tell };
  const keys = followStoredKeys({ connection, log, pollMs, now: () => performance.now(), wallClock });
  open.push(() => {
    keys.close();
    connection.close();
  });
  return { keys, told };
}

const hexOf = (key: string): string => hashKey(key).slice(7);
const recordOf = (key: string, more: Partial<KeyRecord> = {}): KeyRecord => ({
  hash: hexOf(key),
  team: "a",
  name: undefined,
  created: Date.now(),
  expires: undefined,
  retires: undefined,
  revoked: undefined,
  revision: 1,
  ...more,
});

async function put(replica: Replica, ...records: KeyRecord[]): Promise<void> {
  await replica.keys.refresh();
  expect(await replica.keys.write(records)).toBe(true);
}

const names = ({ keys }: Replica): (string | undefined)[] => [...keys.records()].map(({ name }) => name).sort();
const has = (replica: Replica, key: string): boolean => {
  return (replica.keys.get(hexOf(key))?.validUntil ?? 0) > Date.now();
};

test("a key that one replica writes is known to the others within two seconds, and never its text to the store", async () => {
  const redis = await startStore();
  const [one, two] = [follow(redis, { pollMs: 60_000 }), follow(redis, { pollMs: 60_000 })];
  await Promise.all([one.keys.first, two.keys.first]);
  await put(one, recordOf("key-a", { name: "ci" }));
  const began = performance.now();
  await expect.poll(() => has(two, "key-a"), { timeout: 2000, interval: 5 }).toBe(true);
  expect(performance.now() - began).toBeLessThan(2000);
  expect(two.keys.get(hexOf("key-a"))).toMatchObject({ team: "a", id: "ci", validUntil: Number.POSITIVE_INFINITY });
  const client = new Redis(redis.url);
  open.push(() => client.disconnect());
  const stored = await client.hgetall("{signalbox}:keys");
  expect(stored).toEqual({ [hexOf("key-a")]: expect.stringContaining('"team":"a"') });
  expect(JSON.stringify(stored)).not.toContain("key-a");
  expect((await client.keys("*")).every((name) => name.startsWith("{signalbox}:"))).toBe(true);
});

test("messages that nobody hears are made good by looking", async () => {
  const redis = await startStore();
  const [one, two] = [follow(redis), follow(redis, { pollMs: 100 })];
  await Promise.all([one.keys.first, two.keys.first]);
  const client = new Redis(redis.url);
  open.push(() => client.disconnect());
  await client.call("client", "kill", "type", "pubsub");
  await put(one, recordOf("key-a"));
  await expect.poll(() => has(two, "key-a"), { timeout: 2000 }).toBe(true);
});

test("of two that write at once one is told that something changed", async () => {
  const redis = await startStore();
  const [one, two] = [follow(redis, { pollMs: 60_000 }), follow(redis, { pollMs: 60_000 })];
  await Promise.all([one.keys.refresh(), two.keys.refresh()].map((each) => each.catch(() => {})));
  await Promise.all([one.keys.first, two.keys.first]);
  const written = await Promise.all([one.keys.write([recordOf("key-a")]), two.keys.write([recordOf("key-b")])]);
  expect(written.sort()).toEqual([false, true]);
});

test("thousands of keys are read in pages, and each of them once more when it changes", async () => {
  const redis = await startStore();
  const one = follow(redis);
  await one.keys.first;
  const all = Array.from({ length: 2345 }, (_, i) => recordOf(`key-${i}`, { name: `n${i}` }));
  await put(one, ...all);
  const two = follow(redis);
  await two.keys.first;
  expect(two.keys.size).toBe(2345);
  await put(one, { ...all[7]!, revoked: Date.now() - 1, revision: 2 });
  await expect.poll(() => has(two, "key-7"), { timeout: 2000 }).toBe(false);
  expect(two.keys.get(hexOf("key-7"))?.ending).toBe("was revoked");
  expect(has(two, "key-8")).toBe(true);
});

test("while the store is away keys stay valid, and none can be made", async () => {
  const redis = await startStore({ persistent: true });
  const one = follow(redis, { pollMs: 50 });
  await one.keys.first;
  await put(one, recordOf("key-a"));
  await redis.kill();
  await expect(one.keys.refresh()).rejects.toMatchObject({ code: "keys_unavailable", status: 503 });
  await expect(one.keys.write([recordOf("key-b")])).rejects.toMatchObject({ code: "keys_unavailable" });
  expect(has(one, "key-a")).toBe(true);
  await redis.restart();
  await expect.poll(() => one.keys.refresh().then(() => "read", String), { timeout: 5000 }).toBe("read");
  expect(one.told).toEqual([]);
  await put(one, recordOf("key-b"));
  expect(has(one, "key-b")).toBe(true);
});

test("a store that is there and whose keys are something else is told of once, and when that is over", async () => {
  const redis = await startStore();
  const one = follow(redis, { pollMs: 20 });
  await one.keys.first;
  await put(one, recordOf("key-a"));
  const client = new Redis(redis.url);
  open.push(() => client.disconnect());
  const state = "{signalbox}:keys:state";
  await client.rename(state, "kept");
  await client.set(state, "something else");
  await expect.poll(() => one.told).toEqual(["keys of the store cannot be read: those known stay valid"]);
  expect(has(one, "key-a")).toBe(true);
  await client.rename("kept", state);
  const again = "keys of the store are followed again";
  await expect.poll(() => one.told.filter((event) => event === again)).toEqual([again]);
});

test("a store that lost its keys gets them again, and a new replica has them then", async () => {
  const redis = await startStore();
  const [one, two] = [follow(redis, { pollMs: 50 }), follow(redis, { pollMs: 50 })];
  await Promise.all([one.keys.first, two.keys.first]);
  const revoked = recordOf("key-b", { name: "b", revoked: Date.now() - 1 });
  await put(one, recordOf("key-a", { name: "a" }), revoked);
  await expect.poll(() => names(two)).toEqual(["a", "b"]);
  const client = new Redis(redis.url);
  open.push(() => client.disconnect());
  await client.flushall();
  await expect
    .poll(() => [...one.told, ...two.told], { timeout: 5000 })
    .toContain("the store had lost keys, and has them again");
  const three = follow(redis);
  await three.keys.first;
  expect([has(one, "key-a"), has(two, "key-a"), has(three, "key-a"), has(three, "key-b")]).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

test("a store that lost what it counts by has its keys read all the same, and takes more", async () => {
  const redis = await startStore();
  const one = follow(redis, { pollMs: 50 });
  await one.keys.first;
  await put(one, ...Array.from({ length: 1200 }, (_, i) => recordOf(`key-${i}`)));
  const client = new Redis(redis.url);
  open.push(() => client.disconnect());
  await client.del("{signalbox}:keys:state");
  const two = follow(redis, { pollMs: 50 });
  await two.keys.first;
  expect([two.keys.size, has(two, "key-1199")]).toEqual([1200, true]);
  await put(two, recordOf("key-new"));
  await expect.poll(() => has(one, "key-new"), { timeout: 2000 }).toBe(true);
});

test("a key that was revoked does not come to life when the store is set back", async () => {
  const redis = await startStore();
  const one = follow(redis, { pollMs: 50 });
  await one.keys.first;
  const first = recordOf("key-a", { name: "a" });
  await put(one, first);
  const client = new Redis(redis.url);
  open.push(() => client.disconnect());
  const before = await client.hgetall("{signalbox}:keys");
  await put(one, { ...first, revoked: Date.now() - 1, revision: 2 });
  // As after a failover to a replica that had not heard of it.
  await client.hset("{signalbox}:keys", before);
  await client.hset("{signalbox}:keys:state", "last", "1");
  await client.zadd("{signalbox}:keys:numbers", 1, first.hash);
  await expect.poll(() => one.told, { timeout: 5000 }).toContain("the store had lost keys, and has them again");
  expect(has(one, "key-a")).toBe(false);
  const two = follow(redis);
  await two.keys.first;
  expect(two.keys.get(first.hash)?.ending).toBe("was revoked");
});

test("in a Cluster keys are where scripts can take them together, and every replica hears of them", async () => {
  const cluster = await startCluster();
  open.push(() => cluster.close());
  const addresses = cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
  const store = { cluster: addresses, prefix: "signalbox", instances: 1 };
  const [one, two] = [followAt(store, { pollMs: 10_000 }), followAt(store, { pollMs: 10_000 })];
  await Promise.all([one.keys.first, two.keys.first]);
  await put(one, recordOf("key-a"));
  await expect.poll(() => has(two, "key-a"), { timeout: 2000 }).toBe(true);
}, 60_000);

test("what ended long ago is forgotten, in the store too", async () => {
  const redis = await startStore();
  let time = Date.now();
  const one = follow(redis, { wallClock: () => time });
  await one.keys.first;
  await put(one, recordOf("key-a", { name: "a", expires: time + 1000 }), recordOf("key-b", { name: "b" }));
  time += 31 * 86_400_000;
  expect(names(one)).toEqual(["b"]);
  await put(one, recordOf("key-c", { name: "c" }));
  const client = new Redis(redis.url);
  open.push(() => client.disconnect());
  expect((await client.hkeys("{signalbox}:keys")).sort()).toEqual([hexOf("key-b"), hexOf("key-c")].sort());
});

test("records that cannot be read, and teams that are not there, are told once", async () => {
  const redis = await startStore();
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  await client.hset("{signalbox}:keys", hexOf("x"), '{"v":99}', hexOf("y"), "nonsense");
  await client.zadd("{signalbox}:keys:numbers", 1, hexOf("x"), 2, hexOf("y"));
  await client.hset("{signalbox}:keys:state", "epoch", "e", "last", "2");
  const one = follow(redis);
  one.keys.follow(new Set(["a"]));
  await one.keys.first;
  await put(one, recordOf("key-a"), recordOf("key-b", { team: "gone" }), recordOf("key-c", { team: "gone" }));
  expect(one.told).toEqual([
    "a key of the store cannot be read: another version wrote it",
    'keys of the store are not valid: the policy has no team "gone"',
  ]);
});
