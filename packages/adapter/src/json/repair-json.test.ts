import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readPythonLiteral, repairJson } from "./repair-json.ts";

/** Any code unit, half of a pair as well. */
const unit = fc.oneof(fc.nat(0x7f), fc.nat(0xffff)).map((code) => String.fromCharCode(code));

/** Any JSON, and how Python would print it. */
const { json, python } = fc.letrec<{ json: unknown; python: { value: unknown; text: string } }>((tie) => ({
  json: fc.jsonValue(),
  python: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom({ value: true, text: "True" }, { value: false, text: "False" }, { value: null, text: "None" }),
    fc.integer().map((value) => ({ value, text: String(value) })),
    fc.string({ unit }).map((value) => ({ value, text: pythonString(value) })),
    fc.array(tie("python"), { maxLength: 4 }).map((items) => ({
      value: items.map((item) => item.value),
      text: `(${items.map((item) => `${item.text},`).join(" ")})`,
    })),
    fc.array(fc.tuple(fc.string(), tie("python")), { maxLength: 4 }).map((members) => ({
      value: Object.fromEntries(members.map(([key, item]) => [key, item.value])),
      text: `{${members.map(([key, item]) => `${pythonString(key)}: ${item.text}`).join(", ")}}`,
    })),
  ),
}));

function pythonString(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** Text that is likely to go wrong in every possible way. */
const debris = fc
  .array(
    fc.oneof(
      fc.constantFrom(..."{}[]()\"'\\,:.-+/_$ \n\r\t\0\u2028\ud800\udc00eEuUrRx019aA=<>|"),
      fc.constantFrom(
        "true",
        "None",
        "NaN",
        '"a":',
        "'a':",
        '"""',
        "'''",
        "1.0",
        "\\u00e9",
        "\\x41",
        "<escape>",
        "ключ",
      ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

function parse(text: string): unknown {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

describe("valid JSON", () => {
  test("comes back trimmed and otherwise as it was", () => {
    fc.assert(
      fc.property(json, fc.constantFrom(0, 2), fc.constantFrom("", " ", "\n\t "), (value, indent, edge) => {
        const text = JSON.stringify(value, null, indent);
        expect(repairJson(edge + text + edge)).toBe(text);
        expect(repairJson(text, { close: true })).toBe(text);
      }),
    );
  });

  test.each([
    '{"a": 12345678901234567890, "b": 1.0, "c": -0.0e+5, "a": 1}',
    '"\u2028\ud800 \\u00e9 \\/ \\ud800"',
    '{"":"","x":[[],{}]}',
  ])("keeps the spelling of %s", (text) => {
    expect(repairJson(text)).toBe(text);
  });

  test("nested 512 deep is read, deeper is refused", () => {
    const nest = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(repairJson(nest(512))).toBe(nest(512));
    expect(repairJson(nest(513))).toBeUndefined();
    expect(repairJson("[".repeat(600), { close: true })).toBeUndefined();
  });
});

test.each([
  ['{"cmd": "ls",}', '{"cmd": "ls"}'],
  ["[1, 2 , ]", "[1, 2  ]"],
  ["{'a': True, 'b': [None, False]}", '{"a": true, "b": [null, false]}'],
  ["{'a': (1, 2), 'b': (), 'c': (1,), 'd': (1)}", '{"a": [1, 2], "b": [], "c": [1], "d": 1}'],
  [`{'a': u'x', "b": r'\\d\\'"'}`, '{"a": "x", "b": "\\\\d\\\\\'\\""}'],
  ['{cmd: "ls", Content-Type: 1, _x: 2}', '{"cmd": "ls", "Content-Type": 1, "_x": 2}'],
  ["{1: 'a', .5: 'b'}", '{"1": "a", "0.5": "b"}'],
  ['{"a": "x\ny\tz\u0001"}', '{"a": "x\\ny\\tz\\u0001"}'],
  ["{'it': \"it's\", 'q': 'say \"hi\"', 'e': 'it\\'s'}", '{"it": "it\'s", "q": "say \\"hi\\"", "e": "it\'s"}'],
  ['"\\d+ \\x41 \\\' \\u12"', '"\\\\d+ A \' \\\\u12"'],
  ['"a \\\n b"', '"a \\\\\\n b"'],
  ['{"a": """x "y" \'z\'\n"""}', '{"a": "x \\"y\\" \'z\'\\n"}'],
  ["[.5, 1., +2, -.5, 1.e5]", "[0.5, 1.0, 2, -0.5, 1.0e5]"],
  ["{'n': 12345678901234567890, 'f': 1.0}", '{"n": 12345678901234567890, "f": 1.0}'],
])("repairs %s", (text, expected) => {
  expect(repairJson(text)).toBe(expected);
  expect(parse(expected)).toBeDefined();
});

test.each([
  "",
  "hello",
  "{",
  '{"a"',
  '{"a": NaN}',
  "[Infinity]",
  "[-Infinity]",
  "[undefined]",
  '{"a": 1}}',
  '{"a": 1} x',
  "[1 2]",
  '["a" "b"]',
  "[,]",
  "[1,,]",
  '{"a": 1 // one\n}',
  "[007]",
  "[1_000]",
  "[-]",
  "[.]",
  "[.e5]",
  "[b'x']",
  "{'a', 'b'}",
  "[1}",
  "(1",
  '"open',
  '"open\\',
])("refuses %s", (text) => {
  expect(repairJson(text)).toBeUndefined();
});

describe("with close", () => {
  test.each([
    ['{"city": "Paris"', '{"city": "Paris"}'],
    ['{"a": [1, {"b": 2', '{"a": [1, {"b": 2}]}'],
    ['{"a": [1,', '{"a": [1]}'],
    ['{"a": 1, ', '{"a": 1}'],
    ["{'a': {", '{"a": {}}'],
  ])("adds what is missing at the end of %s", (text, expected) => {
    expect(repairJson(text, { close: true })).toBe(expected);
    expect(repairJson(text)).toBeUndefined();
  });

  test.each(['{"a": "x', '{"a"', '{"a":', '{"a": tru', '{"a": 1.', '{"a": -', '{"a": 1e', '{"a": (1', '{"a": 1]'])(
    "does not complete %s",
    (text) => {
      expect(repairJson(text, { close: true })).toBeUndefined();
    },
  );

  test("adds nothing but closers, at any cut", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), (value, cut) => {
        const text = JSON.stringify(value);
        const head = text.slice(0, cut % (text.length + 1));
        const closed = repairJson(head, { close: true });
        if (closed === undefined) return;
        const kept = head.trim().replace(/,$/, "");
        expect(closed.startsWith(kept)).toBe(true);
        expect(closed.slice(kept.length)).toMatch(/^[\]}]*$/);
        expect(parse(closed)).toBeDefined();
      }),
    );
  });
});

test("what Python prints means the same afterwards", () => {
  fc.assert(
    fc.property(python, ({ value, text }) => {
      const repaired = repairJson(text);
      expect(repaired).toBeDefined();
      expect(JSON.stringify(JSON.parse(repaired!))).toBe(JSON.stringify(value));
    }),
  );
});

test("never throws, and what it returns parses", () => {
  fc.assert(
    fc.property(fc.oneof(debris, fc.string({ unit })), fc.boolean(), (text, close) => {
      const repaired = repairJson(text, { close });
      if (repaired !== undefined) expect(parse(repaired)).toBeDefined();
      const literal = readPythonLiteral(text, 0);
      if (literal !== undefined) expect(parse(literal.json)).toBeDefined();
      const parsed = parse(text);
      if (parsed !== undefined) expect(repaired).toBe(text.trim());
    }),
    { numRuns: 3000 },
  );
});

test("a literal of Python joins strings, and sets are arrays", () => {
  expect(readPythonLiteral("f(a='x' \"y\"\n r'\\z', b=1)", 4)).toEqual({ json: '"xy\\\\z"', end: 18 });
  expect(readPythonLiteral("{1, 'a', None,}", 0)?.json).toBe('[1, "a", null]');
  expect(readPythonLiteral("{(1, 2)}", 0)?.json).toBe("[[1, 2]]");
  expect(readPythonLiteral("{'a' 'b': {}}", 0)?.json).toBe('{"ab": {}}');
  expect(readPythonLiteral("'a\\\nb'", 0)?.json).toBe('"ab"');
});

test.each([
  "[",
  "{",
  "(",
  '"',
  "'",
  "{'",
  "\\",
  '"\\',
  "'\\'",
  "[1,",
  "{1:",
  "u'",
  "'a' ",
  "{'a',",
  "\n",
  "1",
  "e",
  "-.",
])("a megabyte of %j takes time in proportion", (unit) => {
  const text = unit.repeat(1_000_000 / unit.length);
  const began = performance.now();
  repairJson(text);
  repairJson(`{"a": "${text}`, { close: true });
  repairJson(`['${text}']`);
  readPythonLiteral(text, 0);
  readPythonLiteral(`[${text}]`, 0);
  // Milliseconds on an idle machine; minutes if any part were read again and again.
  expect(performance.now() - began).toBeLessThan(10_000);
});
