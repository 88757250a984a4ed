import { expect, test } from "vitest";
import { trueFinish } from "./finish-reason.ts";

test.each([
  ["stop", true, "tool_calls"],
  ["stop", false, "stop"],
  ["tool_calls", false, "stop"],
  ["function_call", false, "stop"],
  ["tool_calls", true, "tool_calls"],
  ["length", true, "length"],
  ["content_filter", true, "content_filter"],
  ["abort", false, "abort"],
])("%s, with calls: %s, is %s", (upstream, hasCalls, expected) => {
  expect(trueFinish(upstream, hasCalls)).toBe(expected);
});
