import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadConfig } from "./load.ts";

const whole = readFileSync(new URL("../../../../examples/signalbox.yaml", import.meta.url), "utf8");
const lines = whole.split("\n");
const line = fc.integer({ min: 0, max: lines.length - 1 });
const junk = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    "null",
    "[]",
    "{}",
    "~",
    "*x",
    "&x y",
    "!!binary x",
    "0x1",
    "-1",
    "1e400",
    ".nan",
    "{a: {b: [c]}}",
    "? [a]\n: b",
    "\t",
    "<<: *x",
  ),
);

/** A file in which some lines were lost, doubled, or had their value replaced. */
const damaged = fc
  .array(fc.record({ at: line, how: fc.constantFrom("drop", "double", "value", "insert"), text: junk }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((edits) => {
    const copy: string[] = [...lines];
    for (const { at, how, text } of edits) {
      const old = copy[at] as string;
      if (how === "drop") copy[at] = "";
      else if (how === "double") copy[at] = `${old}\n${old}`;
      else if (how === "insert") copy[at] = `${old}${text}`;
      else copy[at] = old.replace(/([:[{,] )[^:,\]}]+/, (_all, start: string) => `${start}${text}`);
    }
    return copy.join("\n");
  });

test("whatever is done to a file, what comes out is a config or errors that have a place in it", async () => {
  await fc.assert(
    fc.asyncProperty(damaged, async (text) => {
      const result = await loadConfig(text, { env: {}, fileName: "x.yaml" });
      if (result.ok) return;
      const height = text.split("\n").length;
      expect(result.errors.length).toBeGreaterThan(0);
      for (const { line, column, message } of result.errors) {
        expect(line).toBeGreaterThanOrEqual(1);
        expect(line).toBeLessThanOrEqual(height);
        expect(column).toBeGreaterThanOrEqual(1);
        expect(message).toMatch(/^\S/);
        expect(message).not.toContain("\n");
        expect(message).not.toMatch(/Invalid input|\[object|undefined/);
      }
    }),
    { numRuns: 80 },
  );
});
