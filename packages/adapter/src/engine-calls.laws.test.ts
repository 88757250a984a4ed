import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assemble, createCalls, entry } from "./engine-replies.ts";

const paris = '{"city": "Paris"}';

describe("for anything that is sent", () => {
  const text = fc.oneof(
    fc.constantFrom("", "{}", "{", "}", paris, '{"city":', '"Rome"}', "null", '"{}"', "[", "\\", "x"),
    fc.json(),
    fc.string({ unit: "binary" }),
  );
  const sentEntry = fc.record(
    {
      index: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.constantFrom(null, 1e300, "0")),
      id: fc.constantFrom("a", "b", "new_1", "", null, 5),
      function: fc.oneof(
        fc.record(
          {
            name: fc.constantFrom("exec", "noargs", "get_weather", "get_", "weather", "unknown", "<|x", "", null, 1),
            arguments: fc.oneof(text, fc.jsonValue()),
          },
          { requiredKeys: [] },
        ),
        fc.jsonValue(),
      ),
    },
    { requiredKeys: [] },
  );
  const sent = fc.array(
    fc.oneof({ weight: 9, arbitrary: fc.array(sentEntry, { maxLength: 4 }) }, { weight: 1, arbitrary: fc.anything() }),
    { maxLength: 8 },
  );
  const finish = fc.constantFrom("stop", "tool_calls", "length", "abort");

  test("nothing throws, ids are unique, names are not empty, and arguments are objects", () => {
    fc.assert(
      fc.property(sent, finish, (pushes, reason) => {
        const { calls } = assemble(pushes, reason);
        expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
        for (const call of calls) {
          expect(call.id).not.toBe("");
          expect(call.name).not.toBe("");
          const value = JSON.parse(call.arguments) as unknown;
          expect(typeof value === "object" && value !== null && !Array.isArray(value)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("entries in one array, or one in each, give the same", () => {
    fc.assert(
      fc.property(fc.array(sentEntry, { maxLength: 8 }), finish, (entries, reason) => {
        expect(assemble([entries], reason)).toEqual(
          assemble(
            entries.map((one) => [one]),
            reason,
          ),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test("every cut of the arguments gives the same calls and leftovers", () => {
    const call = fc.record({ name: fc.constantFrom("exec", "noargs", "get_weather"), text });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 4 }), fc.array(fc.nat(30)), finish, (sentCalls, cuts, reason) => {
        const whole = sentCalls.map(({ name, text }, index) => entry(index, `id_${index}`, name, text));
        const pieces = (size: (text: string) => readonly string[]) =>
          sentCalls.flatMap(({ name, text }, index) => [
            [entry(index, `id_${index}`, name)],
            ...size(text).map((piece) => [entry(index, undefined, undefined, piece)]),
          ]);
        const expected = assemble([whole], reason);
        expect(
          assemble(
            pieces((text) => text.split("")),
            reason,
          ),
        ).toEqual(expected);
        expect(
          assemble(
            pieces((text) => {
              const points = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
              return points.slice(1).map((point, i) => text.slice(points[i], point));
            }),
            reason,
          ),
        ).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test("no text of a failed call is lost", () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), (texts) => {
        const pushes = texts.map((piece, index) => [entry(index, null, null, piece)]);
        const { leftovers } = assemble(pushes);
        expect(leftovers.map(({ raw }) => raw).join("")).toBe(texts.join(""));
      }),
    );
  });
});

describe("in linear time", () => {
  function milliseconds(work: () => void): number {
    const began = performance.now();
    work();
    return performance.now() - began;
  }

  test.each([
    ["a long string", (size: number) => `{"cmd":"${"x".repeat(size)}"}`],
    ["an unclosed call", (size: number) => `{"cmd":"${"x".repeat(size)}`],
    ["opening braces", (size: number) => "{".repeat(size)],
    ["nested objects that never end", (size: number) => '{"a":'.repeat(size / 5)],
    ["nested lists that end wrongly", (size: number) => `${'{"a":['.repeat(size / 6)}}`],
    ["an object again and again", (size: number) => '{"a":1}'.repeat(size / 7)],
    ["braces before a fault", (size: number) => `${"{".repeat(size / 2)}x${"{".repeat(size / 2)}y}`],
    ["spaces", (size: number) => `${" ".repeat(size)}x`],
  ])("%s in pieces of one character", (_, make) => {
    const args = make(1_000_000);
    const spent = milliseconds(() => {
      const engine = createCalls();
      engine.push([entry(0, "a", "exec")]);
      for (let at = 0; at < args.length; at++) engine.push([entry(0, undefined, undefined, args[at])]);
      engine.end("tool_calls");
    });
    expect(spent).toBeLessThan(3000);
  });

  test("a name with each of a million pieces, and another call's index in between", () => {
    const spent = milliseconds(() => {
      const engine = createCalls();
      engine.push([entry(1, "b", "exec", "{}")]);
      for (const piece of `{"cmd":"${"x".repeat(500_000)}"}`) {
        engine.push([entry(0, "a", "exec", piece)]);
        engine.push([entry(1, undefined, undefined, "y")]);
        engine.take();
      }
      engine.end("stop");
    });
    expect(spent).toBeLessThan(3000);
  });

  test("a hundred thousand entries", () => {
    const named = Array.from({ length: 100_000 }, (_, index) => entry(index, "same", "exec", "{"));
    const nameless = Array.from({ length: 100_000 }, (_, index) => entry(index, `${index}`, null, "x"));
    expect(milliseconds(() => assemble([named, nameless]))).toBeLessThan(3000);
  });
});
