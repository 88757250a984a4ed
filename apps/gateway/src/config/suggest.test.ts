import fc from "fast-check";
import { expect, test } from "vitest";
import { didYouMean, editDistance, suggest } from "./suggest.ts";

const keys = ["kind", "url", "api_key", "api_key_file", "max_concurrent", "timeouts", "strategy", "fallback", "models"];

test.each([
  ["max_concurency", "max_concurrent"],
  ["maxConcurrent", "max_concurrent"],
  ["timeout", "timeouts"],
  ["model", "models"],
  ["fallbacks", "fallback"],
  ["apikey", "api_key"],
  ["ulr", "url"],
  ["stratgey", "strategy"],
])("«%s» was meant as «%s»", (word, meant) => {
  expect(suggest(word, keys)).toBe(meant);
});

test("says nothing when no word is near", () => {
  expect(suggest("weather", keys)).toBeUndefined();
  expect(suggest("", keys)).toBeUndefined();
  expect(suggest("x".repeat(10_000), keys)).toBeUndefined();
  expect(didYouMean("weather", keys)).toBe("");
  expect(didYouMean("knid", keys)).toBe("; did you mean «kind»?");
});

test("the distance is that of Damerau and Levenshtein", () => {
  expect(editDistance("kind", "knid")).toBe(1);
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("", "abc")).toBe(3);
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      const distance = editDistance(a, b);
      expect(distance).toBe(editDistance(b, a));
      expect(distance === 0).toBe(a === b);
      expect(distance).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});
