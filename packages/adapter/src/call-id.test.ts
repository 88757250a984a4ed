import { expect, test } from "vitest";
import { createCallId } from "./call-id.ts";

test("an id is call_ and 24 lower-case hex digits", () => {
  for (let n = 0; n < 1000; n++) expect(createCallId()).toMatch(/^call_[0-9a-f]{24}$/);
});

test("no id comes twice", () => {
  const ids = Array.from({ length: 10_000 }, createCallId);
  expect(new Set(ids).size).toBe(ids.length);
});
