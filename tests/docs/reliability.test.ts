import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { scenarios } from "../../bench/faults/table.ts";
import { between, faultsTable } from "../../bench/faults/write-doc.ts";
import { measures } from "../../bench/scoreboard/measures.ts";

const page = readFileSync(new URL("../../docs/reliability.md", import.meta.url), "utf8");
const promises = page.split("\n").filter((line) => /^\| P\d+ \|/.test(line));

test("every promise names the faults and measures that hold it, and they exist", () => {
  const known = new Set<string>([...scenarios.map(({ id }) => id), ...Object.keys(measures)]);
  expect(promises.map((line) => line.split("|")[1]!.trim())).toEqual(Array.from({ length: 10 }, (_, i) => `P${i + 1}`));
  for (const line of promises) {
    const named =
      line
        .split("|")
        .at(-2)!
        .match(/\b[FS]\d+\b/g) ?? [];
    expect(named.length, line).toBeGreaterThan(0);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  }
});

test("the fault matrix on the page has every row of the table, in its order and words", () => {
  const rows = page.split("\n").filter((line) => /^\| F\d\d \|/.test(line));
  expect(rows.map((line) => line.split(/(?<!\\) \| |^\| | \|$/).slice(1, 3))).toEqual(
    scenarios.map(({ id, title }) => [id, title.replaceAll("|", "\\|")]),
  );
  expect(rows.filter((line) => line.includes("FAILED"))).toEqual([]);
});

test("what is written between two marks takes the place of what was there", () => {
  const result = { id: "F01", title: "a | b", outcome: "ok", ms: 1234 } as Parameters<
    typeof faultsTable
  >[0]["results"][0];
  const about = { date: "2026-01-02T03:04:05Z", machine: "m", node: "v24", profile: "full", seed: 3, seconds: 120 };
  const table = faultsTable({ ...about, results: [result] });
  expect(table).toContain("`pnpm faults --full --seed 3` on 2026-01-02, m, Node v24, 2 minutes:");
  expect(table).toContain("| F01 | a \\| b | ok, 1.2 s |");
  expect(between("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new")).toBe("a\n<!-- x -->\n\nnew\n<!-- /x -->\nb");
  expect(() => between("a", "x", "new")).toThrow("there are no marks");
});
