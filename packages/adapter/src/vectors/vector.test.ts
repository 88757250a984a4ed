import { expect, test } from "vitest";
import { mismatch } from "./check-vector.ts";
import { cutAtRandom, seeded, someSplits, splits } from "./splits.ts";
import { readVectors } from "./vector.ts";

test("reads tools in their short form", () => {
  const { tools } = readVectors(
    '{"tools": "f{a:string,b:integer[],c:string|null,d:anyOf[integer,string]} g{}", "vectors": []}',
  );
  expect(tools).toEqual([
    {
      type: "function",
      function: {
        name: "f",
        parameters: {
          type: "object",
          properties: {
            a: { type: "string" },
            b: { type: "array", items: { type: "integer" } },
            c: { type: ["string", "null"] },
            d: { anyOf: [{ type: "integer" }, { type: "string" }] },
          },
        },
      },
    },
    { type: "function", function: { name: "g", parameters: { type: "object", properties: {} } } },
  ]);
});

test("ignores fields that it does not know, and fills in those that may be missing", () => {
  const { vectors } = readVectors(
    '{"vectors": [{"id": "a", "input": "x", "colour": 1, "expect": {"finish_reason": "stop"}}]}',
  );
  expect(vectors[0]).toMatchObject({
    dialect: "auto",
    reasoning_first: false,
    upstream_finish: "stop",
    expect: { content: null, reasoning: null, tool_calls: [], finish_reason: "stop" },
  });
});

test.each([
  ["{", "JSON"],
  ["null", "vectors: not an array"],
  ['{"tools": 1, "vectors": []}', "tools: neither a string nor an array"],
  ['{"vectors": [{"id": "a"}]}', "vector a: input is not a string"],
  ['{"vectors": [{"input": "x"}]}', "vector 1: expect is not an object"],
])("says what is wrong with %s", (text, message) => {
  expect(() => readVectors(text)).toThrow(message);
});

test("compares ids only where one is expected", () => {
  const outcome = {
    content: "",
    reasoning: null,
    calls: [{ id: "x", name: "f", arguments: "{}" }],
    finish: "tool_calls",
  };
  const expected = { content: null, reasoning: null, finish_reason: "tool_calls" };
  expect(mismatch({ ...expected, tool_calls: [{ name: "f", arguments: {} }] }, outcome)).toBeUndefined();
  expect(mismatch({ ...expected, tool_calls: [{ name: "f", arguments: {}, id: "y" }] }, outcome)).toContain('"id":"x"');
});

test("every split is the whole text again", () => {
  const text = "some <tool_call> and \ud83d\ude00 more of it";
  for (const { pieces } of [...splits(text, 1), ...someSplits(text, 1, 5)]) expect(pieces.join("")).toBe(text);
  expect([...splits(text, 1)]).toHaveLength(text.length + 21);
});

test("a seed determines a random split", () => {
  expect(cutAtRandom("a".repeat(100), seeded(7))).toEqual(cutAtRandom("a".repeat(100), seeded(7)));
});
