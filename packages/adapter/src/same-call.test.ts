import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { callKey, sameCall } from "./same-call.ts";

const call = (json: string, name = "f") => ({ name, arguments: json });

describe("calls are the same", () => {
  test.each([
    ['{"a":1,"b":[2]}', ' { "b" : [ 2 ],\n"a" : 1 } '],
    ['{"a":1}', '{"a":1.0}'],
    ['{"a":100}', '{"a":1e2}'],
    ['{"a":0}', '{"a":-0.00e7}'],
    ['{"a":0.5}', '{"a":50E-2}'],
    ['{"a":12345678901234567890}', '{"a":12345678901234567890.0}'],
    ['{"a":"é/"}', '{"a":"\\u00e9\\/"}'],
    ['{"__proto__":{"x":1}}', '{"__proto__":{"x":1}}'],
    ["not JSON", "not JSON"],
  ])("%s and %s", (a, b) => {
    expect(sameCall(call(a), call(b))).toBe(true);
  });

  test("whatever the order of the keys", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(sameCall(call(JSON.stringify(value)), call(JSON.stringify(turned, null, 1)))).toBe(true);
      }),
    );
  });
});

describe("calls differ", () => {
  test.each([
    ['{"a":1}', '{"a":"1"}'],
    ['{"a":1}', '{"a":true}'],
    ['{"a":12345678901234567890}', '{"a":12345678901234567891}'],
    ['{"a":1}', '{"a":-1}'],
    ['{"a":1e400}', '{"a":1e401}'],
    ['{"a":1e9999999999999}', '{"a":1e9999999999998}'],
    ['{"a":[1,2]}', '{"a":[2,1]}'],
    ['{"a":[]}', '{"a":{}}'],
    ['{"a":["1,2"]}', '{"a":["1","2"]}'],
    ['{"a":null}', "{}"],
    ["not JSON", "nor JSON"],
  ])("%s and %s", (a, b) => {
    expect(sameCall(call(a), call(b))).toBe(false);
  });

  test("by their names", () => {
    expect(sameCall(call("{}", "f"), call("{}", "g"))).toBe(false);
  });

  test("when their values do", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [first, second] = [JSON.stringify(a), JSON.stringify(b)];
        fc.pre(first !== second && JSON.stringify([a, b]).length < 40 && !/[{]/.test(first + second));
        expect(sameCall(call(first), call(second))).toBe(
          JSON.stringify(JSON.parse(first)) === JSON.stringify(JSON.parse(second)),
        );
      }),
    );
  });
});

test("arguments of any depth and size have a key in linear time", () => {
  const began = performance.now();
  callKey(call(`${"[".repeat(500_000)}${"]".repeat(500_000)}`));
  callKey(call(`${'{"a":'.repeat(1000)}"${"x".repeat(1_000_000)}"${"}".repeat(1000)}`));
  callKey(call(`{"a":1${"0".repeat(1_000_000)}}`));
  expect(performance.now() - began).toBeLessThan(3000);
});
