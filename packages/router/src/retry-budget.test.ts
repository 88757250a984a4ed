import { expect, test } from "vitest";
import { createRetryBudget } from "./retry-budget.ts";

function setUp(options: { ratio?: number; floorPerSecond?: number } = {}) {
  const clock = { now: 5_000_000 };
  const budget = createRetryBudget({ ...options, now: () => clock.now });
  const takeAll = (limit = 10_000) => {
    let taken = 0;
    while (taken < limit && budget.take()) taken++;
    return taken;
  };
  return { clock, budget, takeAll };
}

test("grants a fifth of the requests plus ten", () => {
  const { budget, takeAll } = setUp();
  for (let request = 0; request < 1000; request++) budget.request();
  expect(takeAll()).toBe(210);
});

test("a quiet gateway may still retry, ten times a second", () => {
  const { clock, takeAll } = setUp();
  expect(takeAll()).toBe(10);
  expect(takeAll()).toBe(0);
  clock.now += 500;
  expect(takeAll()).toBe(5);
  clock.now += 60_000;
  expect(takeAll()).toBe(10);
});

test("forgets requests and retries after ten seconds", () => {
  const { budget, clock, takeAll } = setUp({ floorPerSecond: 0 });
  for (let request = 0; request < 100; request++) budget.request();
  expect(takeAll()).toBe(20);
  clock.now += 9_000;
  expect(takeAll()).toBe(0);
  clock.now += 2_000;
  expect(takeAll()).toBe(0);
  for (let request = 0; request < 100; request++) budget.request();
  expect(takeAll()).toBe(20);
});

test("in a total outage at 500 requests a second the retries stay within 20 % and the floor", () => {
  const { budget, clock } = setUp();
  let retries = 0;
  const seconds = 30;
  for (let request = 0; request < 500 * seconds; request++) {
    budget.request();
    clock.now += 2;
    for (let attempt = 0; attempt < 2; attempt++) if (budget.take()) retries++;
  }
  expect(retries).toBeLessThanOrEqual(0.2 * 500 * seconds + 10 * (seconds + 1));
  expect(retries).toBeGreaterThan(0.19 * 500 * seconds);
});

test("a clock that stands still or jumps far ahead does no harm", () => {
  const { budget, clock, takeAll } = setUp();
  budget.request();
  clock.now += 1e9;
  expect(takeAll()).toBe(10);
});
