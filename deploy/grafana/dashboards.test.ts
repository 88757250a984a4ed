import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { alertTable } from "../../apps/gateway/src/signals/alert-table.ts";
import { type MetricName, metricTable } from "../../apps/gateway/src/signals/metric-table.ts";
import { selectorsOf } from "../../bench/dashboards/expressions.ts";
import { type DashboardJson, type PanelJson, queriesOf } from "../../bench/dashboards/queries.ts";
import { dashboards, textOf } from "./all-dashboards.ts";
import { targetMetrics } from "./promql.ts";

const folder = new URL("dashboards/", import.meta.url);
const committed = (name: string): string => readFileSync(new URL(`${name}.json`, folder), "utf8");
const names = Object.keys(dashboards) as (keyof typeof dashboards)[];
const jsonOf = (name: string) => JSON.parse(committed(name)) as DashboardJson & { readonly uid: string };

/** What Prometheus and the process tell by themselves, with their labels. */
const foreign: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(targetMetrics.map((name) => [name, ["job", "instance"]])),
  ALERTS: ["alertname", "alertstate", "severity", "model", "backend", "team"],
};

/** The labels that series of this name have; undefined = there is no such metric. */
function labelsOf(name: string): readonly string[] | undefined {
  if (foreign[name] !== undefined) return foreign[name];
  const histogram = name.replace(/_(bucket|sum|count)$/, "");
  const row = metricTable[name as MetricName] ?? metricTable[histogram as MetricName];
  if (row === undefined || (row.type === "histogram") !== (name !== histogram)) return undefined;
  return [...row.labels, "job", "instance", ...(name.endsWith("_bucket") ? ["le"] : [])];
}

const groupingsOf = (expr: string): string[] =>
  [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, labels = ""]) => labels.split(/,\s*/));
const panelsOf = (name: string): readonly PanelJson[] => jsonOf(name).panels.filter(({ type }) => type !== "row");

test("the committed files are what `pnpm dashboards` writes, and no other", () => {
  expect(readdirSync(folder).toSorted()).toEqual(names.map((name) => `${name}.json`).toSorted());
  for (const name of names) expect(committed(name), name).toBe(textOf(dashboards[name]));
});

test("there are at least 60 queries, and a name of its own for each", () => {
  const asked = names.flatMap((name) => queriesOf(jsonOf(name)));
  expect(asked.length).toBeGreaterThan(60);
  expect(new Set(asked.map(({ what }) => what)).size).toBe(asked.length);
});

/** Gauges of which each replica has a part of its own; of all others every replica tells the same. */
const parts = [
  "signalbox_in_flight_requests",
  "signalbox_open_connections",
  "signalbox_queue_waiting_requests",
  "signalbox_backend_in_flight_requests",
  "signalbox_store_backlog",
  "signalbox_model_load_ratio",
];

test("gauges are summed over replicas where each has its part, and nowhere else", () => {
  for (const { what, expr } of names.flatMap((name) => queriesOf(jsonOf(name)))) {
    for (const [, how, by = "", metric = ""] of expr.matchAll(
      /\b(sum|max|min)(?: by \(([^)]*)\) )?\((signalbox_\w+)\{/g,
    )) {
      if (by.split(", ").includes("instance")) continue;
      expect(how === "sum", `${what}: ${metric}`).toBe(parts.includes(metric));
    }
  }
});

test("docs/observability.md says what is on each", () => {
  const page = readFileSync(new URL("../../docs/observability.md", import.meta.url), "utf8");
  const told = [...page.matchAll(/^\| `([\w-]+)\.json` \|/gm)].map(([, name]) => name);
  expect(told.toSorted()).toEqual(names.toSorted());
});

test("every metric is on a dashboard", () => {
  const all = names.map(committed).join("");
  const missing = Object.keys(metricTable).filter((name) => !new RegExp(`${name}(_bucket|_sum|_count)?\\b`).test(all));
  expect(missing).toEqual([]);
});

describe.each(names)("%s", (name) => {
  const { uid, panels, templating } = jsonOf(name);

  test("has its file's name as its address, and no id twice", () => {
    expect(uid).toBe(`signalbox-${name}`);
    const ids = panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const titles = panelsOf(name).map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  test("has no panel that reaches beyond its line", () => {
    for (const { title, gridPos } of panels) expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
  });

  test.each(panelsOf(name).map((panel) => [panel.title, panel] as const))(
    "«%s» has words, a unit and queries",
    (title, panel) => {
      expect(title.length).toBeGreaterThan(4);
      expect(panel.description?.length).toBeGreaterThan(20);
      expect(panel.fieldConfig?.defaults.unit).toBeTruthy();
      expect(panel.targets?.length).toBeGreaterThan(0);
    },
  );

  test("asks for metrics that there are, by labels that they have", () => {
    for (const { what, expr } of queriesOf(jsonOf(name))) {
      const selectors = selectorsOf(expr);
      expect(selectors.length, what).toBeGreaterThan(0);
      const known = selectors.flatMap((selector) => {
        const [metric = "", matchers = ""] = selector.split(/[{}]/);
        const labels = labelsOf(metric);
        expect(labels, `${what}: ${metric}`).toBeDefined();
        const matched = [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label);
        expect(labels, `${what}: ${selector}`).toEqual(expect.arrayContaining(matched));
        return labels ?? [];
      });
      expect(known, what).toEqual(expect.arrayContaining(groupingsOf(expr)));
    }
  });

  test("names series by labels that they are told apart by", () => {
    for (const { title, targets = [] } of panelsOf(name)) {
      for (const { expr, legendFormat = "" } of targets) {
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
        const told = expr.includes(" by (") ? groupingsOf(expr) : ["job", "instance"];
        expect(told, title).toEqual(expect.arrayContaining(named));
      }
    }
  });

  test("has every variable that it uses, and uses every one that it has", () => {
    const ofGrafana = ["__rate_interval", "__range"];
    const text = JSON.stringify({ panels, queries: queriesOf(jsonOf(name)) });
    const used = new Set([...text.matchAll(/\$\{?(\w+)\}?/g)].map(([, variable = ""]) => variable));
    const has = templating.list.map((variable) => variable.name);
    expect([...used].filter((variable) => !ofGrafana.includes(variable) && !has.includes(variable))).toEqual([]);
    expect(has.filter((variable) => !used.has(variable))).toEqual([]);
  });

  test("sends people to runbooks of alerts that there are", () => {
    const anchors = [...committed(name).matchAll(/\$\{runbooks\}#(\w+)/g)].map(([, anchor]) => anchor);
    const alerts = Object.keys(alertTable).map((alert) => alert.toLowerCase());
    expect(alerts).toEqual(expect.arrayContaining(anchors));
  });
});
