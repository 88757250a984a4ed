import fc from "fast-check";
import { expect, test } from "vitest";
import type { Limits, Team } from "../config/config.ts";
import { type Admission, formatReset, type LimitState, pushLimitHeaders } from "./limits.ts";
import { createMemoryStore } from "./memory-store.ts";

function limitHeaders(state: LimitState): Record<string, string> {
  const list: string[] = [];
  pushLimitHeaders(list, state);
  return Object.fromEntries(Array.from({ length: list.length / 2 }, (_, at) => [list[2 * at], list[2 * at + 1]]));
}

const minute = 60_000;
const team = (limits: Limits, name = "a"): Team => ({ name, keys: [], models: undefined, limits });

function setUp(limits: Limits, reservationTtlMs = 600_000) {
  const clock = { now: 5_000_000 };
  const store = createMemoryStore({ now: () => clock.now, reservationTtlMs });
  const reserve = (tokens = 0, of = team(limits)) => store.reserve(of, tokens) as Admission;
  return { clock, store, reserve };
}

function admitted(admission: Admission) {
  if (!admission.ok) throw new Error(admission.message);
  return admission.reservation;
}
function refused(admission: Admission) {
  if (admission.ok) throw new Error("was admitted");
  return admission;
}

test("admits exactly the limit at once, and says when the next one fits", () => {
  const { clock, reserve } = setUp({ requests: { limit: 600, windowMs: minute } });
  for (let i = 0; i < 600; i++) admitted(reserve()).settle(0);
  const answer = refused(reserve());
  expect(answer.code).toBe("rate_limit_exceeded");
  expect(answer.message).toBe(
    `team a: limit of 600 requests in 1 min reached; try again in ${Math.ceil(answer.retryAfterMs / 1000)} s`,
  );
  expect(answer.retryAfterMs).toBeGreaterThanOrEqual(minute);
  expect(answer.retryAfterMs).toBeLessThanOrEqual(minute * 1.01);
  clock.now += answer.retryAfterMs - 1;
  refused(reserve());
  clock.now += 1;
  admitted(reserve());
});

test("never admits more than the limit in any window, and frees what left it within 1 %", () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 20_000 }), amount: fc.integer({ min: 1, max: 400 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const limit = 1000;
      const { clock, reserve } = setUp({ tokens: { limit, windowMs: minute } });
      const log: { at: number; amount: number }[] = [];
      const usedSince = (from: number) =>
        log.filter(({ at }) => at > from).reduce((sum, { amount }) => sum + amount, 0);
      for (const { wait, amount } of steps) {
        clock.now += wait;
        const answer = reserve(amount);
        if (answer.ok) log.push({ at: clock.now, amount });
        else expect(usedSince(clock.now - minute * 1.01) + amount).toBeGreaterThan(limit);
        expect(usedSince(clock.now - minute)).toBeLessThanOrEqual(limit);
      }
    }),
  );
});

test("retry-after is honest: a refused request is admitted after it, and not a moment before", () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 9000 }), amount: fc.integer({ min: 1, max: 1000 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 50 }), (steps) => {
      const { clock, reserve } = setUp({
        tokens: { limit: 1000, windowMs: minute },
        requests: { limit: 7, windowMs: 1000 },
      });
      for (const { wait, amount } of steps) {
        clock.now += wait;
        const answer = reserve(amount);
        if (answer.ok) continue;
        clock.now += answer.retryAfterMs - 1;
        refused(reserve(amount));
        clock.now += 1;
        admitted(reserve(amount));
      }
    }),
  );
});

test("a refused reservation takes nothing", () => {
  const { reserve } = setUp({
    requests: { limit: 2, windowMs: minute },
    tokens: { limit: 100, windowMs: minute },
    concurrent: 2,
  });
  admitted(reserve(80));
  for (let i = 0; i < 50; i++) refused(reserve(21));
  const second = reserve(20);
  admitted(second);
  expect(second.state).toMatchObject({ requests: { remaining: 0 }, tokens: { remaining: 0 } });
});

test("an estimate above the limit counts as the limit: it waits for a free window, not for ever", () => {
  const { clock, reserve } = setUp({ tokens: { limit: 100, windowMs: minute } });
  admitted(reserve(1_000_000)).settle(40);
  const answer = refused(reserve(Number.POSITIVE_INFINITY));
  clock.now += answer.retryAfterMs;
  admitted(reserve(1_000_000));
});

test("settling gives back what was not used, and charges what was used beyond the estimate", () => {
  const { reserve } = setUp({ tokens: { limit: 100, windowMs: minute } });
  const one = admitted(reserve(90));
  refused(reserve(20));
  one.settle(30);
  one.settle(0);
  one.release();
  expect(refused(reserve(71)).state.tokens?.remaining).toBe(70);
  admitted(reserve(70)).settle(150);
  expect(refused(reserve(1)).state.tokens?.remaining).toBe(0);
});

test("settling after the window has passed gives nothing back twice", () => {
  const { clock, reserve } = setUp({ tokens: { limit: 100, windowMs: minute } });
  const slow = admitted(reserve(100));
  clock.now += 2 * minute;
  admitted(reserve(100));
  slow.settle(10);
  refused(reserve(1));
});

test("a client that leaves pays what was generated; a request that no backend saw pays nothing", () => {
  const { reserve } = setUp({ tokens: { limit: 100, windowMs: minute }, requests: { limit: 10, windowMs: minute } });
  admitted(reserve(60)).settle(25);
  admitted(reserve(60)).release();
  const last = reserve(0);
  expect(last.state).toMatchObject({ tokens: { remaining: 75 }, requests: { remaining: 8 } });
});

test("holds at most `concurrent` slots, and a slot comes back once", () => {
  const { clock, reserve } = setUp({ concurrent: 2 });
  const one = admitted(reserve());
  admitted(reserve());
  const answer = refused(reserve());
  expect(answer).toMatchObject({ code: "concurrency_limit_exceeded", retryAfterMs: 1000 });
  expect(answer.message).toContain("team a: limit of 2 requests at once reached");
  clock.now += 30_000;
  one.settle(5);
  one.settle(5);
  one.release();
  admitted(reserve());
  expect(refused(reserve()).retryAfterMs).toBe(15_000);
});

test("a slot that nobody gives back expires", () => {
  const { clock, reserve } = setUp({ concurrent: 1 }, 1000);
  const lost = admitted(reserve());
  clock.now += 999;
  refused(reserve());
  clock.now += 1;
  admitted(reserve());
  lost.settle(0);
  refused(reserve());
});

test("teams do not share; a reload keeps what was used and forgets teams that are gone", () => {
  const { store, reserve } = setUp({});
  const small = { requests: { limit: 1, windowMs: minute } };
  admitted(reserve(0, team(small, "a")));
  admitted(reserve(0, team(small, "b")));
  refused(reserve(0, team(small, "a")));
  const larger = { requests: { limit: 2, windowMs: minute } };
  admitted(reserve(0, team(larger, "a")));
  refused(reserve(0, team(larger, "a")));
  store.retain(new Map([["b", team(small, "b")]]));
  admitted(reserve(0, team(small, "a")));
  refused(reserve(0, team(small, "b")));
});

test("a team without limits is not counted and has no headers", () => {
  const { reserve } = setUp({});
  const answer = reserve(1e9);
  admitted(answer).settle(1e9);
  expect(limitHeaders(answer.state)).toEqual({});
});

test("a day's window of a million requests stays small and exact", () => {
  const { clock, reserve } = setUp({ requests: { limit: 1_000_000, windowMs: 86_400_000 } });
  for (let i = 0; i < 1_000_000; i++) {
    admitted(reserve()).settle(0);
    clock.now += 50;
  }
  refused(reserve());
});

test("headers are OpenAI's", () => {
  const { reserve } = setUp({
    requests: { limit: 600, windowMs: minute },
    tokens: { limit: 200_000, windowMs: 3_600_000 },
  });
  const headers = limitHeaders(reserve(500).state);
  expect(headers).toMatchObject({
    "x-ratelimit-limit-requests": "600",
    "x-ratelimit-remaining-requests": "599",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-tokens": "199500",
  });
  expect(headers["x-ratelimit-reset-requests"]).toMatch(/^1m0(\.\d+)?s$/);
  expect(headers["x-ratelimit-reset-tokens"]).toMatch(/^(1h0m|59m)[\d.]+s$/);
});

test.each([
  [0, "0ms"],
  [20, "20ms"],
  [1000, "1s"],
  [8640, "8.64s"],
  [360_000, "6m0s"],
  [3_603_000, "1h0m3s"],
])("%d ms is written %s", (ms, text) => {
  expect(formatReset(ms)).toBe(text);
});
