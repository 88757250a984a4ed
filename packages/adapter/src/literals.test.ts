import { expect, test } from "vitest";
import { LiteralSet, PARTIAL } from "./literals.ts";

const set = LiteralSet.of("<think>", "<tool_call>", "<tool_calls>", "[", "[TOOL_CALLS]", "◁think▷");

test("finds the longest literal at a place", () => {
  expect(set.match("a <tool_calls> b", 2, false)).toMatchObject({ literal: "<tool_calls>" });
  expect(set.match("[TOOL_CALLS]", 0, false)).toMatchObject({ literal: "[TOOL_CALLS]" });
  expect(set.match("[TOOL]", 0, false)).toMatchObject({ literal: "[" });
  expect(set.match("◁think▷", 0, false)).toMatchObject({ literal: "◁think▷" });
});

test("waits while a literal may still come, and not once the text is over", () => {
  expect(set.match("<tool", 0, false)).toBe(PARTIAL);
  expect(set.match("<tool", 0, true)).toBeUndefined();
  expect(set.match("[TOOL", 0, false)).toBe(PARTIAL);
  expect(set.match("[TOOL", 0, true)).toMatchObject({ literal: "[" });
});

test("says no as soon as no literal goes on like that", () => {
  expect(set.match("<tool x", 0, false)).toBeUndefined();
  expect(set.match("x", 0, false)).toBeUndefined();
  expect(set.match("<\ud800", 0, false)).toBeUndefined();
});

test("of a literal that is there twice the first counts", () => {
  const twice = new LiteralSet([
    ["a", 1],
    ["a", 2],
  ]);
  expect(twice.match("a", 0, false)).toMatchObject({ value: 1 });
});

test("tells by two characters whether a literal may begin", () => {
  const [lt, t, x] = ["<", "t", "x"].map((character) => character.charCodeAt(0));
  expect(set.mayBegin(lt!, t!)).toBe(true);
  expect(set.mayBegin(lt!, x!)).toBe(false);
  expect(set.mayBegin(x!, t!)).toBe(false);
  expect(set.mayBegin("[".charCodeAt(0), x!)).toBe(true);
});

test("knows when there is nothing to look for", () => {
  expect(new LiteralSet([]).isEmpty).toBe(true);
  expect(new LiteralSet([]).match("a", 0, false)).toBeUndefined();
  expect(set.isEmpty).toBe(false);
});
