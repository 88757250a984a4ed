import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Histogram } from "../signals/histogram.ts";
import { quantileOf, type Spread } from "./tally.ts";

const bounds = [0.1, 0.2, 0.5, 1, 2, 5];

function spreadOf(values: readonly number[]): Spread {
  const histogram = new Histogram(bounds, null);
  for (const value of values) histogram.observe(value);
  return { bounds, counts: [...histogram.counts], sum: histogram.sum };
}

describe("a quantile of buckets", () => {
  test("rises evenly between bounds", () => {
    expect(quantileOf(spreadOf([0.15, 0.15, 0.15, 0.15]), 0.5)).toBeCloseTo(0.15);
    expect(quantileOf(spreadOf([0.05, 0.3, 0.3, 0.3]), 0.5)).toBeCloseTo(0.3);
  });

  test("is the last bound beyond it, and nothing without observations", () => {
    expect(quantileOf(spreadOf([60, 60]), 0.95)).toBe(5);
    expect(quantileOf(spreadOf([]), 0.95)).toBeUndefined();
  });

  test("is in the bucket of the value that has the rank", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 4.9, noNaN: true }), { minLength: 1 }),
        fc.constantFrom(0.5, 0.95, 0.99),
        (values, q) => {
          const sorted = values.toSorted((one, other) => one - other);
          const exact = sorted[Math.max(0, Math.ceil(q * values.length - 1e-9) - 1)]!;
          const bucket = bounds.findIndex((bound) => exact <= bound);
          const found = quantileOf(spreadOf(values), q)!;
          expect(found).toBeLessThanOrEqual(bounds[bucket]!);
          expect(found).toBeGreaterThanOrEqual(bounds[bucket - 1] ?? 0);
        },
      ),
    );
  });
});
