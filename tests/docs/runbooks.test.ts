import { expect, test } from "vitest";
import { alertTable } from "../../apps/gateway/src/signals/alert-table.ts";
import { wrongIn } from "./commands.ts";
import { codeIn, fencesOf, tableOf, textOf } from "./markdown.ts";

const page = "docs/runbooks.md";
const sections = textOf(page)
  .split(/^## /m)
  .slice(1)
  .map((section) => [section.slice(0, section.indexOf("\n")), section] as const);

test("every alert has a runbook, in the order of the table, and no runbook is without its alert", () => {
  expect(sections.map(([name]) => name)).toEqual(Object.keys(alertTable));
});

test.each(sections)("the runbook of %s says its parts in the order in which one needs them", (name, section) => {
  const parts = [...section.matchAll(/^\*\*(.+?):\*\*/gm)].map(([, part]) => part);
  expect(parts).toEqual(["Users notice", "Look at", "Do", "False alarm"]);
  const { severities } = alertTable[name as keyof typeof alertTable];
  const [, said = ""] = /^\*(.+?)\.\*/m.exec(section) ?? [];
  for (const severity of ["warning", "critical"] as const)
    expect(`${severity}: ${said.toLowerCase().includes(severity)}`).toBe(
      `${severity}: ${severities.includes(severity as never)}`,
    );
  // At three in the morning nobody reads more.
  expect(section.trim().split("\n").length).toBeLessThan(60);
});

test("what is typed into a container is a command of ours", () => {
  const typed = fencesOf(page).flatMap(({ text }) => [...text.matchAll(/(?:exec gateway|--) (signalbox .*)$/gm)]);
  expect(typed.length).toBeGreaterThan(1);
  expect(typed.flatMap(([, line = ""]) => wrongIn(line) ?? [])).toEqual([]);
});

test("docs/alerts.md lists every alert with its condition, its severities and its thresholds", () => {
  const rows = tableOf("docs/alerts.md", "alert", "severity", "fires when", "by");
  expect(rows).toEqual(
    Object.entries(alertTable).map(([name, row]) => [
      `[${name}](runbooks.md#${name.toLowerCase()})`,
      row.severities.join(", "),
      row.condition,
      "thresholds" in row ? row.thresholds.map((threshold) => `\`${threshold}\``).join(" ") : "–",
    ]),
  );
});

test("docs/alerts.md says of every threshold why it is what it is", () => {
  const rows = tableOf("docs/alerts.md", "setting", "default", "why");
  const named = new Set(
    Object.values(alertTable).flatMap((row): readonly string[] => ("thresholds" in row ? row.thresholds : [])),
  );
  expect(rows.flatMap(([setting]) => codeIn(setting)).toSorted()).toEqual([...named].toSorted());
});
