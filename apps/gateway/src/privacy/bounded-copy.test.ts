import fc from "fast-check";
import { expect, test } from "vitest";
import { boundedCopy } from "./bounded-copy.ts";
import { createRedaction, redactionNames } from "./redaction.ts";

const redaction = createRedaction(redactionNames);
const copy = (value: unknown, limit = 10_000) => boundedCopy(value, limit, redaction);

test("keeps the form and redacts every text, keys and arguments in JSON among them", () => {
  const call = { id: "c1", function: { name: "mail", arguments: '{"to":"anna\\u0040mail.example.org","n":1}' } };
  expect(copy([{ role: "assistant", content: null, tool_calls: [call], "bob@mail.example.org": [1, true] }])).toEqual([
    {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "c1", function: { name: "mail", arguments: { to: "[redacted:email]", n: 1 } } }],
      "[redacted:email]": [1, true],
    },
  ]);
  expect(copy({ arguments: '{"to":"anna@mail.example.org' })).toEqual({ arguments: '{"to":"[redacted:email]' });
});

test("is cut with a mark, in a text, a list and an object", () => {
  expect(copy("abcdefgh", 8)).toBe("abcd[cut]");
  expect(copy(["aaaa", "bbbb", "cccc"], 20)).toEqual(["aaaa", "bbbb", "[cut]"]);
  expect(copy({ a: "x".repeat(50), b: 1 }, 20)).toEqual({ a: `${"x".repeat(11)}[cut]`, "[cut]": "[cut]" });
});

test("images are told by their length", () => {
  expect(copy({ url: `data:image/png;base64,${"iVBOR".repeat(1000)}` })).toEqual({ url: "[5022 characters of data]" });
});

test("is bounded for any value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 1, max: 300 }), (value, limit) => {
      // Beside the characters: quotes and signs of the form, escapes, and the marks.
      expect(JSON.stringify(copy(value, limit)).length).toBeLessThanOrEqual(limit * 6 + 300);
    }),
  );
  let deep: unknown = "secret";
  for (let i = 0; i < 5000; i++) deep = [deep];
  expect(JSON.stringify(copy(deep))).not.toContain("secret");
});
