import { describe, expect, test } from "vitest";
import { backendsFor, strayOf, waitsLonger } from "./sizing.ts";

describe("Erlang's C", () => {
  // Of printed tables: 20 servers at 16 erlang; one server waits with the probability of its use.
  test.each([
    { load: 0.7, slots: 1, wait: 0, share: 0.7 },
    { load: 16, slots: 20, wait: 0, share: 0.2561 },
    { load: 2, slots: 3, wait: 0, share: 0.4444 },
    { load: 0.5, slots: 1, wait: 2, share: 0.5 * Math.exp(-1) },
    { load: 3, slots: 3, wait: 10, share: 1 },
    { load: 0, slots: 3, wait: 0, share: 0 },
  ])("$load erlang at $slots slots: $share wait longer than $wait service times", ({ load, slots, wait, share }) => {
    expect(waitsLonger(load, slots, wait)).toBeCloseTo(share, 3);
  });

  test("stays a number for pools of any size", () => {
    expect(waitsLonger(9000, 10_000, 0)).toBeLessThan(1e-9);
    expect(waitsLonger(9990, 10_000, 0)).toBeGreaterThan(0.5);
  });
});

describe("how many backends hold a load", () => {
  const goal = { target: 0.7, waitMs: 2000 };
  test.each([
    { why: "never none", load: 0, slots: 8, service: 1, backends: 1 },
    { why: "the target decides for large pools", load: 100, slots: 64, service: 10, backends: 3 },
    { why: "waiting decides for single slots", load: 0.6, slots: 1, service: 10, backends: 3 },
    { why: "exactly at the target is enough", load: 44.8, slots: 64, service: 10, backends: 1 },
    { why: "and a little more is not", load: 44.9, slots: 64, service: 10, backends: 2 },
    { why: "without a service time the target alone counts", load: 0.6, slots: 1, service: undefined, backends: 1 },
  ])("$why", ({ load, slots, service, backends }) => {
    expect(backendsFor({ load, serviceSeconds: service }, slots, goal)).toBe(backends);
  });

  test("ends for any load", () => {
    expect(backendsFor({ load: 1e9, serviceSeconds: 1 }, 1, goal)).toBe(10_000);
    expect(backendsFor({ load: 1e9, serviceSeconds: 1 }, 1000, goal)).toBe(10_000);
  });
});

test("means stray less over longer times, and more with longer requests", () => {
  const load = 10;
  expect(strayOf({ load, serviceSeconds: undefined }, 60)).toBe(0);
  // A moment alone is a Poisson number.
  expect(strayOf({ load, serviceSeconds: 1000 }, 0.001)).toBeCloseTo(Math.sqrt(load), 2);
  expect(strayOf({ load, serviceSeconds: 5 }, 60)).toBeCloseTo(1.236, 2);
  expect(strayOf({ load, serviceSeconds: 5 }, 600)).toBeLessThan(0.5);
});
