import fc from "fast-check";
import { expect, test } from "vitest";
import { readPythonCall } from "./python-calls.ts";

/** Any code unit, half of a pair as well. */
const unit = fc.oneof(fc.nat(0x7f), fc.nat(0xffff)).map((code) => String.fromCharCode(code));

test.each([
  ["noargs()", "noargs", "{}"],
  [' get_weather ( city = "Paris" , days=3, ) \n', "get_weather", '{"city":"Paris","days":3}'],
  ["f(a=1, b=\"x\", c=[1, {'k': None}], d=-2.5)", "f", '{"a":1,"b":"x","c":[1, {"k": null}],"d":-2.5}'],
  [
    "f(t=True, f=False, n=None, x=true, y=false, z=null)",
    "f",
    '{"t":true,"f":false,"n":null,"x":true,"y":false,"z":null}',
  ],
  ["f(n=12345678901234567890, m=1.0, e=-1e-7)", "f", '{"n":12345678901234567890,"m":1.0,"e":-1e-7}'],
  ['exec(cmd="a]b, c=(1)")', "exec", '{"cmd":"a]b, c=(1)"}'],
  [
    "f(s='it\\'s \"q\" \\n\\t\\\\ \\x41\\u00e9\\U0001F600 \\d')",
    "f",
    '{"s":"it\'s \\"q\\" \\n\\t\\\\ A\\u00e9😀 \\\\d"}',
  ],
  ["f(s='''a 'b'\n\"c\" ''', t=\"\"\"x\"\"\")", "f", '{"s":"a \'b\'\\n\\"c\\" ","t":"x"}'],
  ["f(s='two\nlines', j='a' \"b\"\n'c')", "f", '{"s":"two\\nlines","j":"abc"}'],
  ["f(a=(1, 2), b=(), c={1, 2}, d={}, e=('x'))", "f", '{"a":[1, 2],"b":[],"c":[1, 2],"d":{},"e":"x"}'],
  ["f(a=1, b=2, a=3)", "f", '{"a":3,"b":2}'],
  ["mcp.files-v2.read(path='a')", "mcp.files-v2.read", '{"path":"a"}'],
  ["查询(城市='北京')", "查询", '{"城市":"北京"}'],
])("reads %s", (text, name, args) => {
  expect(readPythonCall(text)).toEqual({ name, arguments: args });
  JSON.parse(args);
});

test.each([
  "",
  "f",
  "f(",
  "f(a=1",
  "f(a=1))",
  "f(a=1) g()",
  "(a=1)",
  "1f()",
  "f(1)",
  "f('x')",
  "f(a=1, 2)",
  "f(**{'a': 1})",
  "f(a=g())",
  "f(a=x)",
  "f(a=1+1)",
  "f(a=-x)",
  "f(a==1)",
  "f(a=)",
  "f(,)",
  "f(a=1,,)",
  "f(a=f'x')",
  "f(a=b'x')",
  "f(a='x)",
  "f(a=nan)",
  "f(a=[1)",
  "[link](http://x)",
])("finds no call in %s", (text) => {
  expect(readPythonCall(text)).toBeUndefined();
});

test("strings mean the same afterwards, whatever is in them", () => {
  const quotes = fc.constantFrom("'", '"', "'''", '"""');
  fc.assert(
    fc.property(fc.string({ unit }), quotes, (value, quote) => {
      const body = value.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll('"', '\\"');
      expect(JSON.parse(readPythonCall(`f(s=${quote}${body}${quote})`)!.arguments)).toEqual({ s: value });
    }),
  );
});

test("JSON values come through as they were written", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // Python knows no escape for a slash, and JSON.stringify writes none.
      const json = JSON.stringify(value);
      expect(readPythonCall(`f(v=${json})`)).toEqual({ name: "f", arguments: `{"v":${json}}` });
    }),
  );
});

test("never throws, and arguments always parse to an object", () => {
  const pieces = fc.constantFrom(
    ..."()[]{}=,'\"\\:. \n\0\u2028\ud800ar1-",
    "f(",
    "a=",
    "'x'",
    '"""',
    "None",
    "{1,",
    "(1,)",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      for (const text of [parts.join(""), `f(${parts.join("")})`, `f(a=${parts.join("")})`]) {
        const call = readPythonCall(text);
        if (call !== undefined) expect(JSON.parse(call.arguments)).toBeTypeOf("object");
      }
    }),
    { numRuns: 3000 },
  );
});

test("megabytes take time in proportion", () => {
  const began = performance.now();
  for (const unit of ["(", "[", "{", "'", '"', "f(a=", "{'a':", "\\", "a", "'x' ", "1, "]) {
    const text = unit.repeat(1_000_000 / unit.length);
    readPythonCall(text);
    readPythonCall(`f(a=${text})`);
    readPythonCall(`f(a='${text}')`);
  }
  expect(readPythonCall(`f(${"a=1,".repeat(200_000)})`)?.arguments).toBe('{"a":1}');
  // Milliseconds on an idle machine; minutes if any part were read again and again.
  expect(performance.now() - began).toBeLessThan(10_000);
});
