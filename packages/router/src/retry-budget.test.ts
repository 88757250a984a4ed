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

test("what was earned long ago is worth nothing", () => {
  const { budget, clock, takeAll } = setUp({ floorPerSecond: 0 });
  for (let request = 0; request < 100; request++) budget.request();
  clock.now += 11_000;
  expect(takeAll()).toBe(0);
});

test("counts by the second: what a second held is forgotten when it is ten seconds old", () => {
  const { budget, clock, takeAll } = setUp({ floorPerSecond: 0, ratio: 0.5 });
  for (let second = 0; second < 10; second++) {
    for (let request = 0; request < 10; request++) budget.request();
    if (second < 9) clock.now += 1000;
  }
  expect(takeAll()).toBe(50);
  // The first second is forgotten, and all that was taken in the last one is still held against the rest.
  clock.now += 1000;
  expect(takeAll()).toBe(0);
  clock.now += 8999;
  expect(takeAll()).toBe(0);
  for (let request = 0; request < 10; request++) budget.request();
  clock.now += 1;
  expect(takeAll()).toBe(5);
});

test("a clock that goes back a little forgets nothing", () => {
  const { budget, clock, takeAll } = setUp({ floorPerSecond: 0 });
  for (let request = 0; request < 100; request++) budget.request();
  clock.now -= 3000;
  for (let request = 0; request < 100; request++) budget.request();
  expect(takeAll()).toBe(40);
});

test("the floor fills up evenly, and to a second's worth at most", () => {
  const { clock, takeAll } = setUp({ floorPerSecond: 4 });
  expect(takeAll()).toBe(4);
  clock.now += 249;
  expect(takeAll()).toBe(0);
  clock.now += 1;
  expect(takeAll()).toBe(1);
  clock.now += 5000;
  expect(takeAll()).toBe(4);
});

test("a retry that was not made is there for the next one, from wherever it was taken", () => {
  const { budget, takeAll } = setUp({ floorPerSecond: 2 });
  for (let request = 0; request < 10; request++) budget.request();
  expect(takeAll()).toBe(4);
  budget.giveBack();
  expect(takeAll()).toBe(1);
  for (let i = 0; i < 3; i++) budget.giveBack();
  expect(takeAll()).toBe(3);
});

test("what is given back late fills the floor no higher than it goes", () => {
  const { budget, clock, takeAll } = setUp({ floorPerSecond: 2 });
  expect(budget.take()).toBe(true);
  clock.now += 20_000;
  expect(budget.take()).toBe(true);
  budget.giveBack();
  budget.giveBack();
  expect(takeAll()).toBe(2);
});

test("another ratio holds from the next retry on, over what was counted", () => {
  const { budget, takeAll } = setUp({ floorPerSecond: 0 });
  for (let request = 0; request < 100; request++) budget.request();
  expect(takeAll()).toBe(20);
  budget.setRatio(0.5);
  expect(takeAll()).toBe(30);
  budget.setRatio(0.1);
  expect(takeAll()).toBe(0);
});
