import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeIn, tableOf } from "./markdown.ts";
import { isSourceFolder, root } from "./repository.ts";
import { applyChange, blocksOf, type Copy, copyRepository } from "./worked-example.ts";

const page = readFileSync(join(root, "docs/contributing.md"), "utf8");

/** Each example, what it adds, and the most that it may touch beside files of its own and pages. */
const examples = [
  { heading: "A sixth strategy", adds: "most_slots", changes: ["packages/router/src/strategies.ts"] },
  {
    heading: "A seventh kind of backend",
    adds: "tgi",
    changes: ["packages/backends/src/kinds.ts", "packages/backends/src/kind-cases.ts"],
  },
  { heading: "A dialect", adds: "lantern", changes: ["packages/adapter/src/dialects.ts"] },
  { heading: "An error code", adds: "team_suspended", changes: ["packages/protocol/src/errors.ts"] },
  {
    heading: "A metric",
    adds: "signalbox_backend_slots",
    changes: ["apps/gateway/src/signals/metric-table.ts", "apps/gateway/src/signals/scrape-gauges.ts"],
  },
  { heading: "A fault", adds: "F74", changes: ["bench/faults/table/wrong-answers.ts"] },
];

describe("a change", () => {
  const before = "one\ntwo\none\nthree\n";

  test("adds and removes lines where the others say", () => {
    expect(applyChange(before, " two\n+new\n one\n@@\n-three\n+four\n")).toBe("one\ntwo\nnew\none\nfour\n");
  });

  test("is refused where its place is not there, or there twice", () => {
    expect(() => applyChange(before, " zero\n+new\n")).toThrow("0 times");
    expect(() => applyChange(before, " one\n+new\n")).toThrow("2 times");
    expect(() => applyChange(before, " wo\n+new\n")).toThrow("0 times");
  });
});

test("docs/contributing.md names all folders, and scripts that there are", () => {
  const named = [
    ...tableOf("docs/contributing.md", "folder", "what belongs there"),
    ...tableOf("docs/contributing.md", "folder of `apps/gateway/src`").map(([cell]) => [
      codeIn(cell)
        .map((path) => `\`apps/gateway/src/${path}\``)
        .join(),
    ]),
  ].flatMap(([cell]) => codeIn(cell));
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const folders = ["packages", "bench", "deploy", "apps/gateway/src"].flatMap((parent) =>
    readdirSync(join(root, parent), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && isSourceFolder(entry.name))
      .map(({ name }) => `${parent}/${name}/`),
  );
  expect(folders.filter((path) => !named.includes(path))).toEqual([]);
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
  const called = [...page.matchAll(/`pnpm ([\w:]+)/g)].map(([, name]) => name);
  expect(called.length).toBeGreaterThan(5);
  expect(
    called.filter(
      (name) => !["biome", "node"].includes(name as string) && !Object.keys(scripts).includes(name as string),
    ),
  ).toEqual([]);
});

describe("the worked examples of docs/contributing.md, one after the other in a copy of the repository", () => {
  let copy: Copy;
  beforeAll(() => {
    copy = copyRepository();
  });
  afterAll(() => copy?.remove());

  test.each(examples)("$heading: does what it says", { timeout: 90_000 }, async ({ heading, adds, changes }) => {
    const blocks = blocksOf(page, heading);
    const sources = blocks.filter(({ language, path }) => language === "diff" && path.endsWith(".ts"));
    expect(sources.map(({ path }) => path)).toEqual(changes);
    expect(blocks.some(({ text }) => text.includes(adds))).toBe(true);

    const commands = blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => text.trim().split("\n"));
    const files = blocks.filter(({ path }) => path !== "");
    const shown = blocks.filter(({ language, path }) => language === "text" && path === "");
    for (const block of files) copy.apply(block);
    expect(commands.some((line) => line.startsWith("pnpm vitest "))).toBe(true);
    let printed = "";
    for (const line of commands) {
      const { code, output } = await copy.run(line);
      expect(code, output).toBe(0);
      printed += output;
      // Otherwise a filter that matches no test would pass.
      if (line.startsWith("pnpm vitest ")) expect(output).toMatch(/^[1-9]\d* passed, 0 failed/m);
    }
    for (const { text } of shown) expect(printed).toContain(text);
    if (/strategy|kind|dialect/.test(heading))
      expect(commands.at(-1), "a policy file that names it is checked").toMatch(/^pnpm signalbox check \S+\.yaml$/);
  });

  test("all of them together pass the type checker, and their new files the linter", {
    timeout: 90_000,
  }, async () => {
    const added = examples
      .flatMap(({ heading }) => blocksOf(page, heading))
      .filter(({ language }) => language === "ts")
      .map(({ path }) => path);
    expect(added).toHaveLength(4);
    for (const line of [`pnpm biome check ${added.join(" ")}`, "pnpm typecheck"]) {
      const { code, output } = await copy.run(line);
      expect(code, output).toBe(0);
    }
  });
});
