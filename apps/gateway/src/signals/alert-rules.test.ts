import { readFileSync } from "node:fs";
import { errorTable } from "@signalbox/protocol";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { alertTable, type Severity, type ThresholdName, thresholdTable } from "./alert-table.ts";
import { metricTable } from "./metric-table.ts";

const folder = new URL("../../../../deploy/prometheus/", import.meta.url);
const textOf = (name: string) => readFileSync(new URL(name, folder), "utf8");

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
const rulesOf = (name: string) =>
  (parse(textOf(name)) as { groups: readonly { rules: readonly Rule[] }[] }).groups.flatMap(({ rules }) => rules);
const recordings = rulesOf("recording.rules.yml");
const alerts = rulesOf("alerts.rules.yml");
const named = alerts.map((rule) => [`${rule.alert} ${rule.labels?.severity}`, rule] as const);

test("there is a rule for every severity of every alert of the table, and no other", () => {
  const expected = Object.entries(alertTable).flatMap(([alert, row]) =>
    row.severities.map((severity) => `${alert} ${severity}`),
  );
  expect([...new Set(named.map(([name]) => name))].toSorted()).toEqual(expected.toSorted());
});

test.each(named)("%s says what it found, of whom, and where to read on", (_name, { alert = "", annotations }) => {
  expect(Object.keys(annotations ?? {})).toEqual(["summary", "description", "runbook_url"]);
  expect(annotations?.summary).toContain("$labels.");
  expect(annotations?.description).toContain("$labels.");
  expect(annotations?.runbook_url).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
});

test.each(named)("%s compares with the thresholds of the table, and its own severity's", (_name, rule) => {
  const row = alertTable[rule.alert as keyof typeof alertTable];
  const expected = "thresholds" in row ? row.thresholds : [];
  const compared = [...withRecordings(rule.expr).matchAll(/alert_threshold\{name="(\w+)"(?:, severity="(\w+)")?\}/g)];
  expect(new Set(compared.map(([, name]) => name))).toEqual(new Set(expected));
  for (const [, name, severity] of compared) {
    const levels =
      ["objective", "min_failures", "min_requests"].includes(name as string) || row.severities.length === 1;
    expect(`${name} ${severity}`).toBe(`${name} ${levels ? undefined : rule.labels?.severity}`);
  }
});

test("every threshold is compared with by some rule", () => {
  const compared = Object.values(alertTable).flatMap((row): readonly ThresholdName[] =>
    "thresholds" in row ? row.thresholds : [],
  );
  expect([...new Set(compared)].toSorted()).toEqual(Object.keys(thresholdTable).toSorted());
});

/** An expression with those of the recordings that it reads. */
function withRecordings(expr: string): string {
  const read = recordings.filter(({ record = "" }) => expr.includes(record) && record !== "signalbox:alert_threshold");
  return [expr, ...read.map((rule) => withRecordings(rule.expr))].join("\n");
}

const expressions = [...recordings.map((rule) => [rule.record as string, rule] as const), ...named];
/** A series, with its recording's level before it, and what stands in its braces. */
const series = /((?:\w+:)?signalbox_\w+(?::\w+)?|\bsignalbox:\w+)(?:\{([^}]*)\})?/g;

test.each(expressions)(
  "%s reads metrics and recordings that there are, by labels that they have",
  (_name, { expr }) => {
    for (const [, name = "", matchers = ""] of expr.matchAll(series)) {
      if (name.includes(":")) {
        expect(recordings.map(({ record }) => record)).toContain(name);
        continue;
      }
      const row = rowOf(name);
      expect(row, name).toBeDefined();
      const labels = [...matchers.matchAll(/(\w+)(?:=|!)/g)].map(([, label]) => label as string);
      expect(labels.filter((label) => !row?.labels.includes(label))).toEqual([]);
    }
  },
);

function rowOf(name: string): { readonly type: string; readonly labels: readonly string[] } | undefined {
  const table: Readonly<Record<string, { readonly type: string; readonly labels: readonly string[] }>> = metricTable;
  const histogram = table[name.replace(/_(bucket|count|sum)$/, "")];
  return table[name] ?? (histogram?.type === "histogram" ? histogram : undefined);
}

test("what counts as failed is every error with a 5xx status", () => {
  const failed = Object.entries(errorTable)
    .filter(([, { status }]) => status >= 500)
    .map(([code]) => code);
  const selectors = [...textOf("recording.rules.yml").matchAll(/code=~"([^"]*)"/g)].map(([, codes = ""]) => codes);
  expect(selectors.length).toBeGreaterThan(4);
  for (const codes of selectors) expect(codes.split("|").filter((code) => code !== "ok")).toEqual(failed);
});

test("severities are those of the table", () => {
  const known: readonly Severity[] = ["warning", "critical"];
  for (const [name, { labels }] of named) expect(known, name).toContain(labels?.severity);
});
