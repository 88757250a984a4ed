import fc from "fast-check";
import { expect, test } from "vitest";
import { compileGlob } from "./glob.ts";

test.each([
  ["rm -rf*", "rm -rf /", true],
  ["rm -rf*", "rm -rf", true],
  ["rm -rf*", "ls; rm -rf /", false],
  ["*rm -rf*", "ls; rm -rf /", true],
  ["delete_?", "delete_a", true],
  ["delete_?", "delete_", false],
  ["delete_?", "delete_ab", false],
  ["*", "", true],
  ["", "", true],
  ["", "a", false],
  ["a.c", "abc", false],
  ["[a]", "a", false],
  ["***a**", "bab", true],
  ["Shell", "shell", false],
])("«%s» and «%s»: %s", (pattern, text, fits) => {
  expect(compileGlob(pattern).fits(text)).toBe(fits);
});

test("agrees with a regular expression on short patterns and texts", () => {
  const texts = (alphabet: string[], maxLength: number) =>
    fc.array(fc.constantFrom(...alphabet), { maxLength }).map((letters) => letters.join(""));
  const asRegExp = (pattern: string) => new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`);
  fc.assert(
    fc.property(texts(["a", "b", "*", "?"], 8), texts(["a", "b", "c"], 12), (pattern, text) => {
      expect(compileGlob(pattern).fits(text)).toBe(asRegExp(pattern).test(text));
    }),
  );
});

test("counts every character of a pattern that is longer than a machine word", () => {
  const letters = "abcdefghijklmnopqrstuvwxyz".repeat(8);
  for (const length of [31, 32, 33, 63, 64, 65, 200]) {
    const text = letters.slice(0, length);
    expect(compileGlob(text).fits(text)).toBe(true);
    expect(compileGlob(`${text}*`).fits(`${text}!`)).toBe(true);
    expect(compileGlob(`*${text.slice(1)}`).fits(text)).toBe(true);
    expect(compileGlob(text).fits(`${text.slice(0, -1)}!`)).toBe(false);
    expect(compileGlob(text).fits(`${text}!`)).toBe(false);
  }
});

test.each([
  ["many stars", "*a".repeat(60), "a"],
  ["a star before a near miss", `*${"a".repeat(120)}b`, "a"],
  ["stars and any characters", "*?a".repeat(40), "a"],
  ["two letters", `*${"ab".repeat(60)}c*`, "ab"],
])("takes a hostile megabyte in time linear to its length: %s", (_what, pattern, unit) => {
  const glob = compileGlob(`${pattern}!`);
  const time = (bytes: number) => {
    const text = unit.repeat(bytes / unit.length);
    const started = performance.now();
    expect(glob.fits(text)).toBe(false);
    return performance.now() - started;
  };
  time(100_000);
  expect(time(1_000_000)).toBeLessThan(500);
});
