import { expect, test } from "vitest";
import { welch } from "./welch.ts";

test("the t of a textbook's two samples is theirs", () => {
  const a = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4];
  const b = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 27.2];
  expect(welch(a, b)).toBeCloseTo(-2.95986, 4);
  expect(welch(b, a)).toBeCloseTo(2.95986, 4);
});

test("equal constants are not apart", () => {
  expect(welch([1, 1, 1], [1, 1, 1])).toBe(0);
});
