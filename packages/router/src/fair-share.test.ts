import { describe, expect, test } from "vitest";
import { createBackendState } from "./create-backend-state.ts";
import { isOverShare, keptSlots } from "./fair-share.ts";

const team = (name: string, weight = 1) => ({ name, weight });

function setUp(maxConcurrent: number) {
  const backend = createBackendState({ name: "a", maxConcurrent, now: () => 0, random: () => 0.5 });
  const state = backend.deployment("m");
  const hold = (name: string, count: number, weight = 1, now = 0) =>
    Array.from({ length: count }, () => state.begin(now, false, team(name, weight))!);
  return { backend, hold };
}

test.each([
  [1, 0],
  [3, 0],
  [4, 1],
  [19, 1],
  [20, 2],
  [64, 6],
  [Number.POSITIVE_INFINITY, 0],
])("of %s slots %s are kept", (slots, kept) => {
  expect(keptSlots(slots)).toBe(kept);
});

describe("over its share", () => {
  test("is nobody who is alone", () => {
    const { backend, hold } = setUp(8);
    hold("flood", 7);
    expect(isOverShare(backend, team("flood"), 0)).toBe(false);
  });

  test("is who would have more than an even part while another has something under way", () => {
    const { backend, hold } = setUp(8);
    hold("flood", 4);
    hold("quiet", 1);
    expect(isOverShare(backend, team("flood"), 0)).toBe(true);
    expect(isOverShare(backend, team("quiet"), 0)).toBe(false);
    expect(isOverShare(backend, team("new"), 0)).toBe(false);
  });

  test("is judged by weight", () => {
    const { backend, hold } = setUp(8);
    hold("heavy", 5, 3);
    hold("light", 2);
    expect(isOverShare(backend, team("heavy", 3), 0)).toBe(false);
    expect(isOverShare(backend, team("light"), 0)).toBe(true);
  });

  test("nobody is who has less than the part that all have, rounded up: slots are not left idle by rounding", () => {
    const { backend, hold } = setUp(10);
    for (const name of ["a", "b", "c"]) hold(name, 3);
    expect(isOverShare(backend, team("a"), 0)).toBe(false);
  });

  test("is nobody any more when the others have begun nothing for 10 s", () => {
    const { backend, hold } = setUp(8);
    hold("flood", 6);
    const [last] = hold("quiet", 1);
    last!.end({ kind: "ok" });
    expect(isOverShare(backend, team("flood"), 9_999)).toBe(true);
    expect(isOverShare(backend, team("flood"), 10_000)).toBe(false);
  });

  test("is who wants more while another waits that has nothing yet", () => {
    const { backend, hold } = setUp(8);
    hold("flood", 4);
    expect(isOverShare(backend, team("flood"), 0)).toBe(false);
    backend.expect(team("waits"), 0);
    expect(isOverShare(backend, team("flood"), 0)).toBe(true);
    expect(isOverShare(backend, team("waits"), 0)).toBe(false);
  });

  test("is nobody who has nothing, however many there are", () => {
    const { backend, hold } = setUp(4);
    for (let i = 0; i < 9; i++) backend.expect(team(`t${i}`), 0);
    hold("t0", 1);
    expect(isOverShare(backend, team("t0"), 0)).toBe(true);
    expect(isOverShare(backend, team("t1"), 0)).toBe(false);
  });
});

test("holders that hold nothing are forgotten when there are many", () => {
  const { backend, hold } = setUp(8);
  const [permit] = hold("stays", 1);
  for (let i = 0; i < 1000; i++) for (const each of hold(`t${i}`, 1)) each.end({ kind: "ok" });
  expect(backend.holdings.size).toBeLessThanOrEqual(257);
  expect(backend.holdings.get("stays")?.held).toBe(1);
  permit!.end({ kind: "ok" });
  expect(backend.holdings.get("stays")?.held).toBe(0);
});
