import { afterAll, beforeAll } from "vitest";
import { type FoundRedis, findRedis } from "../store/test-redis.ts";
import { limitStoreContract, type StoreUnderTest } from "./limit-store-contract.ts";
import { createRedisStore, type RedisStore, type RedisStoreOptions } from "./redis-store.ts";
import { createTestRunner, type TestRunner } from "./redis-test-runner.ts";

let found: FoundRedis;
const runners: TestRunner[] = [];
const stores: RedisStore[] = [];

beforeAll(async () => {
  found = await findRedis();
});

afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  for (const runner of runners) runner.close();
  await found.close();
});

const clock = { key: `{test-${process.pid}}:clock`, time: Date.UTC(2026, 10, 21), now: () => clock.time };
let cases = 0;

function setUp(options: Partial<RedisStoreOptions> = {}): StoreUnderTest & { store: RedisStore } {
  const runner = runners[0] ?? createTestRunner(found.url, clock);
  if (runners.length === 0) runners.push(runner);
  const prefix = `test-${process.pid}-${cases++}`;
  const make = (): RedisStore => {
    const store = createRedisStore({ runner, prefix, now: clock.now, reservationTtlMs: 600_000, ...options });
    stores.push(store);
    return store;
  };
  const store = make();
  return {
    store,
    other: make(),
    used: async (quota) => (await store.used([quota]))[0]!,
    now: clock.now,
    advance(ms) {
      clock.time += ms;
    },
  };
}

limitStoreContract("in Redis", () => setUp());
