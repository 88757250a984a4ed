import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeMatch, matches } from "./conditions.ts";
import { readFeatures } from "./features.ts";
import { type Condition, comparisons, complexities, type RequestFacts } from "./policy.ts";

const hard = "Prove that sqrt(2) is irrational, step by step";

function featuresOf(
  body: Record<string, unknown>,
  facts: Partial<RequestFacts> = {},
  headers: Record<string, string> = {},
) {
  return readFeatures({
    endpoint: "chat_completions",
    team: "payments",
    model: "auto",
    body: { messages: [{ role: "user", content: "hi there" }], ...body },
    header: (name) => headers[name],
    bytes: 100,
    ...facts,
  });
}

const greeting = featuresOf({});
const agent = featuresOf({
  tools: [{ type: "function", function: { name: "weather" } }],
  response_format: { type: "json_schema" },
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: hard },
        { type: "image_url", image_url: { url: "x" } },
      ],
    },
  ],
});

describe.each<[string, Condition, boolean, boolean]>([
  ["no condition", {}, true, true],
  ["complexity", { complexity: { op: "==", value: "simple" } }, true, false],
  ["a place in the order of complexity", { complexity: { op: ">=", value: "moderate" } }, false, true],
  ["tokens", { tokens: { op: "<", value: 20 } }, true, false],
  ["tools", { has_tools: true }, false, true],
  ["no tools", { has_tools: false }, true, false],
  ["images", { has_images: true }, false, true],
  ["JSON", { json_schema: true }, false, true],
  ["all keys", { has_tools: true, tokens: { op: "<", value: 20 } }, false, false],
  ["any", { any: [{ tokens: { op: "<", value: 20 } }, { has_tools: true }] }, true, true],
  ["none of any", { any: [{ team: ["search"] }, { tokens: { op: ">", value: 1e6 } }] }, false, false],
  ["not", { not: { has_tools: true } }, true, false],
  ["not all of several", { not: { has_tools: true, team: ["search"] } }, true, true],
])("%s", (_, condition, onGreeting, onAgent) => {
  test(`is ${onGreeting} of a greeting and ${onAgent} of an agent's question`, () => {
    expect(matches(condition, greeting)).toBe(onGreeting);
    expect(matches(condition, agent)).toBe(onAgent);
  });
});

test.each([
  ["payments", true],
  ["pay*", true],
  ["*ments", true],
  ["*aymen*", true],
  ["*", true],
  ["Payments", false],
  ["pay", false],
  ["*pay", false],
  ["p*s", false],
])("team pattern %s", (pattern, expected) => {
  expect(matches({ team: ["search", pattern] }, greeting)).toBe(expected);
});

test("a header must be there and have one of the values", () => {
  const condition = { header: { "x-tier": ["gold", "plat*"] } };
  expect(matches(condition, featuresOf({}, {}, { "x-tier": "platinum" }))).toBe(true);
  expect(matches(condition, featuresOf({}, {}, { "x-tier": "tin" }))).toBe(false);
  expect(matches(condition, featuresOf({}))).toBe(false);
  expect(matches({ header: { "x-tier": ["*"] } }, featuresOf({}))).toBe(false);
});

test("complexity is not computed when a cheaper key already says no", () => {
  const features = featuresOf({});
  matches({ complexity: { op: "==", value: "simple" }, has_tools: true }, features);
  expect(features.assessment).toBeUndefined();
  matches({ complexity: { op: "==", value: "simple" } }, features);
  expect(features.assessment?.complexity).toBe("simple");
});

test("says in a few words what matched, and nothing of a header's value", () => {
  const condition: Condition = { complexity: { op: "==", value: "simple" }, tokens: { op: "<", value: 2000 } };
  expect(describeMatch(condition, greeting)).toBe(`complexity simple, tokens ${greeting.tokens}`);
  expect(describeMatch({}, greeting)).toBe("");
  const features = featuresOf({}, {}, { "x-tier": "gold" });
  expect(describeMatch({ any: [{ has_tools: true }, { header: { "x-tier": ["gold"] } }] }, features)).toBe(
    "header x-tier",
  );
});

test("a condition and its negation never agree", () => {
  const comparison = fc.record({ op: fc.constantFrom(...comparisons), value: fc.nat(40) });
  const condition = fc.record(
    {
      team: fc.array(fc.constantFrom("payments", "pay*", "search"), { minLength: 1 }),
      tokens: comparison,
      has_tools: fc.boolean(),
      complexity: fc.record({ op: fc.constantFrom(...comparisons), value: fc.constantFrom(...complexities) }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(condition, (when) => {
      for (const features of [greeting, agent]) {
        expect(matches({ not: when }, features)).toBe(!matches(when, features));
        expect(matches({ any: [when, { not: when }] }, features)).toBe(true);
      }
    }),
  );
});
