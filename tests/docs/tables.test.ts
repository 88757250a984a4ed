import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { adminRoles } from "../../apps/gateway/src/config/config.ts";
import {
  address,
  budget,
  count,
  days,
  duration,
  percent,
  price,
  rates,
  size,
} from "../../apps/gateway/src/config/fields.ts";
import { ConfigFile } from "../../apps/gateway/src/config/schema.ts";
import { settingsOf } from "../../apps/gateway/src/config/settings.ts";
import { unitForms } from "../../apps/gateway/src/config/units.ts";
import { redactionNames } from "../../apps/gateway/src/privacy/redaction.ts";
import type { AdminView } from "../../apps/gateway/src/routes/admin-access.ts";
import { createAdminApp } from "../../apps/gateway/src/routes/admin-app.ts";
import { publicRoutes } from "../../apps/gateway/src/routes/public-app.ts";
import { measures } from "../../bench/scoreboard/measures.ts";
import { guardActions } from "../../packages/adapter/src/index.ts";
import { codeIn, markdownPages, tableOf, textOf } from "./markdown.ts";
import { root } from "./repository.ts";

const settings = settingsOf(ConfigFile);
const firstCells = (rows: readonly (readonly string[])[]): string[] => rows.flatMap(([cell]) => codeIn(cell));

describe("docs/configuration.md", () => {
  const fields = {
    address,
    count,
    days,
    duration,
    percentage: percent,
    price,
    rate: rates,
    size,
    budget: () => budget(2),
  };
  const rows = tableOf("docs/configuration.md", "Value", "Written", "Means");

  test("has every form of a value", () => {
    const units = Object.keys(unitForms).map((unit) => (unit === "percent" ? "percentage" : unit));
    expect(rows.map(([unit]) => unit).toSorted()).toEqual(units.toSorted());
  });

  test.each(rows)("writes a %s as it is read: %s", (unit, written) => {
    const examples = codeIn(written);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const read = fields[unit as keyof typeof fields]().safeParse(example.replaceAll('"', ""));
      expect(`${example}: ${read.success}`).toBe(`${example}: true`);
    }
  });
});

describe("docs/api.md", () => {
  test("has every address of the public listener", () => {
    const routes = publicRoutes.map(({ method, path }) => `${method} ${path.replace(/:rest.*/, "NAME")}`);
    expect(firstCells(tableOf("docs/api.md", "address", "what it is")).toSorted()).toEqual(routes.toSorted());
  });
});

describe("the admin listener", () => {
  const app = createAdminApp({} as AdminView);
  const routes = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method === "GET" ? "" : `${method} `}${path.replace(":name", "NAME")}`);
  const named = (page: string, ...head: string[]) =>
    firstCells(tableOf(page, ...head)).map((each) => each.replace(/^GET /, ""));

  test("has every address of its own in docs/security.md", () => {
    expect(named("docs/security.md", "What", "without tokens").toSorted()).toEqual([...new Set(routes)].toSorted());
  });

  test("has the addresses that README.md tells of", () => {
    const told = named("README.md", "address", "what it tells");
    expect(told).toContain("/metrics");
    expect(told.filter((path) => !routes.includes(path))).toEqual([]);
  });

  test("has the roles of docs/security.md", () => {
    expect(firstCells(tableOf("docs/security.md", "role", "may"))).toEqual(adminRoles);
  });
});

test("docs/privacy.md has every built-in pattern and every setting of the log", () => {
  expect(firstCells(tableOf("docs/privacy.md", "name", "finds"))).toEqual(redactionNames);
  const rows = tableOf("docs/privacy.md", "`log`", "the request's line").map(([cell]) => `${codeIn(cell)[0]}`);
  expect(rows).toEqual(codeIn(settings.find(({ path }) => path === "teams.<name>.log")?.value));
});

test("docs/guard.md has every action, from mild to strict, and every class that has a setting", () => {
  expect(tableOf("docs/guard.md", "action").map(([cell]) => codeIn(cell)[0])).toEqual(guardActions);
  const classes = settings.flatMap(({ path }) => /^models\.<name>\.guard\.(\w+)/.exec(path)?.[1] ?? []);
  expect(firstCells(tableOf("docs/guard.md", "class"))).toEqual([...new Set(classes)]);
});

test("docs/request-path.md has a limit for every wait that has a setting", () => {
  const named = tableOf("docs/request-path.md", "wait", "limit").map(([, limit]) => codeIn(limit)[0]);
  const timeouts = settings.flatMap(({ path }) => /^defaults\.timeouts\.(\w+)$/.exec(path)?.[1] ?? []);
  expect(timeouts.filter((name) => !named.includes(name))).toEqual([]);
});

test("docs/teams.md tells of every setting of a team", () => {
  const told = tableOf("docs/teams.md", "what", "set by").flatMap(([, how]) => codeIn(how));
  const keys = new Set(settings.flatMap(({ path }) => /^teams\.<name>\.(\w+)/.exec(path)?.[1] ?? []));
  expect([...keys].filter((key) => !told.some((word) => word.split(/[: ]/)[0] === key))).toEqual([]);
});

describe("docs/benchmarks.md", () => {
  test("has every measure of the scoreboard", () => {
    const told = tableOf("docs/benchmarks.md", "measure", "what it takes").flatMap(([cell]) => cell?.split(", ") ?? []);
    expect(told.toSorted()).toEqual(Object.keys(measures).toSorted());
  });

  test("has the limits that the benches hold", () => {
    const rows = tableOf("docs/benchmarks.md", "command", "measures");
    const [overhead, , traced, stream, memory] = rows.map((row) => row.at(-1));
    const ratio = /memory: ([\d.]+)/.exec(textOf("bench/overhead.ts"))?.[1];
    const traceRatio = /traceRatio = ([\d.]+)/.exec(textOf("bench/overhead.ts"))?.[1];
    const limits = /ratio: ([\d.]+), idleStreamKb: (\d+)/.exec(textOf("bench/stream.ts"));
    expect([overhead, traced, stream]).toEqual(
      [ratio, traceRatio, limits?.[1]].map((limit) => `ratio at most ${limit}`),
    );
    expect(memory).toContain(`at most ${limits?.[2]} KiB`);
  });
});

describe("the list of what holds the pages, in docs/contributing.md", () => {
  const rows = tableOf("docs/contributing.md", "page", "what is held", "by");

  test("names tests that are there and speak of the page", () => {
    for (const [page = "", , by = ""] of rows) {
      for (const file of codeIn(by)) {
        expect(`${file}: ${existsSync(join(root, file))}`).toBe(`${file}: true`);
        for (const each of codeIn(page).filter((path) => !path.includes("*")))
          expect(`${file} names ${each}: ${textOf(file).includes(each)}`).toBe(`${file} names ${each}: true`);
      }
    }
  });

  test("has only pages that are there", () => {
    const pages = markdownPages();
    const named = firstCells(rows).filter((path) => !path.includes("*"));
    expect(named.filter((path) => !pages.includes(path))).toEqual([]);
  });
});
