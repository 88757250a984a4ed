import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { argumentsOfTexts, coerceText, itemSchema, propertySchema } from "./coerce.ts";
import type { DeclaredTool, JsonSchema } from "./tools.ts";

/** Any code unit, half of a pair as well. */
const unit = fc.oneof(fc.nat(0x7f), fc.nat(0xffff)).map((code) => String.fromCharCode(code));

const tool: DeclaredTool = {
  name: "get_weather",
  parameters: {
    type: "object",
    properties: {
      city: { type: "string" },
      days: { type: "integer" },
      tags: { type: "array", items: { type: "string" } },
      opt: { type: ["string", "null"] },
      any: { anyOf: [{ type: "integer" }, { type: "string" }] },
      obj: { type: "object" },
      num: { type: "number" },
      b: { type: "boolean" },
      unit: { $ref: "#/$defs/Unit" },
      free: { description: "anything" },
    },
    $defs: { Unit: { enum: ["C", "F", 1] }, Loop: { anyOf: [{ $ref: "#/$defs/Loop" }, { $ref: "#/$defs/Loop" }] } },
  },
};

const one = (name: string, text: string) => argumentsOfTexts([{ name, text }], tool);
const as = (text: string, schema: JsonSchema) => {
  const { json, coerced } = coerceText(text, schema, schema);
  return coerced ? [json, "coerced"] : [json];
};

test.each([
  ["city", "3", '"3"'],
  ["city", "  null ", '"  null "'],
  ["city", "", '""'],
  ["days", "3", "3"],
  ["days", " 12345678901234567890\n", "12345678901234567890"],
  ["days", "1.0", "1.0"],
  ["num", "1.0", "1.0"],
  ["num", "-2.5e3", "-2.5e3"],
  ["b", "true", "true"],
  ["tags", '["a", 1.0]', '["a", 1.0]'],
  ["obj", ' {"n": 12345678901234567890} ', '{"n": 12345678901234567890}'],
  ["opt", "hi", '"hi"'],
  ["opt", "null", "null"],
  ["opt", "none", '"none"'],
  ["opt", "", '""'],
  ["any", "5", "5"],
  ["any", "five", '"five"'],
  ["any", "1.0", '"1.0"'],
  ["any", "007", '"007"'],
  ["any", "null", '"null"'],
  ["unit", "C", '"C"'],
  ["unit", "1", "1"],
  ["free", "3", '"3"'],
  ["other", "3", '"3"'],
  ["__proto__", "3", '"3"'],
  ["constructor", "3", '"3"'],
])("%s reads %j as JSON of its type", (name, text, json) => {
  expect(one(name, text)).toEqual({ json: `{${JSON.stringify(name)}:${json}}`, coerced: false });
});

test.each([
  ["b", "True", "true"],
  ["b", "FALSE", "false"],
  ["b", "yes", '"yes"'],
  ["days", "three", '"three"'],
  ["days", "1.5", '"1.5"'],
  ["days", "null", "null"],
  ["days", "NIL", "null"],
  ["num", "NaN", '"NaN"'],
  ["opt", "None", "null"],
  ["tags", "['a', (1,)]", '["a", [1]]'],
  ["tags", "('a', 'b')", '["a", "b"]'],
  ["tags", '{"a": 1}', '"{\\"a\\": 1}"'],
  ["obj", "{'a': None,}", '{"a": null}'],
  ["obj", "{broken", '"{broken"'],
])("%s takes %j by more than reading it", (name, text, json) => {
  expect(one(name, text)).toEqual({ json: `{"${name}":${json}}`, coerced: true });
});

test("empty elements are dropped, unless a string may stand there", () => {
  const parameters = ["days", "num", "b", "tags", "obj", "opt", "city"].map((name) => ({
    name,
    text: name === "b" ? " \n" : "",
  }));
  expect(argumentsOfTexts(parameters, tool)).toEqual({ json: '{"opt":"","city":""}', coerced: false });
});

test("the last of a repeated parameter wins", () => {
  const repeated = [
    { name: "days", text: "one" },
    { name: "city", text: "Rome" },
    { name: "days", text: "1" },
  ];
  expect(argumentsOfTexts(repeated, tool)).toEqual({ json: '{"days":1,"city":"Rome"}', coerced: false });
});

test.each([undefined, { name: "f", parameters: undefined }, { name: "f", parameters: true }])(
  "without a schema every value is a string (%#)",
  (undeclared) => {
    const parameters = [
      { name: "a", text: "1" },
      { name: "b", text: "" },
    ];
    expect(argumentsOfTexts(parameters, undeclared)).toEqual({ json: '{"a":"1","b":""}', coerced: false });
  },
);

describe("the types of a schema", () => {
  test.each<[JsonSchema, string, unknown[]]>([
    [{ const: 3 }, "3", ["3"]],
    [{ enum: ["1", "2"] }, "1", ['"1"']],
    [{ enum: [true, "auto"] }, "true", ["true"]],
    [{ type: "integer", nullable: true }, "null", ["null"]],
    [{ oneOf: [{ type: "boolean" }, { type: "array" }] }, "[1]", ["[1]"]],
    [{ allOf: [{ type: ["integer", "string"] }, { type: "integer" }] }, "1", ["1"]],
    [{ allOf: [{ type: ["integer", "string"] }, { type: "string" }] }, "1", ['"1"']],
    [{ allOf: [{ type: "number" }, { minimum: 1 }] }, "1.5", ["1.5"]],
    [{ type: "object", anyOf: [{ required: ["a"] }, { required: ["b"] }] }, '{"a":1}', ['{"a":1}']],
    [{ anyOf: [{ type: "integer" }, {}] }, "1", ['"1"']],
    [{ properties: { a: {} } }, '{"a":1}', ['{"a":1}']],
    [{ items: { type: "integer" } }, "[1]", ["[1]"]],
    [{ type: "INTEGER" }, "1", ["1"]],
    [{ type: "dict" }, "{}", ["{}"]],
    [{ type: "whatever" }, "1", ['"1"']],
    [{ type: ["string", "number", "boolean", "object", "array", "null"] }, "false", ["false"]],
    [false, "1", ['"1"', "coerced"]],
    [
      { $ref: "#/definitions/a~1b", definitions: { "a/b": { $ref: "#/definitions/c" }, c: { type: "integer" } } },
      "1",
      ["1"],
    ],
    [{ $ref: "#/nowhere" }, "1", ['"1"']],
    [{ $ref: "https://example.com/schema" }, "1", ['"1"']],
    [{ $ref: "#" }, "1", ['"1"']],
    [{ anyOf: [{ $ref: "#" }, { $ref: "#" }, { $ref: "#" }] }, "1", ['"1"']],
  ])("%j reads %j as %j", (schema, text, expected) => {
    expect(as(text, schema)).toEqual(expected);
  });
});

test("members and elements are found through references and alternatives", () => {
  const root: JsonSchema = {
    allOf: [
      { $ref: "#/$defs/Base" },
      { properties: { b: { anyOf: [{ type: "null" }, { items: { type: "integer" } }] } } },
    ],
    $defs: { Base: { properties: { a: { type: "boolean" }, never: false } } },
  };
  expect(propertySchema(root, "a", root)).toEqual({ type: "boolean" });
  expect(propertySchema(root, "never", root)).toBe(false);
  expect(propertySchema(root, "c", root)).toBeUndefined();
  expect(itemSchema(propertySchema(root, "b", root)!, root)).toEqual({ type: "integer" });
});

test("DSML says itself what is a string", () => {
  const values = [
    { name: "s", text: " 1 ", isString: true },
    { name: "n", text: " 12345678901234567890 ", isString: false },
    { name: "w", text: '"x"', isString: false },
    { name: "o", text: '{"f": 1.0}', isString: false },
    { name: "e", text: " ", isString: false },
  ];
  const json = '{"s":" 1 ","n":12345678901234567890,"w":"x","o":{"f": 1.0}}';
  expect(argumentsOfTexts(values, undefined)).toEqual({ json, coerced: false });
  expect(argumentsOfTexts([{ name: "p", text: "['a', True]", isString: false }], undefined)).toEqual({
    json: '{"p":["a", true]}',
    coerced: true,
  });
  expect(argumentsOfTexts([{ name: "p", text: "Paris", isString: false }], undefined)).toEqual({
    json: '{"p":"Paris"}',
    coerced: true,
  });
});

const texts = fc.oneof(
  fc.string({ unit }),
  fc.json(),
  fc.constantFrom("", " ", "null", "None", "true", "1.0", "1e999", "-", "{", "[1,]", "(1)", "\ud800", "'"),
);

test("never throws, and what comes out is an object", () => {
  const names = fc.constantFrom(
    ...Object.keys(tool.parameters === undefined ? {} : (tool.parameters as { properties: object }).properties),
    "x",
  );
  const parameter = fc.record({
    name: fc.oneof(names, fc.string({ unit })),
    text: texts,
    isString: fc.option(fc.boolean(), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(parameter), (parameters) => {
      expect(JSON.parse(argumentsOfTexts(parameters, tool).json)).toBeTypeOf("object");
    }),
    { numRuns: 1000 },
  );
});

test("any schema will do, however strange", () => {
  const keywords = fc.constantFrom(
    "type",
    "enum",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
    "$ref",
    "properties",
    "items",
    "nullable",
  );
  const schemas = fc.letrec((tie) => ({
    schema: fc.dictionary(keywords, tie("value"), { maxKeys: 4 }),
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("integer", "string", "#", "#/properties", "#/anyOf/0", true, null, 3),
      tie("schema"),
      fc.array(tie("value"), { maxLength: 3 }),
    ),
  })).schema as fc.Arbitrary<JsonSchema>;
  fc.assert(
    fc.property(schemas, texts, (schema, text) => {
      const { json } = coerceText(text, schema, schema);
      if (json !== undefined) JSON.parse(json);
      const declared = { name: "f", parameters: schema };
      expect(JSON.parse(argumentsOfTexts([{ name: "type", text }], declared).json)).toBeTypeOf("object");
    }),
    { numRuns: 2000 },
  );
});

test("a string is the text itself, and JSON of a declared type keeps its spelling", () => {
  fc.assert(
    fc.property(fc.string({ unit }), fc.dictionary(fc.string(), fc.jsonValue()), (text, object) => {
      expect(JSON.parse(one("city", text).json)).toEqual({ city: text });
      const json = JSON.stringify(object, null, 1);
      expect(one("obj", json)).toEqual({ json: `{"obj":${json}}`, coerced: false });
    }),
  );
});

test("megabytes, and references without end, take time in proportion", () => {
  const began = performance.now();
  for (const name of ["city", "days", "num", "b", "tags", "obj", "any", "opt"])
    for (const unit of ["[", "1", '"', "{'", " ", "-"]) one(name, unit.repeat(500_000));
  coerceText("1", { $ref: "#/$defs/Loop" }, tool.parameters!);
  let deep: JsonSchema = { type: "integer" };
  for (let i = 0; i < 100_000; i++) deep = { anyOf: [deep] };
  coerceText("1", deep, deep);
  argumentsOfTexts(
    Array.from({ length: 100_000 }, (_, i) => ({ name: `days${i % 5}`, text: "1" })),
    tool,
  );
  // Milliseconds on an idle machine; minutes if any part were read again and again.
  expect(performance.now() - began).toBeLessThan(10_000);
});
