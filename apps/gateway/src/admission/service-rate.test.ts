import { expect, test } from "vitest";
import { ServiceRate } from "./service-rate.ts";

test("is the mean time between ends, once four have been seen while somebody waited", () => {
  const rate = new ServiceRate();
  rate.ended(50);
  rate.start(100);
  for (const at of [200, 300, 400]) rate.ended(at);
  expect(rate.intervalMs(400)).toBeUndefined();
  rate.ended(500);
  expect(rate.intervalMs(500)).toBe(100);
});

test("does not count the time in which nobody waited, and is no less than the time since the last end", () => {
  const rate = new ServiceRate();
  rate.start(0);
  for (const at of [100, 200, 300, 400]) rate.ended(at);
  rate.stop();
  rate.ended(5000);
  expect(rate.intervalMs(9000)).toBe(100);
  rate.start(10_000);
  rate.ended(10_100);
  expect(rate.intervalMs(10_100)).toBe(100);
  expect(rate.intervalMs(10_700)).toBe(600);
});

test("follows a backend that gets slower", () => {
  const rate = new ServiceRate();
  rate.start(0);
  let now = 0;
  for (let i = 0; i < 50; i++) {
    now += 100;
    rate.ended(now);
  }
  for (let i = 0; i < 50; i++) {
    now += 400;
    rate.ended(now);
  }
  expect(rate.intervalMs(now)).toBeGreaterThan(350);
});
