import { afterAll, beforeAll, expect, test } from "vitest";
import { createRedisStore, type RedisStore } from "../teams/redis-store.ts";
import { createTestRunner, type TestRunner } from "../teams/redis-test-runner.ts";
import { admitted, claim, quota, took } from "../teams/store-contract/claims.ts";
import { ScriptTurns } from "./script-turns.ts";
import { type FoundRedis, findRedis } from "./test-redis.ts";

let found: FoundRedis;
let runner: TestRunner;
let cases = 0;
const stores: RedisStore[] = [];

beforeAll(async () => {
  found = await findRedis();
  runner = createTestRunner(found.url);
});

afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  runner.close();
  await found.close();
});

function createStore(): { store: RedisStore; prefix: string } {
  const prefix = `test-turns-${process.pid}-${cases++}`;
  const store = createRedisStore({
    runner: new ScriptTurns(runner),
    prefix,
    now: () => performance.now(),
    reservationTtlMs: 600_000,
  });
  stores.push(store);
  runner.calls.clear();
  return { store, prefix };
}

const requests = quota("requests", 5);
const tokens = quota("tokens", 1000);
const slots = quota("concurrent", 4);
const all = [requests, tokens, slots];

test("what is asked in one turn goes in one call, and each has its own answer", async () => {
  const { store } = createStore();
  const answers = await Promise.all(Array.from({ length: 10 }, () => store.reserve(claim(all, 100))));
  expect(answers.map(({ ok }) => ok)).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0, 0].map(Boolean));
  expect([...runner.calls]).toEqual([["turn", 1]]);
  expect(await store.used(all)).toEqual([4, 400, 4]);
});

test("ends go with reservations, in their order", async () => {
  const { store } = createStore();
  const held = await Promise.all(Array.from({ length: 4 }, () => store.reserve(claim(all, 100))));
  runner.calls.clear();
  for (const one of held) admitted(one).settle(took(30));
  const next = await store.reserve(claim(all, 100));
  expect(next.ok).toBe(true);
  expect([...runner.calls]).toEqual([["turn", 1]]);
  expect(await store.used(all)).toEqual([5, 220, 1]);
});

test("one alone is not dressed up, and very many go in several calls", async () => {
  const { store } = createStore();
  const wide = [quota("requests", 1000)];
  await store.reserve(claim(wide, 0));
  expect([...runner.calls]).toEqual([["reserve", 1]]);
  await Promise.all(Array.from({ length: 150 }, () => store.reserve(claim(wide, 0))));
  expect(runner.calls.get("turn")).toBe(3);
  expect(await store.used(wide)).toEqual([151]);
});

test("when Redis refuses one of them, all that went together hear of it", async () => {
  const { store, prefix } = createStore();
  await runner.redis.set(`{${prefix}}:quota:${tokens.id}`, "not a window");
  const together = [store.reserve(claim([requests], 0)), store.reserve(claim(all, 1))];
  const ends = await Promise.allSettled(together);
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect((await store.reserve(claim([requests], 0))).ok).toBe(true);
});
