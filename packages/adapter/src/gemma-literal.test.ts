import fc from "fast-check";
import { expect, test } from "vitest";
import { readGemmaArguments } from "./gemma-literal.ts";

/** Any code unit, half of a pair as well. */
const unit = fc.oneof(fc.nat(0x7f), fc.nat(0xffff)).map((code) => String.fromCharCode(code));

const quote = '<|"|>';

test.each([
  ["", "{}"],
  [" \n", "{}"],
  ['k:<|"|>str<|"|>,n:3,a:[<|"|>x<|"|>],o:{p:true}', '{"k":"str","n":3,"a":["x"],"o":{"p":true}}'],
  ['city:<|"|>Paris, "FR" {x}\n<|"|> , days: 3 ,', '{"city":"Paris, \\"FR\\" {x}\\n","days":3}'],
  ["n:12345678901234567890,f:1.0,e:-1e5,z:null", '{"n":12345678901234567890,"f":1.0,"e":-1e5,"z":null}'],
  ["a:[],b:{},c:[[1,2],{d:[]}],", '{"a":[],"b":{},"c":[[1,2],{"d":[]}]}'],
  ['k: "v\\n\\"w\\"", l:"x/\\/"', '{"k":"v\\n\\"w\\"","l":"x/\\/"}'],
  ['"k":1,<|"|>l m<|"|>:2,x-y.z:3', '{"k":1,"l m":2,"x-y.z":3}'],
  ["city:San Francisco,days:3", '{"city":"San Francisco","days":3}'],
  ["city: Paris, France , days:3", '{"city":"Paris, France","days":3}'],
  ["url:http://a.b/?c=[1],x:007", '{"url":"http://a.b/?c=[1]","x":"007"}'],
  ["a:[red, light blue,1],o:{p:x, y,q:z}", '{"a":["red","light blue",1],"o":{"p":"x, y","q":"z"}}'],
  ['s:"a" and "b",n:1', '{"s":"\\"a\\" and \\"b\\"","n":1}'],
  ["k:,n:1", '{"k":"","n":1}'],
  ["a:1,a:2", '{"a":2}'],
  ["__proto__:1", '{"__proto__":1}'],
])("reads %s", (text, expected) => {
  expect(readGemmaArguments(text, quote)).toBe(expected);
  JSON.parse(expected);
});

test("FunctionGemma has its own quote", () => {
  expect(readGemmaArguments("city:<escape>Paris<escape>,days:3,a:[<escape>x,y<escape>]", "<escape>")).toBe(
    '{"city":"Paris","days":3,"a":["x,y"]}',
  );
});

test.each([
  "city",
  "city,days:3",
  ":1",
  ",",
  'k:<|"|>open',
  'k:<|"|>a<|"|>b',
  'k:a<|"|>b<|"|>',
  "a:[1",
  "o:{p:1",
  "o:{p:1]",
  "a:[1}",
  "a:[]x",
  `a:${"[".repeat(512)}${"]".repeat(512)}`,
])("refuses %s", (text) => {
  expect(readGemmaArguments(text, quote)).toBeUndefined();
});

test("what a template writes means the same afterwards", () => {
  const text = fc.string({ unit }).filter((value) => !value.includes(quote));
  const key = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]*$/);
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.oneof(
        text,
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        fc.constant(null),
      ),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    ),
  }));
  const written = (one: unknown): string => {
    if (typeof one === "string") return quote + one + quote;
    if (Array.isArray(one)) return `[${one.map(written).join(",")}]`;
    if (typeof one === "object" && one !== null) return `{${members(one)}}`;
    return JSON.stringify(one);
  };
  const members = (object: object) =>
    Object.entries(object)
      .map(([name, one]) => `${name}:${written(one)}`)
      .join(",");
  fc.assert(
    fc.property(fc.dictionary(key, value), (object) => {
      expect(JSON.parse(readGemmaArguments(members(object), quote)!)).toEqual(JSON.parse(JSON.stringify(object)));
    }),
  );
});

test("never throws, and what it returns parses to an object", () => {
  const pieces = fc.constantFrom(
    ..."{}[]:,\"'\\ \n\0\u2028\ud800a1-.",
    quote,
    quote,
    "a:",
    ",b:",
    "true",
    '"x"',
    "<|",
    "{c:",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
      for (const text of [parts.join(""), `k:${parts.join("")}`]) {
        const json = readGemmaArguments(text, quote);
        if (json !== undefined) expect(JSON.parse(json)).toBeTypeOf("object");
      }
    }),
    { numRuns: 3000 },
  );
});

test.each([
  "{",
  "[",
  ":",
  ",",
  '"',
  "a:",
  "a:[",
  "a:{",
  'a:"',
  ',"',
  "a,",
  quote,
  `,${quote}`,
  `a:${quote}`,
  "\\",
  'a:"\\",',
  " ",
  ", ",
])("a lot of %j takes time in proportion", (unit) => {
  const text = unit.repeat(300_000 / unit.length);
  const began = performance.now();
  readGemmaArguments(text, quote);
  readGemmaArguments(`a:${text}`, quote);
  readGemmaArguments(`a:[${text}`, quote);
  readGemmaArguments(`a:{b:${text}`, quote);
  readGemmaArguments(`a:b ${text}`, quote);
  // Milliseconds on an idle machine; minutes if any part were read again and again.
  expect(performance.now() - began).toBeLessThan(10_000);
});
