import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError, scanElements, scanMembers, scanMembersAt, spliceElements, spliceMembers } from "./index.ts";

const caps = { maxDepth: 64, maxKeys: 1000 };
const scan = (text: string, limits = caps) => scanMembers(Buffer.from(text), limits);
const splice = (text: string, edits: Record<string, string | undefined>) =>
  spliceMembers(Buffer.from(text), scan(text), edits).toString();

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
  return "no error";
}

describe("scanMembers", () => {
  test("finds every top-level member of any JSON object, at its exact bytes", () => {
    const keys = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue()), fc.constantFrom(0, 1, 3), (object, indent) => {
        const bytes = Buffer.from(JSON.stringify(object, null, indent));
        const members = scanMembers(bytes, { maxDepth: 100, maxKeys: 100_000 });
        expect(members.map((member) => member.key)).toEqual(Object.keys(object));
        for (const member of members) {
          const value = JSON.parse(bytes.toString("utf8", member.valueStart, member.valueEnd));
          expect(JSON.stringify(value)).toBe(JSON.stringify(object[member.key]));
        }
      }),
    );
  });

  test("sees a duplicate key behind any spelling", () => {
    expect(codeOf(() => scan('{"model":"a","model":"b"}'))).toBe("duplicate_key");
    expect(codeOf(() => scan('{"model":"a","mod\\u0065l":"b"}'))).toBe("duplicate_key");
    expect(codeOf(() => scan('{"model":"a","x":{"model":"b","model":"c"}}'))).toBe("no error");
  });

  test("sees a duplicate among many keys", () => {
    const keys = Array.from({ length: 200 }, (_, i) => `"k${i}":${i}`);
    expect(scan(`{${keys.join(",")}}`)).toHaveLength(200);
    for (const twice of [3, 30, 199])
      expect(codeOf(() => scan(`{${keys.join(",")},"k${twice}":0}`))).toBe("duplicate_key");
  });

  test("stops at the caps, before a parser sees the text", () => {
    const started = performance.now();
    expect(codeOf(() => scan("[".repeat(1_000_000)))).toBe("invalid_json");
    expect(codeOf(() => scan(`{"a":${"[".repeat(1_000_000)}`))).toBe("json_too_deep");
    expect(codeOf(() => scan(`{${Array.from({ length: 1_000_000 }, (_, i) => `"${i}":1`).join(",")}}`))).toBe(
      "json_too_many_keys",
    );
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test("is not misled by quotes, escapes and brackets inside strings", () => {
    const long = `${"x".repeat(100)}\\"}],{\\\\`;
    const members = scan(`{"a":"${long}","model":"m"}`);
    expect(members.map((member) => member.key)).toEqual(["a", "model"]);
  });

  test("refuses bytes that are not UTF-8 and strings that do not end", () => {
    expect(codeOf(() => scanMembers(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), caps))).toBe("invalid_json");
    expect(codeOf(() => scan('{"model":"abc'))).toBe("invalid_json");
    expect(codeOf(() => scan(`{"model":"${"a".repeat(200)}\\"`))).toBe("invalid_json");
  });
});

describe("spliceMembers", () => {
  test("changes the model and leaves a 64-bit seed, odd numbers and white space as sent", () => {
    const text = '{ "seed": 9007199254740993, "model" : "auto" , "temperature":1.0, "x":1e400 }';
    expect(splice(text, { model: '"m"' })).toBe(
      '{ "seed": 9007199254740993, "model" : "m" , "temperature":1.0, "x":1e400 }',
    );
  });

  test("adds, replaces and removes members in any combination", () => {
    const values = fc.constantFrom("1", '"two"', "[3,{}]", "null");
    const keys = fc.constantFrom("a", "b", "c", "d", "e");
    fc.assert(
      fc.property(
        fc.uniqueArray(keys),
        fc.dictionary(fc.constantFrom("a", "b", "c", "f"), fc.option(values, { nil: undefined })),
        (present, edits) => {
          const before = Object.fromEntries(present.map((key, i) => [key, i]));
          const expected: Record<string, unknown> = { ...before };
          for (const [key, value] of Object.entries(edits)) {
            if (value === undefined) delete expected[key];
            else expected[key] = JSON.parse(value);
          }
          expect(JSON.parse(splice(JSON.stringify(before, null, 1), edits))).toEqual(expected);
        },
      ),
    );
  });
});

describe("values inside the outermost object", () => {
  const indents = fc.constantFrom(0, 1, 3);

  test("every element of any array is found at its exact bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), indents, (array, indent) => {
        const bytes = Buffer.from(JSON.stringify({ before: ["]"], array, after: 1 }, null, indent));
        const { valueStart } = scanMembers(bytes, { maxDepth: 100, maxKeys: 100_000 })[1]!;
        const found = scanElements(bytes, valueStart).map((span) =>
          bytes.toString("utf8", span.valueStart, span.valueEnd),
        );
        expect(found.map((text) => JSON.stringify(JSON.parse(text)))).toEqual(
          array.map((value) => JSON.stringify(value)),
        );
      }),
    );
  });

  test("an element is edited and all other bytes stay", () => {
    const text = '{ "list" : [ {"n": 9007199254740993}, {"a":1.0, "b":[1,2]} , "x" ], "seed":1e400 }';
    const bytes = Buffer.from(text);
    const [list] = scan(text);
    const elements = scanElements(bytes, list!.valueStart);
    const second = elements[1]!;
    const edited = spliceMembers(bytes, scanMembersAt(bytes, second.valueStart), { b: "2", c: "3" }, second);
    expect(edited.toString()).toBe('{"a":1.0,"b":2,"c":3}');
    const replaced = spliceMembers(bytes, scanMembersAt(bytes, second.valueStart), { b: "2" }, second);
    expect(replaced.toString()).toBe('{"a":1.0, "b":2}');
    const array = spliceElements(bytes, list!, elements, new Map([[1, replaced]]));
    expect(splice(text, { list: array.toString() })).toBe(
      '{ "list" : [ {"n": 9007199254740993}, {"a":1.0, "b":2} , "x" ], "seed":1e400 }',
    );
  });

  test("a duplicate key inside is told at its place in the whole body", () => {
    const bytes = Buffer.from('{"list":[{"a":1,"a":2}]}');
    expect(() => scanMembersAt(bytes, 9)).toThrow("the key «a» twice, at bytes 10 and 16");
  });
});
