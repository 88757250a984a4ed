import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ALARM_TICK_MS } from "./alarm.ts";
import { Watchdog } from "./watchdog.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});

afterEach(() => {
  vi.runOnlyPendingTimers();
  vi.useRealTimers();
});

type Phase = "first" | "idle";

function watch(extend?: (phase: Phase) => number | undefined) {
  const fired: [Phase, number][] = [];
  const watchdog = new Watchdog<Phase>((phase, ms) => fired.push([phase, ms]), extend);
  return { fired, watchdog };
}

test("fires once, with the phase that took too long and its limit", () => {
  const { fired, watchdog } = watch();
  watchdog.arm("first", 100);
  vi.advanceTimersByTime(99);
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(1 + ALARM_TICK_MS);
  expect(fired).toEqual([["first", 100]]);
  vi.advanceTimersByTime(1000);
  expect(fired).toHaveLength(1);
});

test("a phase ends the one before it", () => {
  const { fired, watchdog } = watch();
  watchdog.arm("first", 100);
  vi.advanceTimersByTime(90);
  watchdog.arm("idle", 200);
  vi.advanceTimersByTime(199);
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(1 + ALARM_TICK_MS);
  expect(fired).toEqual([["idle", 200]]);
});

test("every sign of life begins the phase anew", () => {
  const { fired, watchdog } = watch();
  watchdog.arm("idle", 100);
  for (let count = 0; count < 20; count++) {
    vi.advanceTimersByTime(80);
    watchdog.touch();
  }
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(100 + ALARM_TICK_MS);
  expect(fired).toEqual([["idle", 100]]);
});

test("neither stopped nor fired does a sign of life wake it", () => {
  const { fired, watchdog } = watch();
  watchdog.arm("idle", 100);
  watchdog.stop();
  watchdog.touch();
  vi.advanceTimersByTime(1000);
  expect(fired).toEqual([]);
  watchdog.arm("idle", 100);
  vi.advanceTimersByTime(200);
  watchdog.touch();
  vi.advanceTimersByTime(1000);
  expect(fired).toHaveLength(1);
});

test("more time is granted as often as it is asked for, and the limit is told as it was set", () => {
  let left = 3;
  const asked: Phase[] = [];
  const { fired, watchdog } = watch((phase) => {
    asked.push(phase);
    return left-- > 0 ? 500 : undefined;
  });
  watchdog.arm("first", 100);
  vi.advanceTimersByTime(99 + 3 * 500);
  expect(fired).toEqual([]);
  vi.advanceTimersByTime(4 * ALARM_TICK_MS);
  expect(fired).toEqual([["first", 100]]);
  expect(asked).toEqual(["first", "first", "first", "first"]);
});

test("no time at all, or less, is no grant", () => {
  for (const grant of [0, -5]) {
    const { fired, watchdog } = watch(() => grant);
    watchdog.arm("idle", 100);
    vi.advanceTimersByTime(100 + ALARM_TICK_MS);
    expect(fired).toEqual([["idle", 100]]);
  }
});

test("can be armed again by what it fires", () => {
  const fired: Phase[] = [];
  const watchdog: Watchdog<Phase> = new Watchdog<Phase>((phase) => {
    fired.push(phase);
    if (phase === "first") watchdog.arm("idle", 50);
  });
  watchdog.arm("first", 50);
  vi.advanceTimersByTime(100 + 2 * ALARM_TICK_MS);
  expect(fired).toEqual(["first", "idle"]);
});
