import { expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";
import { breach } from "./laws.ts";
import { minimise } from "./replies.ts";
import { readSeeds } from "./seeds.ts";

const seeds = readSeeds();

test("spoilt and invented replies keep the laws, for ten seconds", { timeout: 120_000 }, () => {
  const { findings } = fuzz({ seed: 20, seeds, inputs: Number.POSITIVE_INFINITY, seconds: 10, keep: 3 });
  // What an input costs in time, a machine with other work cannot tell: `pnpm fuzz:adapter` does.
  expect(findings.filter(({ law }) => law !== "time")).toEqual([]);
});

test("a seed determines what is tried", () => {
  const options = { seed: 5, seeds, inputs: 300, seconds: 60, keep: 1 };
  expect(fuzz(options).codeUnits).toBe(fuzz(options).codeUnits);
});

test("every vector keeps the laws", () => {
  const broken = seeds.flatMap(({ reply, tools }) => breach(reply, tools, 1) ?? []);
  expect(broken).toEqual([]);
});

test("a failing reply is made shorter as long as it fails", () => {
  const reply = { ...seeds[0]!.reply, input: `${"a".repeat(50)}x${"b".repeat(70)}y` };
  expect(minimise(reply, ({ input }) => input.includes("x") && input.includes("y")).input).toBe("xy");
});
