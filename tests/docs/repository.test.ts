import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { slowFirst } from "../../scripts/slow-first-sequencer.ts";
import { filesUnder, root } from "./repository.ts";

const files = filesUnder(".");

test("no source file has more than 400 lines", () => {
  const sources = files.filter((path) => /\.(ts|mjs|py)$/.test(path) && !/\.test\.ts$/.test(path));
  expect(sources.length).toBeGreaterThan(100);
  const long = sources
    .map((path) => ({ path, lines: readFileSync(join(root, path), "utf8").trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});

test("the lockfile names no host that packages come from: whoever installs says where", () => {
  const lockfile = readFileSync(join(root, "pnpm-lock.yaml"), "utf8");
  expect(lockfile).toContain("integrity: sha512-");
  expect(lockfile.match(/\bhttps?:\/\/\S+/g) ?? []).toEqual([]);
});

test("every test file that is begun ahead of the others is there", () => {
  expect(slowFirst.filter((path) => !files.includes(path))).toEqual([]);
});
