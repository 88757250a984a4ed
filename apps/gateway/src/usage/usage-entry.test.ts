import fc from "fast-check";
import { expect, test } from "vitest";
import { entry } from "./test-entry.ts";
import { dayOf, parseUsageFields, parseUsageLine, usageFields, usageLine } from "./usage-entry.ts";

const whole = fc.integer({ min: 0, max: 2 ** 50 });
const any = fc
  .record({
    time: fc.integer({ min: 0, max: 4e12 }),
    id: fc.string({ unit: "grapheme" }),
    team: fc.string({ unit: "binary" }),
    input: whole,
    output: whole,
    cached: whole,
    reasoning: whole,
    cost: whole,
    gpuMs: whole,
  })
  .map(entry);

test("what is written is what is read, as a line and as fields", () => {
  fc.assert(
    fc.property(any, (one) => {
      expect(parseUsageLine(usageLine(one))).toEqual(one);
      expect(usageLine(one)).not.toContain("\n");
      expect(parseUsageFields(usageFields(one))).toEqual(one);
    }),
  );
});

test("a line that was cut anywhere is none", () => {
  const line = usageLine(entry({ cost: 5, gpuMs: 7 }));
  for (let at = 0; at < line.length; at++) expect(parseUsageLine(line.slice(0, at))).toBeUndefined();
});

test.each(["null", "5", "[]", "{}", '{"time":"2026-11-21T00:00:00Z"}', usageLine(entry()).replace("100", '"x"')])(
  "«%s» is no entry",
  (line) => {
    expect(parseUsageLine(line)).toBeUndefined();
  },
);

test("every entry has the same fields in the same order, which a stream then keeps once", () => {
  const names = (fields: string[]): string[] => fields.filter((_, at) => at % 2 === 0);
  expect(names(usageFields(entry({ cost: 5 })))).toEqual(names(usageFields(entry())));
});

test("days are those of UTC", () => {
  expect(dayOf(Date.parse("2026-11-21T23:59:59.999Z"))).toBe("2026-11-21");
  expect(dayOf(Date.parse("2026-11-22T00:00:00.000Z"))).toBe("2026-11-22");
  expect(dayOf(Date.parse("2026-11-21T00:00:00.000Z"))).toBe("2026-11-21");
});
