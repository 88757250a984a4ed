import fc from "fast-check";
import { expect, test } from "vitest";
import { entry } from "./test-entry.ts";
import { dayOf, parseUsageFields, parseUsageLine, usageLine, usageNames, usageValues } from "./usage-entry.ts";

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
      const [names, values] = [usageNames.split("\n"), usageValues(one).split("\n")];
      const fields = names.slice(0, -1).flatMap((name, at) => [name, values[at]!]);
      const team = one.team.replaceAll("\n", " ");
      expect(values).toHaveLength(names.length);
      expect(parseUsageFields(fields)).toEqual({ ...one, team, id: one.id.replaceAll("\n", " ") });
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

test("days are those of UTC", () => {
  expect(dayOf(Date.parse("2026-11-21T23:59:59.999Z"))).toBe("2026-11-21");
  expect(dayOf(Date.parse("2026-11-22T00:00:00.000Z"))).toBe("2026-11-22");
  expect(dayOf(Date.parse("2026-11-21T00:00:00.000Z"))).toBe("2026-11-21");
});
