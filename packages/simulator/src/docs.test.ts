import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { faults } from "./faults/registry.ts";
import { simulatedKinds } from "./kinds/registry.ts";
import { parseScript } from "./script.ts";

const doc = readFileSync(new URL("../../../docs/simulator.md", import.meta.url), "utf8");
const section = (title: string): string => doc.split(/^## /m).find((part) => part.startsWith(title)) ?? "";
const rowsOf = (text: string): string[] => text.split("\n").filter((line) => line.startsWith("| `"));

describe("docs/simulator.md", () => {
  test("has a row for each fault, in the registry's words and order, and no other", () => {
    const rows = Object.entries(faults).map(([name, fault]) => {
      const names = fault.args instanceof z.ZodObject ? Object.keys(fault.args.shape) : [];
      return `| \`${name}\` | ${fault.does} | ${names.map((key) => `\`${key}\``).join(", ")} |`;
    });
    expect(rowsOf(section("Faults"))).toEqual(rows);
  });

  test("has a row for each kind and no other", () => {
    const named = rowsOf(section("What each kind")).map((row) => /^\| `(\w+)`/.exec(row)?.[1]);
    expect(named).toEqual(Object.keys(simulatedKinds));
  });

  test("shows a script that is one", () => {
    const example = /```json\n([\s\S]*?)```/.exec(section("Scripts"))?.[1] ?? "";
    expect(parseScript(example, "docs/simulator.md")).toHaveLength(3);
  });
});
