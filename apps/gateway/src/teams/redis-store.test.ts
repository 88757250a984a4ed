import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FoundRedis, findRedis } from "../store/test-redis.ts";
import { createRedisStore, type RedisStore } from "./redis-store.ts";
import { createTestRunner, type TestRunner } from "./redis-test-runner.ts";
import { checkRedisVersion } from "./redis-version.ts";
import { type ScriptRunner, scripts } from "./scripts.ts";
import { admitted, claim, quota, refused, took } from "./store-contract/claims.ts";
import { limitStoreContract } from "./store-contract/limit-store-contract.ts";

const clock = { key: `{test-${process.pid}}:clock`, time: Date.UTC(2026, 10, 21), now: () => clock.time };
const stores: RedisStore[] = [];
let found: FoundRedis;
let runner: TestRunner;
let cases = 0;

beforeAll(async () => {
  found = await findRedis();
  runner = createTestRunner(found.url, clock);
});

afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  expect(runner.errors).toEqual([]);
  runner.close();
  await found.close();
});

const newPrefix = (): string => `test-${process.pid}-${cases++}`;

function createStore(prefix: string, by: ScriptRunner = runner): RedisStore {
  const store = createRedisStore({ runner: by, prefix, now: clock.now, reservationTtlMs: 600_000 });
  stores.push(store);
  return store;
}

limitStoreContract("in Redis", () => {
  const prefix = newPrefix();
  const [store, other] = [createStore(prefix), createStore(prefix)];
  return {
    store,
    other,
    used: async (one) => (await store.used([one]))[0]!,
    now: clock.now,
    async advance(ms) {
      clock.time += ms;
      await Promise.all([store.renew(), other.renew()]);
    },
  };
});

const slots = quota("concurrent", 2);
const budget = quota("tokens", 1000, { kind: "period", every: "month" });
const both = [slots, budget];

describe("leases", () => {
  test("what a process held that is gone is free again after 30 s, and not before", async () => {
    const prefix = newPrefix();
    const [gone, alive] = [createStore(prefix), createStore(prefix)];
    for (let i = 0; i < 2; i++) admitted(await gone.reserve(claim(both, 500)));
    clock.time += 29_999;
    refused(await alive.reserve(claim([slots])));
    refused(await alive.reserve(claim([budget], 1)));
    clock.time += 1;
    admitted(await alive.reserve(claim([slots])));
    admitted(await alive.reserve(claim([budget], 1000)));
    expect(await alive.used(both)).toEqual([1, 1000]);
  });

  test("a ten-minute reply keeps its slot while its process lives", async () => {
    const prefix = newPrefix();
    const [slow, other] = [createStore(prefix), createStore(prefix)];
    const one = admitted(await slow.reserve(claim([quota("concurrent", 1)])));
    for (let seconds = 0; seconds < 590; seconds += 10) {
      clock.time += 10_000;
      await slow.renew();
      refused(await other.reserve(claim([quota("concurrent", 1)])));
    }
    one.settle(took(5));
    admitted(await other.reserve(claim([quota("concurrent", 1)])));
  });

  test("what nobody ends is not renewed for ever", async () => {
    const prefix = newPrefix();
    const [store, other] = [createStore(prefix), createStore(prefix)];
    admitted(await store.reserve(claim([quota("concurrent", 1)])));
    for (let seconds = 0; seconds <= 640; seconds += 10) {
      clock.time += 10_000;
      await store.renew();
    }
    admitted(await other.reserve(claim([quota("concurrent", 1)])));
  });

  test("a settlement after the lease charges what was used, and frees nothing twice", async () => {
    const prefix = newPrefix();
    const [late, other] = [createStore(prefix), createStore(prefix)];
    const window = quota("tokens", 1000, 3_600_000);
    const one = admitted(await late.reserve(claim([...both, window], 400)));
    clock.time += 30_000;
    for (let i = 0; i < 2; i++) admitted(await other.reserve(claim(both, 100)));
    expect(await other.used([...both, window])).toEqual([2, 200, 400]);
    one.settle(took(300));
    expect(await other.used([...both, window])).toEqual([2, 500, 300]);
    refused(await other.reserve(claim([slots])));
  });

  test("a renewal holds again what a restart lost or a long silence gave away", async () => {
    const prefix = newPrefix();
    const store = createStore(prefix);
    const one = admitted(await store.reserve(claim(both, 400)));
    await runner.redis.del(...(await runner.redis.keys(`{${prefix}}:*`)));
    expect(await store.used(both)).toEqual([0, 0]);
    await store.renew();
    await store.renew();
    expect(await store.used(both)).toEqual([1, 400]);
    one.settle(took(300));
    expect(await store.used(both)).toEqual([0, 300]);
  });

  test("a renewal that overtakes the end of its request holds nothing", async () => {
    const prefix = newPrefix();
    const store = createStore(prefix);
    const sent: (readonly (string | number)[])[] = [];
    const recorded = createStore(prefix, {
      run(script, keys, args) {
        if (script === scripts.renew) sent.push(args);
        return runner.run(script, keys, args);
      },
    });
    const one = admitted(await recorded.reserve(claim(both, 400)));
    await recorded.renew();
    one.settle(took(300));
    await runner.run(scripts.renew, [`{${prefix}}:leases`, `{${prefix}}:holds`], sent[0]!);
    expect(await store.used(both)).toEqual([0, 300]);
    expect(await runner.redis.zcard(`{${prefix}}:leases`)).toBe(0);
  });

  test("a request gives back a bounded number of leases, renewals the rest; nothing stays behind", async () => {
    const prefix = newPrefix();
    const [gone, alive] = [createStore(prefix), createStore(prefix)];
    const wide = quota("concurrent", 5000);
    await Promise.all(Array.from({ length: 1500 }, () => gone.reserve(claim([wide]))));
    clock.time += 30_000;
    admitted(await alive.reserve(claim([wide]))).settle(took(0));
    expect(await alive.used([wide])).toEqual([1500 - 64]);
    const last = admitted(await alive.reserve(claim([wide])));
    await alive.renew();
    await alive.renew();
    expect(await alive.used([wide])).toEqual([1]);
    last.release();
    expect(await alive.used([wide])).toEqual([0]);
    expect(await runner.redis.keys(`{${prefix}}:*`)).toEqual([
      expect.stringContaining(":ended:"),
      expect.stringContaining(":ended:"),
    ]);
  });
});

describe("ends", () => {
  test("a settlement that is sent twice counts once", async () => {
    const prefix = newPrefix();
    const twice: ScriptRunner = {
      async run(script, keys, args) {
        const answer = await runner.run(script, keys, args);
        if (script.repeatable) await runner.run(script, keys, args);
        return answer;
      },
    };
    const store = createStore(prefix, twice);
    const quotas = [...both, quota("tokens", 1000), quota("requests", 10)];
    admitted(await store.reserve(claim(quotas, 200))).settle(took(250));
    admitted(await store.reserve(claim(quotas, 200))).settle(took(150));
    admitted(await store.reserve(claim(quotas, 200))).release();
    admitted(await store.reserve(claim(quotas, 100)));
    await store.renew();
    expect(await store.used(quotas)).toEqual([1, 500, 500, 3]);
  });

  test("what nothing limits costs no call", async () => {
    const prefix = newPrefix();
    const store = createStore(prefix);
    const before = [...runner.calls.values()].reduce((sum, count) => sum + count, 0);
    admitted(await store.reserve(claim([]))).settle(took(5));
    admitted(await store.reserve(claim([]))).release();
    expect([...runner.calls.values()].reduce((sum, count) => sum + count, 0)).toBe(before);
  });

  test("a request is one call to reserve and one to settle, and none when all stays as it was counted", async () => {
    const store = createStore(newPrefix());
    runner.calls.clear();
    const quotas = [quota("requests", 10), quota("tokens", 1000), quota("tokens", 9000, 3_600_000)];
    admitted(await store.reserve(claim(quotas, 200))).settle(took(200));
    expect(Object.fromEntries(runner.calls)).toEqual({ reserve: 1 });
    admitted(await store.reserve(claim([...quotas, ...both], 200))).settle(took(190));
    expect(Object.fromEntries(runner.calls)).toEqual({ reserve: 2, settle: 1 });
  });

  test("closing waits for what was sent", async () => {
    const prefix = newPrefix();
    let answered = 0;
    const store = createStore(prefix, {
      async run(script, keys, args) {
        if (script === scripts.settle) await sleep(20);
        const answer = await runner.run(script, keys, args);
        if (script === scripts.settle) answered++;
        return answer;
      },
    });
    for (let i = 0; i < 3; i++) admitted(await store.reserve(claim([budget], 10))).settle(took(10));
    await store.close();
    expect(answered).toBe(3);
    await store.close();
  });

  test("without Redis a reservation fails and an end is nobody's trouble", async () => {
    let down = false;
    const store = createStore(newPrefix(), {
      run: (script, keys, args) => (down ? Promise.reject(new Error("gone")) : runner.run(script, keys, args)),
    });
    const one = admitted(await store.reserve(claim(both, 10)));
    down = true;
    await expect(store.reserve(claim(both, 10))).rejects.toThrow("gone");
    await expect(store.renew()).rejects.toThrow("gone");
    one.settle(took(10));
    await store.close();
  });
});

describe("the clock", () => {
  test("is Redis' own", async () => {
    // Real time: no clock of a test can stand in for the one that the scripts ask.
    const plain = createTestRunner(found.url);
    const store = createStore(newPrefix(), plain);
    const fast = claim(
      [quota("requests", 3, 1000), quota("concurrent", 5), quota("tokens", 1000, { kind: "period", every: "day" })],
      1,
    );
    for (let i = 0; i < 3; i++) admitted(await store.reserve(fast)).settle(took(1));
    const answer = refused(await store.reserve(fast));
    expect(answer.retryAfterMs).toBeGreaterThan(500);
    await sleep(answer.retryAfterMs);
    const next = await store.reserve(fast);
    admitted(next).settle(took(1));
    expect(next.state.tokens?.resetMs).toBeLessThanOrEqual(86_400_000);
    await store.close();
    plain.close();
  });

  test("going back a little frees nothing; going back by a whole window begins it anew", async () => {
    const store = createStore(newPrefix());
    const one = claim([quota("requests", 2)]);
    for (let i = 0; i < 2; i++) admitted(await store.reserve(one));
    clock.time -= 30_000;
    const answer = refused(await store.reserve(one));
    expect(answer.retryAfterMs).toBeGreaterThanOrEqual(90_000);
    clock.time -= 31_000;
    admitted(await store.reserve(one));
    expect(await store.used(one.quotas)).toEqual([1]);
    clock.time += 61_000;
  });
});

describe("the data's version", () => {
  test("is written where nothing stands, and kept", async () => {
    const prefix = newPrefix();
    await checkRedisVersion(runner, prefix);
    await checkRedisVersion(runner, prefix);
    expect(await runner.redis.get(`{${prefix}}:version`)).toBe("1");
  });

  test("of another Signalbox is refused in one line", async () => {
    const prefix = newPrefix();
    await runner.redis.set(`{${prefix}}:version`, "2");
    await expect(checkRedisVersion(runner, prefix)).rejects.toThrow(
      `redis: the data at {${prefix}}:version has version «2», and this Signalbox writes version 1: give another \`store.prefix\`, or delete that data`,
    );
  });
});
