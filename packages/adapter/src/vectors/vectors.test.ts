import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findDialect } from "../dialects.ts";
import { checkVector } from "./check-vector.ts";
import { playParser } from "./play-parser.ts";
import { someSplits } from "./splits.ts";
import { readVectors } from "./vector.ts";

const folder = join(import.meta.dirname, "../../vectors");
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

describe.each(files)("%s", (name) => {
  const { vectors, toolSet } = readVectors(readFileSync(join(folder, name), "utf8"));

  test("comes out as expected, however it is cut", async () => {
    const wrong: Record<string, unknown> = {};
    for (const vector of vectors) {
      const found = await checkVector(vector, toolSet, someSplits(vector.input, 1, 400), playParser);
      if (found !== undefined) wrong[vector.id] = { ...found, input: vector.input, expect: vector.expect };
    }
    expect(wrong).toEqual({});
  });

  test("has an id for each vector, and names of dialects that exist", () => {
    expect(new Set(vectors.map(({ id }) => id)).size).toBe(vectors.length);
    expect(vectors.filter(({ dialect }) => findDialect(dialect) === undefined)).toEqual([]);
  });
});
