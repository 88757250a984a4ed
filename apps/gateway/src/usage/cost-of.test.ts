import fc from "fast-check";
import { expect, test } from "vitest";
import { parsePrice } from "../config/units.ts";
import { costOf } from "./cost-of.ts";

const priced = (input: string, output: string) => ({ input: parsePrice(input)!, output: parsePrice(output)! });

test("a request costs its tokens by the prices of both sides", () => {
  // 1,000 x 0.0000002 + 500 x 0.0000011 = 0.00075.
  expect(costOf(priced("0.2/M", "1.1/M"), 1000, 500)).toBe(750_000);
  expect(costOf(priced("0.0002/k", "0.0011/k"), 1000, 500)).toBe(750_000);
});

test("a model without a price costs nothing", () => {
  expect(costOf(undefined, 1_000_000, 1_000_000)).toBe(0);
});

test("a part of a billionth is rounded up, once for the request", () => {
  expect(costOf(priced("0.0001/M", "0.0001/M"), 1, 0)).toBe(1);
  expect(costOf(priced("0.0001/M", "0.0001/M"), 5, 5)).toBe(1);
  expect(costOf(priced("0.0001/M", "0.0001/M"), 11, 0)).toBe(2);
});

test("is exact for every price and every request that an engine can answer", () => {
  const price = fc.integer({ min: 0, max: 10_000 * 1e9 });
  const tokens = fc.integer({ min: 0, max: 10_000_000 });
  fc.assert(
    fc.property(price, price, tokens, tokens, (a, b, input, output) => {
      const text = (nano: number) => `${Math.floor(nano / 1e9)}.${String(nano % 1e9).padStart(9, "0")}/M`;
      const exact = BigInt(a) * BigInt(input) + BigInt(b) * BigInt(output);
      expect(BigInt(costOf(priced(text(a), text(b)), input, output))).toBe((exact + 999_999n) / 1_000_000n);
    }),
  );
});
