import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type DialectName, dialectNames, dialects, findDialect } from "./dialects.ts";
import { dialectsDoc } from "./dialects-doc.ts";
import { readTools } from "./tools.ts";
import { playParser } from "./vectors/play-parser.ts";
import { readVectors } from "./vectors/vector.ts";

const folder = join(import.meta.dirname, "../vectors");
const tools = readTools([
  {
    type: "function",
    function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
  },
]);

/** These look for no calls of their own. */
const withoutExample: readonly DialectName[] = ["auto", "none"];

test("every dialect has vectors", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  const vectors = files.flatMap((name) => readVectors(readFileSync(join(folder, name), "utf8")).vectors);
  const tested = new Set(vectors.map(({ dialect }) => findDialect(dialect)));
  expect(dialectNames.filter((name) => !tested.has(name))).toEqual([]);
});

test("no two dialects have the same name", () => {
  const names = dialectNames.flatMap((name) => [name, ...dialects[name].aliases]);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test("docs/dialects.md is what `pnpm dialects` writes", () => {
  expect(readFileSync(new URL("../../../docs/dialects.md", import.meta.url), "utf8")).toBe(dialectsDoc());
});

describe.each(dialectNames.filter((name) => !withoutExample.includes(name)))("the example of %s", (dialect) => {
  const input = dialects[dialect].example;
  const reply = { reasoning_first: false, input, upstream_finish: "stop" };

  test.each([dialect, "auto"])("is one call to %s, and all of it", (name) => {
    const { calls, content, reasoning } = playParser({ ...reply, dialect: name }, tools, [input]);
    expect({ content, reasoning, calls: calls.map((call) => [call.name, call.arguments.replaceAll(" ", "")]) }).toEqual(
      {
        content: "",
        reasoning: "",
        calls: [["get_weather", '{"city":"Lyon"}']],
      },
    );
  });

  test.each([dialect, "auto"])("is clean to %s", (name) => {
    const { calls } = playParser({ ...reply, dialect: name }, tools, [input]);
    expect(calls).toMatchObject([{ outcome: "clean" }]);
  });
});
