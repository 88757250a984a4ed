import fc from "fast-check";
import { expect, test } from "vitest";
import { estimateTokens } from "./estimate-tokens.ts";

const english =
  "The signal box stands beside the line. From here the points are set and the signals are worked, and no train may pass until the route before it is locked. ";
const chinese =
  "请用中文写一篇关于分布式限流器的设计文档，说明其容错机制，并分析在网络分区、时钟漂移、节点故障等情况下的失败模式。";
const code =
  "export function add(left: number, right: number): number {\n  const sum = left + right;\n  return sum;\n}\n";
const json = JSON.stringify({ name: "get_weather", arguments: { city: "Berlin", unit: "celsius", days: 3 } });

// Counted once with two public vocabularies of current models (100k and 200k entries).
test.each([
  ["English", english, [34, 34]],
  ["Chinese", chinese, [44, 57]],
  ["code", code, [26, 26]],
  ["JSON", json, [21, 21]],
] as const)("is within a quarter of what vocabularies say of %s", (_, text, [least, most]) => {
  expect(estimateTokens(text)).toBeGreaterThanOrEqual(least * 0.75);
  expect(estimateTokens(text)).toBeLessThanOrEqual(most * 1.25);
});

test("a greeting is a few tokens, nothing is none", () => {
  expect(estimateTokens("hi there")).toBe(3);
  expect(estimateTokens("")).toBe(0);
});

test("is never negative or broken, and more text is never fewer tokens than its half", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 120 }), (text) => {
      const tokens = estimateTokens(text);
      expect(Number.isInteger(tokens)).toBe(true);
      expect(tokens).toBeGreaterThanOrEqual(0);
      expect(tokens).toBeLessThanOrEqual(text.length * 1.1 + 1);
      expect(estimateTokens(text + text)).toBeGreaterThanOrEqual(tokens);
    }),
    { numRuns: 40 },
  );
});

function millisecondsFor(text: string): number {
  const times = Array.from({ length: 30 }, () => {
    const began = performance.now();
    estimateTokens(text);
    return performance.now() - began;
  });
  return Math.min(...times);
}

test("samples long texts: about the same number, in time that does not grow with them", () => {
  const long = english.repeat(40_000);
  const exact = estimateTokens(english.repeat(400)) * 100;
  expect(Math.abs(estimateTokens(long) - exact) / exact).toBeLessThan(0.05);
  expect(millisecondsFor(long)).toBeLessThan(3 * millisecondsFor(english.repeat(650)));
});

// Half a millisecond on an idle machine; the limit leaves room for a busy one.
test("100 KB take a few milliseconds at most", () => {
  expect(millisecondsFor(english.repeat(650))).toBeLessThan(5);
});
