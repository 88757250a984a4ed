import { validate } from "@cfworker/json-schema";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { JsonSchema } from "../tools.ts";
import { readArguments } from "./read-arguments.ts";
import { compileSchemaCheck } from "./schema-check.ts";

function fault(schema: JsonSchema, args: unknown) {
  const text = typeof args === "string" ? args : JSON.stringify(args);
  const check = compileSchemaCheck(schema);
  expect(check).toBeDefined();
  return check!.fault(readArguments(text), text.length);
}

const weather = {
  type: "object",
  properties: {
    city: { type: "string", minLength: 1 },
    days: { type: "integer", minimum: 1 },
    tags: { type: "array", items: { enum: ["a", "b"] } },
    place: { $ref: "#/$defs/place" },
  },
  required: ["city"],
  additionalProperties: false,
  $defs: { place: { type: "object", properties: { lat: { type: "number" }, inside: { $ref: "#/$defs/place" } } } },
};

test.each([
  [{ city: "Paris" }, undefined],
  [{ city: "Paris", days: 3, tags: ["a"], place: { lat: 1.5 } }, undefined],
  [{ days: 3 }, { path: "", keyword: "required" }],
  [{ city: 7 }, { path: "city", keyword: "type" }],
  [{ city: "" }, { path: "city", keyword: "minLength" }],
  [
    { city: "Paris", days: 1.5 },
    { path: "days", keyword: "type" },
  ],
  [
    { city: "Paris", tags: ["a", "secret"] },
    { path: "tags[]", keyword: "enum" },
  ],
  [
    { city: "Paris", place: { lat: "north" } },
    { path: "place.lat", keyword: "type" },
  ],
  [
    { city: "Paris", "my secret": 1 },
    { path: "", keyword: "additionalProperties" },
  ],
  ["not json", { path: "", keyword: "type" }],
  ['{"city":"Paris","city":"Rome"}', { path: "", keyword: "duplicate_key" }],
])("says which member breaks which rule, and nothing of the value: %j", (args, expected) => {
  expect(fault(weather, args)).toEqual(expected);
});

test("names that every object has are names like others", () => {
  const schema = {
    properties: { constructor: { type: "string" } },
    required: ["toString"],
    additionalProperties: false,
  };
  expect(fault(schema, {})).toEqual({ path: "", keyword: "required" });
  expect(fault(schema, '{"toString":1,"__proto__":2}')).toEqual({ path: "", keyword: "additionalProperties" });
  expect(fault(JSON.parse('{"properties":{"__proto__":{"type":"string"}}}'), '{"__proto__":1}')).toEqual({
    path: "__proto__",
    keyword: "type",
  });
});

test("OpenAPI's `nullable` allows null", () => {
  const schema = { properties: { unit: { type: "string", enum: ["c", "f"], nullable: true } } };
  expect(fault(schema, { unit: null })).toBeUndefined();
  expect(fault(schema, { unit: "k" })).toEqual({ path: "unit", keyword: "enum" });
});

test.each<[string, JsonSchema, unknown]>([
  ["a pattern that blows up", { properties: { a: { pattern: "^(a+)+$" } } }, { a: `${"a".repeat(50)}!` }],
  ["a format", { properties: { a: { format: "date" } } }, { a: "soon" }],
  ["patterns of names", { patternProperties: { "^x": { type: "string" } }, additionalProperties: false }, { x1: 1 }],
  ["another document", { $ref: "https://example.com/schema.json" }, { a: 1 }],
  ["a reference to nothing", { $ref: "#/$defs/none" }, { a: 1 }],
  ["below the first turn of a recursive reference", weather, { city: "x", place: { inside: { lat: "north" } } }],
  ["a reference to itself", { $ref: "#" }, { a: 1 }],
  ["`not` of a pattern", { properties: { a: { not: { pattern: "^b" } } } }, { a: "a" }],
  ["`oneOf` of patterns", { properties: { a: { oneOf: [{ pattern: "^a" }, { pattern: "^b" }] } } }, { a: "a" }],
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  ["`if` of a pattern", { if: { properties: { a: { pattern: "^b" } } }, then: { required: ["b"] } }, { a: "a" }],
  [
    "`maxContains` of a pattern",
    { properties: { a: { contains: { pattern: "^b" }, maxContains: 1 } } },
    { a: ["a", "b"] },
  ],
  ["an unknown type", { properties: { a: { type: "str" } } }, { a: 1 }],
  ["rules of a wrong form", { required: true, minProperties: "many", properties: { a: { enum: "abc" } } }, { a: 1 }],
])("leaves out what could blow up or cannot be followed: %s", (_what, schema, args) => {
  expect(fault(schema, args)).toBeUndefined();
});

const doubling = Object.fromEntries(
  Array.from({ length: 40 }, (_, at) => [
    `d${at}`,
    { allOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] },
  ]),
);
let deep: JsonSchema = {};
for (let level = 0; level < 20_000; level++) deep = { not: deep };
const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`p${at}`, { type: "string" }]));

test.each<[string, JsonSchema]>([
  ["references that double forty times", { $ref: "#/$defs/d0", $defs: { ...doubling, d40: {} } }],
  ["subschemas 20,000 deep", deep],
  ["5,000 properties", { properties: wide }],
  ["100,000 listed values", { properties: { a: { enum: Array.from({ length: 100_000 }, (_, at) => at) } } }],
  ["a schema with an address inside another", { properties: { a: { $id: "https://example.com/a" } } }],
  ["a list where a mapping belongs", { properties: [] }],
])("does not compile %s", (_what, schema) => {
  const started = performance.now();
  expect(compileSchemaCheck(schema)).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(500);
});

test.each<[string, JsonSchema, unknown]>([
  [
    "items",
    { properties: { a: { items: { anyOf: Array.from({ length: 900 }, () => ({ type: "string" })) } } } },
    Array(500_000).fill(1),
  ],
  [
    "a long text",
    { properties: { a: { anyOf: Array.from({ length: 900 }, () => ({ maxLength: 1 })) } } },
    "x".repeat(1_000_000),
  ],
])("does not check what costs too much: %s", (_what, schema, a) => {
  const started = performance.now();
  expect(fault(schema, { a })).toBe("unchecked");
  expect(performance.now() - started).toBeLessThan(500);
});

test("a file of a megabyte is checked against an ordinary schema", () => {
  const schema = {
    properties: { path: { type: "string" }, content: { type: "string" } },
    required: ["path", "content"],
  };
  expect(fault(schema, { path: "a", content: "line, with: marks\n".repeat(60_000) })).toBeUndefined();
});

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>("a", "b", "ab", "", 0, 1, 2.5, true, null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value"), { maxKeys: 3 }),
  ),
})).value;

const schemas = fc.letrec<{ schema: JsonSchema }>((tie) => {
  const one = tie("schema");
  const some = fc.array(one, { minLength: 1, maxLength: 3 });
  const byName = fc.dictionary(fc.constantFrom("a", "b"), one, { maxKeys: 2 });
  return {
    schema: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<JsonSchema>(true, false, { pattern: "^a" }, { uniqueItems: true }, { $ref: "#/$defs/x" }),
      fc.constantFrom<JsonSchema>({ type: "string" }, { type: ["object", "null"] }, { enum: ["a", 1] }, { minimum: 1 }),
      fc.record<Record<string, unknown>>(
        {
          // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
          ...{ not: one, if: one, then: one, else: one, allOf: some, anyOf: some, oneOf: some },
          ...{ properties: byName, patternProperties: fc.constant({ "^c": true }), additionalProperties: one },
          ...{ items: one, prefixItems: some, contains: one, maxContains: fc.constant(1), propertyNames: one },
          ...{ unevaluatedProperties: one, dependentSchemas: byName },
        },
        { requiredKeys: [] },
      ),
    ),
  };
}).schema;

test("never refuses what the written schema allows", () => {
  fc.assert(
    fc.property(schemas, schemas, fc.dictionary(fc.constantFrom("a", "b", "c"), value), (schema, shared, args) => {
      const written = { allOf: [schema], $defs: { x: shared } };
      const check = compileSchemaCheck(written);
      let allowed = false;
      try {
        allowed = validate(args, structuredClone(written) as object, "2020-12").valid;
      } catch {
        // The library has no end of a reference that leads to itself.
      }
      const text = JSON.stringify(args);
      if (allowed) expect(check?.fault(readArguments(text), text.length)).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});
