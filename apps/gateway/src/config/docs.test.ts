import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runPolicyTests } from "./check.ts";
import { loadConfig } from "./load.ts";
import { formatError } from "./problems.ts";
import { ConfigFile } from "./schema.ts";
import { settingsOf } from "./settings.ts";
import { settingsDoc } from "./settings-doc.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

const page = readFileSync(`${root}docs/configuration.md`, "utf8");

test("the tables of docs/configuration.md are current (pnpm schema writes them)", () => {
  expect(settingsDoc(page)).toBe(page);
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

function markdownFiles(): string[] {
  const inFolder = (folder: string, deep: boolean) =>
    readdirSync(`${root}${folder}`, { recursive: deep, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}${name}`);
  return [...inFolder("", false), ...inFolder("docs/", true)];
}

/** Every YAML sample but those that are another program's, with where it stands. */
function samples(): [where: string, text: string][] {
  const inDocs = markdownFiles().flatMap((file): [string, string][] => {
    const text = readFileSync(`${root}${file}`, "utf8");
    return [...text.matchAll(/^```ya?ml\n([\s\S]*?)^```/gm)].map((match) => {
      return [`${file}:${text.slice(0, match.index).split("\n").length + 1}`, match[1] as string];
    });
  });
  const examples = readdirSync(`${root}examples`).filter((name) => name.endsWith(".yaml"));
  return [
    ...inDocs.filter(([, text]) => !text.startsWith("scrape_configs:")),
    ...examples.map((name): [string, string] => [`examples/${name}`, readFileSync(`${root}examples/${name}`, "utf8")]),
  ];
}

test("there are samples to load", () => {
  const where = samples().map(([place]) => place.split(":")[0]);
  expect(where).toEqual(
    expect.arrayContaining(["docs/configuration.md", "examples/signalbox.yaml", "examples/open.yaml"]),
  );
});

test.each(samples())("the policy file in %s is right, and its tests pass", async (where, text) => {
  const env = Object.fromEntries(
    [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name as string, "from-the-environment"]),
  );
  const readFile = async (path: string) =>
    path.endsWith(".pem") ? "-----BEGIN CERTIFICATE-----\n" : "a-key-from-a-file";
  const result = await loadConfig(text, { env, readFile, fileName: `${root}${where}` });
  expect(result.ok ? [] : result.errors.map(formatError)).toEqual([]);
  if (!result.ok) return;
  expect(runPolicyTests(result.config).filter((each) => !each.pass)).toEqual([]);
});
