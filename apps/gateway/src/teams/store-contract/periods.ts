import fc from "fast-check";
import { expect, test } from "vitest";
import { periodAt } from "../period.ts";
import type { Quota } from "../quota.ts";
import { admitted, claim, quota, refused, type SetUp, type StoreUnderTest, took } from "./claims.ts";

const day = 86_400_000;
const budget = (limit: number, every: "day" | "week" | "month", meter: Quota["meter"] = "tokens") =>
  quota(meter, limit, { kind: "period", every });

/** Budgets: what counts from the start of a calendar period on. */
export function periods(setUp: SetUp): void {
  test("a spent budget is refused until its period ends, to the millisecond", async () => {
    const under = await at(setUp, "2026-11-21T13:14:15.167Z");
    const { store, advance } = under;
    const quotas = [budget(1000, "month")];
    admitted(await store.reserve(claim(quotas, 600))).settle(took(700));
    const answer = refused(await store.reserve(claim(quotas, 301)));
    expect(answer).toMatchObject({ code: "budget_exceeded", spent: quotas[0] });
    expect(answer.message).toBe(
      "team a: budget of 1000 tokens this month is spent; it begins anew at 2026-12-01T00:00:00Z",
    );
    expect(answer.state.tokens).toMatchObject({ limit: 1000, remaining: 300, resetMs: answer.retryAfterMs });
    admitted(await store.reserve(claim(quotas, 300))).release();
    await advance(answer.retryAfterMs - 1);
    refused(await store.reserve(claim(quotas, 301)));
    await advance(1);
    expect(new Date(under.now()).toISOString()).toBe("2026-12-01T00:00:00.000Z");
    const first = await store.reserve(claim(quotas, 301));
    expect(first.state.tokens).toMatchObject({ limit: 1000, remaining: 699 });
  });

  test("periods are UTC's days, weeks from Monday on, and months", async () => {
    const moment = fc.integer({ min: 0, max: Date.UTC(2400, 0, 1) });
    const every = fc.constantFrom("day" as const, "week" as const, "month" as const);
    await fc.assert(
      fc.asyncProperty(moment, every, async (time, kind) => {
        const { store, advance, now } = await setUp();
        await advance(time - now());
        admitted(await store.reserve(claim([budget(1, kind)], 1))).settle(took(1));
        const answer = refused(await store.reserve(claim([budget(1, kind)], 1)));
        expect(new Date(time + answer.retryAfterMs).toISOString()).toBe(nextStart(time, kind).toISOString());
      }),
      { numRuns: 200, examples: [...edges(), [Date.UTC(2000, 1, 29), "month"], [Date.UTC(2100, 1, 28), "month"]] },
    );
  });

  test("what requests under way may still take is kept for them, and that is said", async () => {
    const { store } = await at(setUp, "2026-11-21T00:00:00Z");
    const quotas = [budget(1000, "day")];
    const one = admitted(await store.reserve(claim(quotas, 600)));
    const answer = refused(await store.reserve(claim(quotas, 401)));
    expect(answer).toMatchObject({ code: "budget_exceeded", spent: undefined, retryAfterMs: 1000 });
    expect(answer.message).toContain("the rest of the budget of 1000 tokens this day is kept for requests under way");
    one.settle(took(599));
    const two = admitted(await store.reserve(claim(quotas, 401)));
    expect(refused(await store.reserve(claim(quotas, 401)))).toMatchObject({ spent: undefined });
    two.settle(took(1));
    expect(refused(await store.reserve(claim(quotas, 401)))).toMatchObject({ spent: quotas[0] });
  });

  test("a reply that ends in the next period is charged there", async () => {
    const { store, advance, used } = await at(setUp, "2026-11-21T23:59:59Z");
    const one = budget(1000, "day");
    const slow = admitted(await store.reserve(claim([one], 600)));
    admitted(await store.reserve(claim([one], 300))).settle(took(300));
    await advance(2000);
    expect(await used(one)).toBe(600);
    slow.settle(took(500));
    expect(await used(one)).toBe(500);
  });

  test("replies beyond the estimate are charged in full, and nothing more is admitted then", async () => {
    const { store, used } = await at(setUp, "2026-11-21T00:00:00Z");
    const one = budget(1000, "week");
    admitted(await store.reserve(claim([one], 10))).settle(took(5000));
    expect(await used(one)).toBe(5000);
    expect(refused(await store.reserve(claim([one], 1)))).toMatchObject({
      spent: one,
      state: { tokens: { remaining: 0 } },
    });
  });

  test("money and GPU time are budgets like tokens, in their own units", async () => {
    const { store, used } = await at(setUp, "2026-11-25T00:00:00Z");
    const cost = budget(2_500_000_000, "month", "cost");
    const gpu = budget(36_000_500, "week", "gpu_seconds");
    const first = admitted(await store.reserve(claim([cost, gpu], 1, { cost: 500_000_000 })));
    first.settle(took(1, { cost: 2_400_000_000, gpuMs: 36_000_499.2 }));
    expect([await used(cost), await used(gpu)]).toEqual([2_400_000_000, 36_000_500]);
    expect(refused(await store.reserve(claim([cost], 1, { cost: 100_000_001 }))).message).toBe(
      "team a: budget of 2.5 cost this month is spent; it begins anew at 2026-12-01T00:00:00Z",
    );
    admitted(await store.reserve(claim([cost], 1, { cost: 100_000_000 })));
    // Nothing can be said of a reply's GPU time beforehand.
    expect(refused(await store.reserve(claim([gpu], 1))).message).toBe(
      "team a: budget of 36000.5 GPU seconds this week is spent; it begins anew at 2026-11-30T00:00:00Z",
    );
  });

  test("sums of up to 16 digits are exact", async () => {
    const { store, used } = await at(setUp, "2026-11-21T00:00:00Z");
    const [month, window] = [budget(9e15, "month", "cost"), quota("cost", 9e15)];
    let sum = 0;
    for (let i = 0; i < 1200; i++) {
      const cost = 987_654_321_987 + i * 7;
      sum += cost;
      admitted(await store.reserve(claim([month, window], 1, { cost: cost - 3 }))).settle(took(1, { cost }));
    }
    expect(sum).toBeGreaterThan(1e15);
    expect([await used(month), await used(window)]).toEqual([sum, sum]);
  });

  test("an engine that claims impossible amounts does not break the count", async () => {
    const { store, used } = await at(setUp, "2026-11-21T00:00:00Z");
    const one = budget(1e15, "month");
    for (const tokens of [1e300, Number.NaN, -5, 0.2])
      admitted(await store.reserve(claim([one], tokens))).settle(took(tokens));
    expect(await used(one)).toBe(1e12 + 1);
  });
}

async function at(setUp: SetUp, time: string): Promise<StoreUnderTest> {
  const under = await setUp();
  await under.advance(Date.parse(time) - under.now());
  return under;
}

/** By the calendar of the platform. */
function nextStart(time: number, every: "day" | "week" | "month"): Date {
  const date = new Date(time);
  const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  if (every === "month") return new Date(Date.UTC(year, month + 1, 1));
  const days = every === "day" ? 1 : 7 - ((date.getUTCDay() + 6) % 7);
  return new Date(Date.UTC(year, month, dayOfMonth + days));
}

/** The first and the last moment of periods. */
function edges(): [number, "day" | "week" | "month"][] {
  return (["day", "week", "month"] as const).flatMap((every) => {
    const { start, end } = periodAt(Date.UTC(2024, 1, 29, 12), every);
    return [start, start - 1, end - 1, end, start + day - 1].map((time): [number, typeof every] => [time, every]);
  });
}
