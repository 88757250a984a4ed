import { expect, test } from "vitest";
import { ReplyEvent } from "./index.ts";

test("an event that was let go of is read anew, and leaves as the same bytes", () => {
  const event = ReplyEvent.ofJson({ a: [1] });
  const before = event.json;
  event.release();
  expect(event.json).toEqual(before);
  expect(event.json).not.toBe(before);
  expect(event.text).toBe('{"a":[1]}');
  expect(event.source.toString("utf8", event.start, event.end)).toBe('data: {"a":[1]}\n\n');
});
