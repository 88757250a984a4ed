import fc from "fast-check";
import { expect, test } from "vitest";
import { LagWatch } from "./lag-watch.ts";

const THRESHOLD = 200;

function watch(threshold = THRESHOLD) {
  const changes: boolean[] = [];
  const lag = new LagWatch(threshold, (shedding) => changes.push(shedding));
  const feed = (...samples: number[]): number => {
    for (const sample of samples) lag.observe(sample);
    return lag.share;
  };
  return { lag, changes, feed };
}

test("one pause, however long, and two of them refuse nobody", () => {
  const { feed, changes } = watch();
  expect(feed(0, 5000, 0, 3, 900, 900, 0)).toBe(0);
  expect(changes).toEqual([]);
});

test("a loop that stays late refuses half at once, then more, but never all", () => {
  const { feed, lag } = watch();
  expect(feed(300, 300)).toBe(0);
  expect(feed(250)).toBe(0.5);
  expect(lag.lagMs).toBe(250);
  expect(feed(300)).toBeCloseTo(0.65);
  expect(feed(...Array(100).fill(300))).toBe(0.95);
});

test("between half of the threshold and all of it nothing changes; below, it eases off and ends", () => {
  const { feed, changes } = watch();
  feed(300, 300, 300);
  expect(feed(150, 190, 110, 199)).toBe(0.5);
  expect(feed(90)).toBeCloseTo(0.4);
  expect(feed(...Array(30).fill(0))).toBe(0);
  expect(changes).toEqual([true, false]);
});

test("a threshold of 0 refuses nobody, and ends what another had begun", () => {
  const { feed, lag } = watch(0);
  expect(feed(...Array(20).fill(10_000))).toBe(0);
  const other = watch();
  other.feed(300, 300, 300);
  other.lag.thresholdMs = 0;
  expect(other.feed(...Array(30).fill(300))).toBe(0);
  expect(lag.lagMs).toBe(10_000);
});

test("whatever the samples, the share stays within its bounds, and calm ends it within two seconds", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5000 })), (samples) => {
      const { feed, changes } = watch();
      for (const sample of samples) {
        const share = feed(sample);
        expect(share >= 0 && share <= 0.95).toBe(true);
      }
      expect(feed(...Array(40).fill(0))).toBe(0);
      expect(changes.at(-1) ?? false).toBe(false);
    }),
  );
});
