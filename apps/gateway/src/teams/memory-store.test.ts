import { expect, test } from "vitest";
import { admitted, claim, limitStoreContract, minute, quota, refused, took } from "./limit-store-contract.ts";
import { createMemoryStore, type MemoryStoreOptions } from "./memory-store.ts";

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

limitStoreContract("in memory", () => setUp());

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

test("a day's window of a million requests stays small and exact", () => {
  const { store, advance } = setUp();
  const one = claim([quota("requests", 1_000_000, 86_400_000)]);
  for (let i = 0; i < 1_000_000; i++) {
    admitted(store.reserve(one)).settle(took(0));
    advance(50);
  }
  refused(store.reserve(one));
});

test("quotas that nothing counts against any more are forgotten", () => {
  const { store, advance } = setUp();
  const lasting = claim([quota("requests", 1, 86_400_000), quota("concurrent", 1)]);
  admitted(store.reserve(lasting));
  for (let key = 0; key < 20_000; key++) {
    admitted(store.reserve(claim([quota("requests", 1, minute, `key ${key}`)])));
    advance(100);
  }
  expect(store.size).toBeLessThan(3000);
  refused(store.reserve(lasting));
});
