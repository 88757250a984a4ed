import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Detection, detectDialect, sameReading } from "./detect-dialect.ts";
import { dialectNames, dialects, findDialect } from "./dialects.ts";
import { readVectors, type Vector } from "./vectors/vector.ts";

const folder = join(import.meta.dirname, "../vectors");
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
const cases = files.flatMap((file) => {
  const { vectors, toolSet } = readVectors(readFileSync(join(folder, file), "utf8"));
  return vectors
    .filter(({ expect: { tool_calls }, dialect }) => tool_calls.length > 0 && dialect !== "auto")
    .map((vector) => ({ vector, toolSet }));
});

/** Is the dialect the vector's own, or one that hands out the same? */
function isRight({ dialect, reasoning_first }: Vector, { found }: Detection): boolean {
  const [best] = found;
  const name = findDialect(dialect);
  const own = found.find((one) => one.dialect === name && one.reasoningFirst === reasoning_first);
  return best !== undefined && (best.dialect === name || (own !== undefined && sameReading(best, own)));
}

test("knows the dialect of 98 in 100 vectors with calls, or one that makes the same of them", () => {
  const missed = cases.filter(({ vector, toolSet }) => {
    return !isRight(vector, detectDialect(vector.input, { tools: toolSet, finish: vector.upstream_finish }));
  });
  expect(cases.length).toBeGreaterThan(300);
  expect(missed.length / cases.length, missed.map(({ vector }) => vector.id).join(" ")).toBeLessThanOrEqual(0.02);
});

test("finds what 98 in 100 vectors call without being told the tools", () => {
  const missed = cases.filter(({ vector }) => {
    const [best] = detectDialect(vector.input, { finish: vector.upstream_finish }).found;
    const names = vector.expect.tool_calls.map(({ name }) => name);
    return JSON.stringify(best?.calls.map(({ name }) => name)) !== JSON.stringify(names);
  });
  expect(missed.length / cases.length, missed.map(({ vector }) => vector.id).join(" ")).toBeLessThanOrEqual(0.02);
});

const withExample = dialectNames.filter((name) => dialects[name].example !== "");

test.each(withExample)("knows %s by its own example, or a dialect with the same example", (name) => {
  const [best] = detectDialect(dialects[name].example).found;
  expect(dialects[best!.dialect].example).toBe(dialects[name].example);
  expect(best).toMatchObject({ failed: 0, content: "", calls: [{ name: "get_weather" }] });
});

test("says that the template opens the thought when only its closing tag is there", () => {
  const [best] = detectDialect(`The user asks for the weather.</think>\n${dialects.minimax_m2.example}`).found;
  expect(best).toMatchObject({
    dialect: "minimax_m2",
    reasoningFirst: true,
    reasoning: "The user asks for the weather.",
  });
});

test("finds nothing in prose, and names no form that comes near", () => {
  expect(detectDialect("It is 14 degrees in Lyon (see the table) and [sunny](https://example.org).")).toEqual({
    found: [],
    nearest: undefined,
    begun: false,
  });
});

test("a call whose head was lost comes near to its form, and what is missing is said", () => {
  const { found, nearest } = detectDialect(
    '">\n<parameter name="city">Lyon</parameter>\n</invoke>\n</minimax:tool_call>',
  );
  expect(found).toEqual([]);
  expect(nearest).toMatchObject({ dialect: "minimax_m2" });
  expect(nearest!.seen).toContain("</minimax:tool_call>");
  expect(nearest!.missing).toContain("<minimax:tool_call>");
});

test("a call that was cut off has begun", () => {
  const { found, begun, nearest } = detectDialect('<tool_call>\n{"name": "get_weather", "arguments": {"ci', {
    finish: "length",
  });
  expect([found, begun, nearest?.dialect]).toEqual([[], true, "hermes"]);
});
