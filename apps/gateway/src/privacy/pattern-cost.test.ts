import fc from "fast-check";
import { expect, test } from "vitest";
import { patternProblem } from "./pattern-cost.ts";

test.each([
  "KD-[0-9]{8}",
  String.raw`\b\d{3}-\d{2}-\d{4}\b`,
  "[A-Z]{2}\\d{6,9}",
  "(?:case|ticket) ?#?\\d{1,10}",
  "secret-[\\w-]+",
  "token: ?\\S{8,}",
  "\\p{Lu}{3}\\u{1F600}?x",
  "(ab){3}",
  "[\\]a-c]{2}",
])("takes %s", (source) => {
  expect(patternProblem(source)).toBeUndefined();
});

test.each([
  ["(a+)+b", "without an end"],
  ["[a-z]+@", "without an end"],
  ["(?:a+){1,5}", "without an end"],
  [String.raw`\w+\b`, "without an end"],
  [".*secret", "without an end"],
  ["(?:a?){20}a{20}", "too many ways"],
  ["(?:a|a){12}b", "too many ways"],
  ["[a-z]{1,64}[a-z]{1,64}x", "too many ways"],
  ["(a{1,30}){1,30}b", "too many ways"],
  ["a{1,9999}", "at most 256"],
  ["a*", "empty text"],
  ["(?:)", "empty text"],
  [String.raw`\b`, "empty text"],
  [String.raw`(a)\1`, "refer to what it has matched"],
  ["(?=a)b", "plain groups"],
  ["(?<!a)b", "plain groups"],
  ["^a", "anywhere in a text"],
  ["(", "not a regular expression"],
  ["a{2", "not a regular expression"],
])("refuses %s: %s", (source, why) => {
  expect(patternProblem(source)).toContain(why);
});

test("what is taken is quick on any text, and what is no pattern at all is told and never thrown", () => {
  const piece = fc.constantFrom(
    "a",
    "b",
    "[ab]",
    "\\w",
    ".",
    "(?:",
    "(",
    ")",
    "|",
    "?",
    "+",
    "*",
    "{2}",
    "{1,9}",
    "\\b",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), fc.constantFrom("a", "ab", "aab "), (pieces, word) => {
      const source = pieces.join("");
      if (patternProblem(source) !== undefined) return;
      const text = word.repeat(16_000 / word.length);
      const began = performance.now();
      const found = [...text.matchAll(new RegExp(source, "gu"))];
      expect(performance.now() - began, source).toBeLessThan(1000);
      expect(found.some(([match]) => match === "")).toBe(false);
    }),
    { numRuns: 400 },
  );
});
