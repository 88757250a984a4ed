import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigFile } from "../../apps/gateway/src/config/schema.ts";
import { settingsOf } from "../../apps/gateway/src/config/settings.ts";
import { metricTable } from "../../apps/gateway/src/signals/metric-table.ts";
import { fencesOf, markdownPages, proseOf, textOf } from "./markdown.ts";
import { filesUnder } from "./repository.ts";

const pages = markdownPages();
/** Worked examples add what is not there. */
const adds = "docs/contributing.md";

const topKeys = Object.keys(ConfigFile.shape);
const paths = settingsOf(ConfigFile).map(({ path }) => path.replaceAll("[]", ""));

/** Attributes of OpenTelemetry that look like settings of ours. */
const foreign = ["server.address", "server.port"];

/** True for a setting or a mapping of settings, with a name of one's own where the reference has `<name>`. */
function isSetting(named: string): boolean {
  const words = named.replace(/\[\w*\]/g, "").split(".");
  return paths.some((path) => {
    const known = path.split(".");
    return words.every((word, index) => known[index] === word || known[index] === "<name>");
  });
}

test.each(pages)("the settings that %s names are there", (page) => {
  const named = [...proseOf(page).matchAll(/`([a-z]+(?:\.[a-z_]+|\.<name>|\[\])+)(?=[`: ])/g)].map(
    ([, name]) => name as string,
  );
  const ours = named.filter(
    (name) => topKeys.includes(name.split(/[.[]/)[0] as string) && !/\.(md|ts|yaml|json)$/.test(name),
  );
  expect(ours.filter((name) => !isSetting(name) && !foreign.includes(name))).toEqual([]);
});

test("a setting that is not there is told", () => {
  expect(isSetting("server.timeouts.read_header")).toBe(true);
  expect(isSetting("server.timeouts")).toBe(true);
  expect(isSetting("models.large.on[].dialect")).toBe(true);
  expect(isSetting("server.timeout")).toBe(false);
  expect(isSetting("defaults.attempts.first")).toBe(false);
});

const suffixes = /_(bucket|count|sum|created)$/;

/** The metrics of a text that are not in the table, histograms with their series. */
function unknownMetrics(text: string): string[] {
  return [...text.matchAll(/(?<![\w:{-])signalbox_[a-z0-9_]+(?![\w*])/g)]
    .map(([name]) => name)
    .filter((name) => !Object.hasOwn(metricTable, name) && !isSeries(name));
}

function isSeries(name: string): boolean {
  const metric = name.replace(suffixes, "");
  if (metric === name || !Object.hasOwn(metricTable, metric)) return false;
  return metricTable[metric as keyof typeof metricTable].type === "histogram";
}

test.each(pages.filter((page) => page !== adds))("the metrics that %s names are in the metric table", (page) => {
  expect(unknownMetrics(textOf(page))).toEqual([]);
});

test("the metrics that deploy/ and examples/ name are in the metric table", () => {
  const files = [...filesUnder("deploy"), ...filesUnder("examples")].filter((path) => /\.(ya?ml|json|tpl)$/.test(path));
  const unknown = files.flatMap((path) => unknownMetrics(textOf(path)).map((name) => `${path}: ${name}`));
  expect(unknown).toEqual([]);
});

test("a metric that is not there is told, and so is a series that its type has not", () => {
  expect(unknownMetrics("rate(signalbox_request_total[5m])")).toEqual(["signalbox_request_total"]);
  expect(unknownMetrics("signalbox_requests_total_bucket")).toEqual(["signalbox_requests_total_bucket"]);
  expect(unknownMetrics("sum(signalbox_request_duration_seconds_bucket) signalbox_*")).toEqual([]);
});

/** Queries in the text of a page: code that names a metric and does something with it. */
function queriesOf(page: string): string[] {
  const blocks = fencesOf(page).flatMap(({ language, text }) => (language === "promql" ? [text] : []));
  const inText = [...proseOf(page).matchAll(/`([^`]*signalbox_[^`]*)`/g)]
    .map(([, code]) => (code as string).replaceAll("\n", " "))
    .filter((code) => /signalbox_\w+(\[|\{[^}]*=)|\(.*signalbox_|signalbox_\w+ [=<>!]/.test(code));
  return [...blocks, ...inText];
}

/** Labels that a query asks a metric for and that the metric has not. */
function unknownLabels(query: string): string[] {
  return [...query.matchAll(/(signalbox_\w+)\{([^}]*)\}/g)].flatMap(([, name = "", matchers = ""]) => {
    const metric = Object.hasOwn(metricTable, name) ? name : name.replace(suffixes, "");
    const row: { readonly labels: readonly string[] } | undefined = metricTable[metric as keyof typeof metricTable];
    const asked = [...matchers.matchAll(/(\w+) *(?:=~|!~|!=|=)/g)].map(([, label]) => label as string);
    const known = [...(row?.labels ?? []), "job", "instance", "le"];
    return asked.filter((label) => !known.includes(label)).map((label) => `${name}: ${label}`);
  });
}

test("queries that pages show ask for labels that the metrics have", () => {
  const queries = pages.flatMap(queriesOf);
  expect(queries.length).toBeGreaterThan(20);
  expect(queries.flatMap(unknownLabels)).toEqual([]);
  expect(unknownLabels('signalbox_requests_total{team="a",kind=~"b"}')).toEqual(["signalbox_requests_total: kind"]);
});

const promtool = "promtool";
test.skipIf(spawnSync(promtool, ["--version"]).status !== 0)(
  "queries that pages show are right by promtool, of Debian's prometheus",
  () => {
    const rules = pages.flatMap(queriesOf).map((expr, index) => ({ record: `query:${index}`, expr }));
    const folder = mkdtempSync(join(tmpdir(), "signalbox-queries-"));
    writeFileSync(join(folder, "rules.yml"), JSON.stringify({ groups: [{ name: "queries", rules }] }));
    const { status, stdout, stderr } = spawnSync(promtool, ["check", "rules", join(folder, "rules.yml")], {
      encoding: "utf8",
    });
    rmSync(folder, { recursive: true });
    expect(`${status} ${status === 0 ? "" : stdout + stderr}`).toBe("0 ");
  },
);

test("docs/api.md has a row for every header of ours that the gateway reads or sends, and no other", () => {
  const sources = filesUnder("apps/gateway/src").filter(
    (path) => path.endsWith(".ts") && !/\.test\.ts$|test-/.test(path),
  );
  const sent = sources.flatMap(
    (path) => textOf(path).match(/(?<=")x-(?:signalbox|ratelimit|should)-[a-z-]+(?=")/g) ?? [],
  );
  const rows = [...proseOf("docs/api.md").matchAll(/^\| `(x-(?:signalbox|ratelimit|should)-[a-z-]+)`/gm)].map(
    ([, name]) => name,
  );
  expect(rows.toSorted()).toEqual([...new Set(sent)].toSorted());
});

test("headers of ours that pages name are among them", () => {
  const api = textOf("docs/api.md");
  const named = pages.flatMap((page) =>
    [...textOf(page).matchAll(/x-signalbox-[a-z-]*[a-z]/g)].map(([name]) => `${page}: ${name}`),
  );
  expect(named.filter((each) => !api.includes(`\`${each.split(": ")[1]}\``))).toEqual([]);
});

test("every script of package.json is told of in a page", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: object };
  const all = pages.map(textOf).join("\n");
  const untold = Object.keys(scripts).filter((name) => !new RegExp(`p?npm ${name}(?![\\w:-])`).test(all));
  expect(untold).toEqual([]);
});

const languages = ["", "sh", "console", "yaml", "json", "text", "python", "ts", "diff", "promql", "ini", "dockerfile"];

test("code blocks are of languages that a test knows", () => {
  const others = pages.flatMap((page) =>
    fencesOf(page).flatMap(({ where, language }) => (languages.includes(language) ? [] : [`${where}: ${language}`])),
  );
  expect(others).toEqual([]);
});
