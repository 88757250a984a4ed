import fc from "fast-check";
import { expect, test } from "vitest";
import { admitted, claim, minute, quota, refused, type SetUp, took } from "./claims.ts";

/** Rates: what counts in any window of a length. */
export function windows(setUp: SetUp): void {
  test("admits exactly the limit at once, and says when the next one fits", async () => {
    const { store, advance } = await setUp();
    const one = claim([quota("requests", 600)]);
    for (let i = 0; i < 600; i++) admitted(await store.reserve(one)).settle(took(0));
    const answer = refused(await store.reserve(one));
    expect(answer.code).toBe("rate_limit_exceeded");
    expect(answer.message).toBe(
      `team a: limit of 600 requests in 1 min reached; try again in ${Math.ceil(answer.retryAfterMs / 1000)} s`,
    );
    expect(answer.retryAfterMs).toBeGreaterThanOrEqual(minute);
    expect(answer.retryAfterMs).toBeLessThanOrEqual(minute * 1.01);
    await advance(answer.retryAfterMs - 1);
    refused(await store.reserve(one));
    await advance(1);
    admitted(await store.reserve(one));
  });

  test("never admits more than the limit in any window, and frees what left it within 1 %", async () => {
    const wait = fc.oneof(...[300, 2000, 20_000, 130_000].map((max) => fc.integer({ min: 0, max })));
    const step = fc.record({ wait, amount: fc.integer({ min: 1, max: 400 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
        const { store, now, advance, used } = await setUp();
        const one = quota("tokens", 1000);
        const log: { at: number; amount: number }[] = [];
        const usedSince = (from: number) =>
          log.filter(({ at }) => at > from).reduce((sum, { amount }) => sum + amount, 0);
        for (const { wait, amount } of steps) {
          await advance(wait);
          const answer = await store.reserve(claim([one], amount));
          if (answer.ok) log.push({ at: now(), amount });
          else expect(usedSince(now() - minute * 1.01) + amount).toBeGreaterThan(one.limit);
          const counted = await used(one);
          expect(counted).toBeLessThanOrEqual(one.limit);
          expect(counted).toBeGreaterThanOrEqual(usedSince(now() - minute));
          expect(counted).toBeLessThanOrEqual(usedSince(now() - minute * 1.01));
        }
      }),
      { numRuns: 50 },
    );
  });

  test("retry-after is honest: a refused request is admitted after it, and not a moment before", async () => {
    const step = fc.record({ wait: fc.integer({ min: 0, max: 9000 }), amount: fc.integer({ min: 1, max: 1000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 50 }), async (steps) => {
        const { store, advance } = await setUp();
        const quotas = [quota("tokens", 1000), quota("requests", 7, 1000), quota("output_tokens", 3000, 3_600_000)];
        for (const { wait, amount } of steps) {
          await advance(wait);
          const answer = await store.reserve(claim(quotas, amount));
          if (answer.ok) continue;
          await advance(answer.retryAfterMs - 1);
          refused(await store.reserve(claim(quotas, amount)));
          await advance(1);
          admitted(await store.reserve(claim(quotas, amount)));
        }
      }),
      { numRuns: 50 },
    );
  });

  test("a refused reservation takes nothing", async () => {
    const { store, used } = await setUp();
    const quotas = [quota("requests", 2), quota("tokens", 100), quota("concurrent", 2)];
    admitted(await store.reserve(claim(quotas, 80)));
    for (let i = 0; i < 50; i++) refused(await store.reserve(claim(quotas, 21)));
    expect(await Promise.all(quotas.map(used))).toEqual([1, 80, 1]);
    const second = await store.reserve(claim(quotas, 20));
    admitted(second);
    expect(second.state).toMatchObject({ requests: { remaining: 0 }, tokens: { remaining: 0 } });
  });

  test("an estimate above the limit counts as the limit: it waits for a free window, not for ever", async () => {
    const { store, advance } = await setUp();
    const quotas = [quota("tokens", 100), quota("tokens", 150, 3_600_000)];
    admitted(await store.reserve(claim(quotas, 1_000_000))).settle(took(40));
    const answer = refused(await store.reserve(claim(quotas, Number.POSITIVE_INFINITY)));
    await advance(answer.retryAfterMs);
    admitted(await store.reserve(claim(quotas, 1_000_000)));
  });

  test("settling gives back what was not used, and charges what was used beyond the estimate", async () => {
    const { store } = await setUp();
    const quotas = [quota("tokens", 100)];
    const one = admitted(await store.reserve(claim(quotas, 90)));
    refused(await store.reserve(claim(quotas, 20)));
    one.settle(took(30));
    one.settle(took(0));
    one.release();
    expect(refused(await store.reserve(claim(quotas, 71))).state.tokens?.remaining).toBe(70);
    admitted(await store.reserve(claim(quotas, 70))).settle(took(150));
    expect(refused(await store.reserve(claim(quotas, 1))).state.tokens?.remaining).toBe(0);
  });

  test("a reply beyond its estimate counts when it was admitted; when that has passed, from its end on", async () => {
    const { store, advance, used } = await setUp();
    const one = quota("tokens", 1000);
    const quick = admitted(await store.reserve(claim([one], 100)));
    const slow = admitted(await store.reserve(claim([one], 100)));
    await advance(30_000);
    quick.settle(took(300));
    expect(await used(one)).toBe(400);
    await advance(31_800);
    expect(await used(one)).toBe(0);
    slow.settle(took(250));
    expect(await used(one)).toBe(150);
    await advance(59_400);
    expect(await used(one)).toBe(150);
    await advance(1200);
    expect(await used(one)).toBe(0);
  });

  test("settling after the window has passed gives nothing back twice", async () => {
    const { store, advance } = await setUp();
    const quotas = [quota("tokens", 100)];
    const slow = admitted(await store.reserve(claim(quotas, 100)));
    await advance(2 * minute);
    admitted(await store.reserve(claim(quotas, 100)));
    slow.settle(took(10));
    refused(await store.reserve(claim(quotas, 1)));
  });

  test("a client that leaves pays what was generated; a request that no backend saw pays nothing", async () => {
    const { store } = await setUp();
    const quotas = [quota("tokens", 100), quota("requests", 10)];
    admitted(await store.reserve(claim(quotas, 60))).settle(took(25));
    admitted(await store.reserve(claim(quotas, 60))).release();
    const last = await store.reserve(claim(quotas, 0));
    expect(last.state).toMatchObject({ tokens: { remaining: 75 }, requests: { remaining: 8 } });
  });

  test("prompts, replies and both together are counted apart", async () => {
    const { store, used } = await setUp();
    const quotas = [quota("tokens", 1000), quota("input_tokens", 1000), quota("output_tokens", 1000)];
    const one = admitted(await store.reserve({ quotas, inputTokens: 10.2, outputTokens: 20, cost: 0, gpuMs: 0 }));
    expect(await Promise.all(quotas.map(used))).toEqual([31, 11, 20]);
    one.settle({ inputTokens: 7, outputTokens: 30, cost: 0, gpuMs: 0 });
    expect(await Promise.all(quotas.map(used))).toEqual([37, 7, 30]);
  });

  test("of several limits the state is that of the tightest, and the refusal that of the longest wait", async () => {
    const { store } = await setUp();
    const quotas = [
      quota("requests", 100, 1000),
      quota("requests", 3, 3_600_000),
      quota("tokens", 1000),
      quota("output_tokens", 400, minute, "model large"),
    ];
    const first = await store.reserve(claim(quotas, 100));
    expect(first.state).toMatchObject({ requests: { limit: 3, remaining: 2 }, tokens: { limit: 400, remaining: 300 } });
    expect(first.state.requests?.resetMs).toBeGreaterThanOrEqual(3_600_000);
    expect(first.state.tokens?.resetMs).toBeLessThanOrEqual(minute * 1.01);
    const answer = refused(await store.reserve(claim(quotas, 301)));
    expect(answer.message).toContain("model large: limit of 400 output tokens in 1 min reached; try again in 6");
    expect(answer.state).toMatchObject({ requests: { limit: 3, remaining: 2 } });
    for (let i = 0; i < 2; i++) admitted(await store.reserve(claim(quotas, 1)));
    const hour = refused(await store.reserve(claim(quotas, 400)));
    expect(hour.message).toContain("team a: limit of 3 requests in 1 hour reached");
    expect(hour.retryAfterMs).toBeGreaterThanOrEqual(3_600_000);
  });

  test("quotas do not share; a limit that changes keeps what was used", async () => {
    const { store } = await setUp();
    admitted(await store.reserve(claim([quota("requests", 1, minute, "team a")])));
    admitted(await store.reserve(claim([quota("requests", 1, minute, "team b")])));
    refused(await store.reserve(claim([quota("requests", 1, minute, "team a")])));
    admitted(await store.reserve(claim([quota("requests", 2, minute, "team a")])));
    refused(await store.reserve(claim([quota("requests", 2, minute, "team a")])));
  });

  test("what nothing limits is not counted and has no state", async () => {
    const { store } = await setUp();
    const answer = await store.reserve(claim([], 1e9));
    admitted(answer).settle(took(1e9));
    expect(answer.state).toEqual({});
  });
}
