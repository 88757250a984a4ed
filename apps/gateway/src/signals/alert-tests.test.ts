import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { fencesOf } from "../../../../tests/docs/markdown.ts";
import { alertTable } from "./alert-table.ts";

const folder = fileURLToPath(new URL("../../../../deploy/prometheus/", import.meta.url));
const files = readdirSync(path.join(folder, "tests"));

interface Case {
  readonly alertname: string;
  readonly exp_alerts?: readonly { readonly exp_labels: Readonly<Record<string, string>> }[];
}
interface RuleTests {
  readonly group_eval_order: readonly string[];
  readonly tests: readonly { readonly name: string; readonly alert_rule_test: readonly Case[] }[];
}
const testsOf = (file: string) => parse(readFileSync(path.join(folder, "tests", file), "utf8")) as RuleTests;
const all = files.flatMap((file) => testsOf(file).tests);

const severities = Object.entries(alertTable).flatMap(([alert, row]) =>
  row.severities.map((severity) => [alert, severity] as const),
);

test.each(severities)("%s %s is tested by promtool where it fires, and where it does not", (alert, severity) => {
  const cases = all.flatMap(({ alert_rule_test }) => alert_rule_test).filter(({ alertname }) => alertname === alert);
  const fires = cases.map(({ exp_alerts = [] }) =>
    exp_alerts.some(({ exp_labels }) => exp_labels.severity === severity),
  );
  expect(fires).toContain(true);
  expect(fires).toContain(false);
});

test.each(files)("%s has groups evaluated in the order of their files, and each name once", (file) => {
  const groups = ["recording.rules.yml", "alerts.rules.yml"].flatMap((name) => {
    const { groups } = parse(readFileSync(path.join(folder, name), "utf8")) as { groups: readonly { name: string }[] };
    return groups.map((group) => group.name);
  });
  const { group_eval_order, tests } = testsOf(file);
  expect(group_eval_order).toEqual(groups);
  const names = tests.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

const program = "promtool";
const promtool = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
  return `${status} ${status === 0 ? "" : stdout + stderr}`;
};
const missing =
  spawnSync(program, ["--version"]).status === 0 ? "" : " (skipped: promtool, of Debian's prometheus, is not there)";

describe.skipIf(missing !== "")(`promtool${missing}`, () => {
  test("takes the rules and the configuration", () => {
    expect(promtool("check", "rules", "recording.rules.yml", "alerts.rules.yml")).toBe("0 ");
    expect(promtool("check", "config", "prometheus.yml")).toBe("0 ");
  });

  test("takes the examples that the configuration has as comments", () => {
    const text = readFileSync(path.join(folder, "prometheus.yml"), "utf8");
    const shown = text.replaceAll(/^( *)# (?=- | |alerting:|authorization:)/gm, "$1");
    const keys = [...shown.matchAll(/^ *(?:- )?(alertmanagers|authorization|job_name):/gm)].map(([, key]) => key);
    expect(keys).toEqual(["job_name", "authorization", "job_name", "alertmanagers"]);
    const scratch = mkdtempSync(path.join(tmpdir(), "signalbox-prometheus-"));
    writeFileSync(path.join(scratch, "prometheus.yml"), shown);
    const checked = promtool("check", "config", "--syntax-only", path.join(scratch, "prometheus.yml"));
    rmSync(scratch, { recursive: true });
    expect(checked).toBe("0 ");
  });

  // What goes over days is left to `pnpm alerts:verify`.
  test.each(files.filter((file) => file !== "long.test.yml"))(
    "finds that alerts do as %s says",
    { timeout: 120_000 },
    (file) => {
      expect(promtool("test", "rules", path.join("tests", file))).toBe("0 ");
    },
  );

  test("can read the queries of docs/runbooks.md", () => {
    const queries = fencesOf("docs/runbooks.md").filter(({ language }) => language === "promql");
    const rules = queries.map(({ text }, at) => ({ record: `query_${at}`, expr: text.trim() }));
    expect(rules.length).toBeGreaterThan(Object.keys(alertTable).length);
    const scratch = mkdtempSync(path.join(tmpdir(), "signalbox-queries-"));
    const file = path.join(scratch, "rules.yml");
    writeFileSync(file, JSON.stringify({ groups: [{ name: "runbooks", rules }] }));
    const checked = promtool("check", "rules", file);
    rmSync(scratch, { recursive: true });
    expect(checked).toBe("0 ");
  });
});
