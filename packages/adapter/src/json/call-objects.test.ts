import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memberSlices, readArguments, readCallObjects } from "./call-objects.ts";

/** Any code unit, half of a pair as well. */
const unit = fc.oneof(fc.nat(0x7f), fc.nat(0xffff)).map((code) => String.fromCharCode(code));

function only(text: string) {
  const calls = readCallObjects(text);
  expect(calls).toHaveLength(1);
  return calls![0]!;
}

const clean = (name: string, args: string) => ({ name, arguments: args, id: undefined, repaired: false });

test.each([
  '{"name": "exec", "arguments": {"cmd": "ls"}}',
  '{"name": "exec", "parameters": {"cmd": "ls"}}',
  '{"tool": "exec", "args": {"cmd": "ls"}}',
  '{"tool_name": "exec", "input": {"cmd": "ls"}}',
  '{"function": "exec", "arguments": {"cmd": "ls"}}',
  '{"type": "function", "name": "exec", "parameters": {"cmd": "ls"}}',
  '{"type": "function", "function": {"name": "exec", "arguments": {"cmd": "ls"}}}',
  '{"function": {"name": "exec"}, "arguments": {"cmd": "ls"}}',
  '{"name": "exec", "arguments": "{\\"cmd\\": \\"ls\\"}"}',
  '{"name": "exec", "arguments": null, "parameters": {"cmd": "ls"}}',
  '{"name": "other", "name": "exec", "arguments": 1, "arguments": {"cmd": "ls"}}',
  '{"n\\u0061me": "exec", "arguments": {"cmd": "ls"}}',
  ' [{"name": "exec", "arguments": {"cmd": "ls"}}]\n',
])("reads %s", (text) => {
  expect(only(text)).toEqual(clean("exec", '{"cmd": "ls"}'));
});

test.each([
  '{"name": "noargs"}',
  '{"name": "noargs", "arguments": null}',
  '{"name": "noargs", "arguments": ""}',
  '{"name": "noargs", "arguments": " "}',
  '{"name": "noargs", "arguments": "null"}',
  '{"name": "noargs", "arguments": {}}',
])("a call without arguments has an empty object: %s", (text) => {
  expect(only(text)).toEqual(clean("noargs", "{}"));
});

test.each([
  ['{"name": "exec", "arguments": {"cmd": "ls",}}', '{"cmd": "ls"}'],
  ["{'name': 'exec', 'arguments': {'all': True}}", '{"all": true}'],
  ['{"name": "exec", "arguments": "{\'cmd\': 1.0}"}', '{"cmd": 1.0}'],
])("says that it repaired %s", (text, args) => {
  expect(only(text)).toEqual({ name: "exec", arguments: args, id: undefined, repaired: true });
});

test("several calls come in their order, and ids are kept", () => {
  expect(readCallObjects('[{"name":"a","id":"x1","arguments":{}} , {"id":"","tool_call_id":"0","name":"b"}]')).toEqual([
    { name: "a", arguments: "{}", id: "x1", repaired: false },
    { name: "b", arguments: "{}", id: undefined, repaired: false },
  ]);
});

test.each([
  "",
  "[]",
  "{}",
  "42",
  '"exec"',
  "[1]",
  '{"answer": 42}',
  '{"name": ""}',
  '{"name": null}',
  '{"name": {"a": 1}, "arguments": {}}',
  '{"function": {"arguments": {}}}',
  '{"name": "exec", "arguments": [1]}',
  '{"name": "exec", "arguments": 1}',
  '{"name": "exec", "arguments": "ls"}',
  '{"name": "exec", "arguments": "[1]"}',
  '[{"name": "exec"}, {"city": "Paris"}]',
  '{"name": "exec"} {"name": "exec"}',
])("finds no call in %s", (text) => {
  expect(readCallObjects(text)).toBeUndefined();
});

test("arguments alone are read in the same way", () => {
  expect(readArguments(' {"n": 1.0}\n')).toEqual({ json: '{"n": 1.0}', repaired: false });
  expect(readArguments('"{\\"n\\": 1.0}"')).toEqual({ json: '{"n": 1.0}', repaired: false });
  expect(readArguments("{'n': 1.0,}")).toEqual({ json: '{"n": 1.0}', repaired: true });
  expect(readArguments("")).toEqual({ json: "{}", repaired: false });
  expect(readArguments("null")).toEqual({ json: "{}", repaired: false });
  for (const text of ["[1]", "1", "ls", '"ls"', '{"n": 1']) expect(readArguments(text)).toBeUndefined();
});

describe("the slices of an object", () => {
  test("are its values as they are written, byte for byte", () => {
    const keys = fc.string({ unit });
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue()), fc.constantFrom(0, 1, 3), (object, indent) => {
        const slices = memberSlices(JSON.stringify(object, null, indent))!;
        const expected = Object.entries(object).map(([key, value]) => [key, JSON.parse(JSON.stringify(value))]);
        expect([...slices].map(([key, slice]) => [key, JSON.parse(slice)])).toEqual(expected);
        for (const slice of slices.values()) expect(slice).toBe(slice.trim());
      }),
    );
  });

  test("keep numbers, escapes, white space and repeated keys", () => {
    const args = '{ "n": 12345678901234567890,"f":1.0 , "n": [ 1 ], "s": "\\u00e9 } \\" \\\\" }';
    expect(only(`{"arguments":${args} ,"name":"exec"}`)).toEqual(clean("exec", args));
    expect([...memberSlices(args)!]).toEqual([
      ["n", "[ 1 ]"],
      ["f", "1.0"],
      ["s", '"\\u00e9 } \\" \\\\"'],
    ]);
  });

  test("of what is not an object there are none", () => {
    for (const json of ["[]", "1", '"{}"', "null", ""]) expect(memberSlices(json)).toBeUndefined();
    expect(memberSlices(" { } ")).toEqual(new Map());
  });
});

test("arguments of any kind come back as they were written, bare or encoded twice", () => {
  const objects = fc.dictionary(fc.string({ unit }), fc.jsonValue());
  fc.assert(
    fc.property(fc.string({ unit, minLength: 1 }), objects, fc.constantFrom(0, 2), (name, object, indent) => {
      const args = JSON.stringify(object, null, indent);
      expect(only(`{"name":${JSON.stringify(name)},"arguments":${args}}`)).toEqual(clean(name, args));
      expect(only(JSON.stringify({ name, arguments: args }))).toEqual(clean(name, args));
    }),
  );
});

test("never throws, and arguments always parse to an object", () => {
  const pieces = fc.constantFrom(
    ..."{}[]\"'\\,: \n\0\u2028\ud800",
    '"name":',
    "'name':",
    '"arguments":',
    '"x"',
    '{"name":"f","arguments":',
    '"{\\"a\\":1}"',
    "function:",
    "None",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      for (const call of readCallObjects(parts.join("")) ?? []) {
        expect(call.name).not.toBe("");
        expect(JSON.parse(call.arguments)).toBeTypeOf("object");
        expect(call.arguments).toMatch(/^\{/);
      }
    }),
    { numRuns: 3000 },
  );
});

test("megabytes of calls, members, quotes or brackets take time in proportion", () => {
  const began = performance.now();
  const calls = Array.from({ length: 50_000 }, () => '{"name":"f"}').join(",");
  expect(readCallObjects(`[${calls}]`)).toHaveLength(50_000);
  const members = Array.from({ length: 100_000 }, (_, i) => `"k${i}":[{}]`).join(",");
  expect(only(`{"name":"f","arguments":{${members}}}`).arguments).toHaveLength(members.length + 2);
  expect(only(`{"name":"f","arguments":{"q":"${'\\"'.repeat(500_000)}"}}`).repaired).toBe(false);
  for (const unit of ["[", '{"name":', '{"arguments":"']) expect(readCallObjects(unit.repeat(100_000))).toBeUndefined();
  // Milliseconds on an idle machine; minutes if any part were read again and again.
  expect(performance.now() - began).toBeLessThan(10_000);
});
