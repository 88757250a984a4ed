import { expect, test } from "vitest";
import { createMemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
import { admitted, claim, minute, quota, refused, took } from "./store-contract/claims.ts";
import { limitStoreContract } from "./store-contract/limit-store-contract.ts";

function setUp(options: Partial<MemoryStoreOptions> = {}) {
  const clock = { now: 5_000_000 };
  const wallNow = (): number => clock.now + Date.UTC(2026, 10, 21);
  const store = createMemoryStore({ now: () => clock.now, wallNow, reservationTtlMs: 600_000, ...options });
  const used = async (one: Parameters<typeof store.used>[0]): Promise<number> => store.used(one);
  const advance = (ms: number): void => {
    clock.now += ms;
  };
  return { store, used, now: wallNow, advance, other: undefined };
}

limitStoreContract("in memory", () => {
  const { advance, ...rest } = setUp();
  return { ...rest, advance: async (ms) => advance(ms) };
});

test("a slot that nobody gives back is free again after its time, and comes back once", () => {
  const { store, advance } = setUp({ reservationTtlMs: 1000 });
  const one = claim([quota("concurrent", 1)]);
  const lost = admitted(store.reserve(one));
  advance(999);
  refused(store.reserve(one));
  advance(1);
  admitted(store.reserve(one));
  lost.settle(took(0));
  refused(store.reserve(one));
});

test("a day's window of 200,000 requests stays small and exact", () => {
  const { store, advance } = setUp();
  const one = claim([quota("requests", 200_000, 86_400_000)]);
  for (let i = 0; i < 200_000; i++) {
    admitted(store.reserve(one)).settle(took(0));
    advance(250);
  }
  refused(store.reserve(one));
});

test("quotas that nothing counts against any more are forgotten", () => {
  const { store, advance } = setUp();
  const lasting = claim([quota("requests", 1, 86_400_000), quota("concurrent", 1)]);
  admitted(store.reserve(lasting));
  for (let key = 0; key < 5000; key++) {
    admitted(store.reserve(claim([quota("requests", 1, minute, `key ${key}`)])));
    advance(100);
  }
  expect(store.size).toBeLessThan(3000);
  refused(store.reserve(lasting));
});

test("a share may change at any time: estimates above it count as the share, and a share of nothing admits nothing", () => {
  let share = 0.25;
  const { store } = setUp({ limitOf: ({ limit }) => Math.floor(limit * share) });
  const quotas = [quota("requests", 8), quota("tokens", 1000), quota("concurrent", 4)];
  const first = store.reserve(claim(quotas, 600));
  expect(first.state).toMatchObject({ requests: { limit: 2, remaining: 1 }, tokens: { limit: 250, remaining: 0 } });
  expect(refused(store.reserve(claim(quotas, 600))).message).toContain("limit of 250 tokens in 1 min reached");
  admitted(first).settle(took(100));
  share = 1;
  const second = store.reserve(claim(quotas, 600));
  expect(second.state).toMatchObject({ requests: { limit: 8, remaining: 6 }, tokens: { limit: 1000, remaining: 300 } });
  share = 0;
  const none = refused(store.reserve(claim(quotas, 1)));
  expect(none.retryAfterMs).toBeGreaterThan(0);
  expect(none.state).toMatchObject({ requests: { limit: 0, remaining: 0 } });
  expect(refused(store.reserve(claim([quota("concurrent", 4)]))).retryAfterMs).toBe(1000);
  refused(store.reserve(claim([quota("tokens", 1000, { kind: "period", every: "day" })], 1)));
});

test("what was admitted elsewhere is counted whether it fits or not, and ends as any other", () => {
  const { store } = setUp();
  const quotas = [quota("concurrent", 1), quota("tokens", 100), quota("tokens", 100, { kind: "period", every: "day" })];
  const [one, two] = [store.note(claim(quotas, 80)), store.note(claim(quotas, 80))];
  expect(quotas.map((each) => store.used(each))).toEqual([2, 160, 160]);
  refused(store.reserve(claim(quotas, 1)));
  one.settle(took(30));
  one.settle(took(30));
  two.release();
  expect(quotas.map((each) => store.used(each))).toEqual([0, 30, 30]);
  store.note(claim([])).settle(took(1));
});

test("what was used before can be counted as if it were now", () => {
  const { store, advance } = setUp();
  const window = quota("requests", 10);
  const month = quota("tokens", 1000, { kind: "period", every: "month" });
  store.seed(window, 9);
  store.seed(month, 999);
  store.seed(quota("concurrent", 1), 5);
  admitted(store.reserve(claim([window, month, quota("concurrent", 1)], 1)));
  refused(store.reserve(claim([window])));
  refused(store.reserve(claim([month], 1)));
  advance(minute * 1.01);
  expect([store.used(window), store.used(month)]).toEqual([0, 1000]);
});

test("what lapsed is charged when its end is told after all, and frees nothing twice", () => {
  const { store, advance } = setUp({ reservationTtlMs: 1000 });
  const quotas = [quota("concurrent", 1), quota("tokens", 100, { kind: "period", every: "day" })];
  const [settled, released] = [store.note(claim(quotas, 100)), store.note(claim(quotas, 100))];
  advance(1000);
  admitted(store.reserve(claim(quotas, 50)));
  settled.settle(took(30));
  released.release();
  expect(quotas.map((each) => store.used(each))).toEqual([1, 80]);
});
