import { expect, test } from "vitest";
import { median, ratioOf, table, verdict } from "./rounds.ts";

test("the median is the middle, whatever the order", () => {
  expect(median([30, 1, 2])).toBe(2);
  expect(median([10, 1, 2, 4])).toBe(3);
  expect(median([7])).toBe(7);
});

test("a machine that becomes slower between rounds does not change the ratio", () => {
  expect(ratioOf([15, 150, 30], [10, 100, 20])).toBe(1.5);
});

test("one disturbed round does not change the ratio", () => {
  expect(ratioOf([15, 15, 90, 15, 15], [10, 10, 10, 10, 10])).toBe(1.5);
});

test("a limit is kept up to its own value", () => {
  expect(verdict("ratio", 1.6, 1.6)).toBe("PASS  ratio 1.60, at most 1.6");
  expect(verdict("idle stream", 64.5, 64, " KiB")).toBe("FAIL  idle stream 64.50 KiB, at most 64 KiB");
});

test("columns are aligned", () => {
  expect(
    table([
      ["a", "median"],
      ["longer", "1.5"],
    ]),
  ).toBe("  a        median\n  longer      1.5");
});
