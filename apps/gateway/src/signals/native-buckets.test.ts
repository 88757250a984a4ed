import { expect, test } from "vitest";
import { NativeBuckets, ZERO_THRESHOLD } from "./native-buckets.ts";

/** What bucket `index` holds, as Prometheus reads schema 3. */
const boundsOf = (index: number): readonly [number, number] => [2 ** ((index - 1) / 8), 2 ** (index / 8)];

test("every value is in a bucket whose bounds it lies between", () => {
  for (const value of [0.0001, 0.0042, 0.3, 0.5, 0.9999, 1, 1.0001, 2, 3.7, 64, 599]) {
    const buckets = new NativeBuckets();
    buckets.count(value);
    const [run, ...more] = buckets.runs();
    expect(more).toEqual([]);
    const [above, atMost] = boundsOf(run!.index);
    expect(run!.counts).toEqual([1]);
    expect([above < value, value <= atMost]).toEqual([true, true]);
  }
});

test("neighbours are one run, and what is apart are two", () => {
  const buckets = new NativeBuckets();
  for (const value of [1, 1, 1.05, 8]) buckets.count(value);
  expect(buckets.runs()).toEqual([
    { index: 0, counts: [2, 1] },
    { index: 24, counts: [1] },
  ]);
});

test("next to nothing counts as nothing, and nothing is too long", () => {
  const buckets = new NativeBuckets();
  for (const value of [0, 1e-9, ZERO_THRESHOLD, 1e9]) buckets.count(value);
  expect(buckets.zeroCount).toBe(3);
  expect(buckets.runs()).toEqual([{ index: 136, counts: [1] }]);
});
