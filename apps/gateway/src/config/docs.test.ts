import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { restartSettings } from "./reload.ts";
import { ConfigFile } from "./schema.ts";
import { settingsOf } from "./settings.ts";
import { settingsDoc } from "./settings-doc.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

const page = readFileSync(`${root}docs/configuration.md`, "utf8");

test("the tables of docs/configuration.md are current (pnpm schema writes them)", () => {
  expect(settingsDoc(page)).toBe(page);
});

test("the page says which settings wait for a restart", () => {
  const [, told = ""] =
    /wait for a restart, which the log says: ([^.]*(?:\.\w[^.]*)*)\./.exec(page.replaceAll("\n", " ")) ?? [];
  expect([...told.matchAll(/`([^`]+)`/g)].map(([, name]) => name)).toEqual(restartSettings);
});

test("every setting has words, which end as sentences do", () => {
  const settings = settingsOf(ConfigFile);
  expect(settings.length).toBeGreaterThan(150);
  expect(settings.filter(({ meaning }) => !/^\S.*\.$/.test(meaning ?? "")).map(({ path }) => path)).toEqual([]);
});

test("no two settings have one path", () => {
  const paths = settingsOf(ConfigFile).map(({ path }) => path);
  expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
});
