import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runPolicyTests } from "./check.ts";
import { configJsonSchema } from "./json-schema.ts";
import { loadConfig } from "./load.ts";
import { formatError } from "./problems.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

interface Schema {
  readonly $ref?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly anyOf?: readonly (Schema & { readonly enum?: readonly string[] })[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: object;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly required?: readonly string[];
}

/** What the schema says of every key that a file can hold: `path -> default, "required" or "-"`. */
function settings(): Map<string, { fallback: string; words: readonly string[] }> {
  const schema = configJsonSchema() as unknown as Schema & { $defs: Record<string, Schema> };
  const found = new Map<string, { fallback: string; words: readonly string[] }>();
  const visit = (node: Schema, path: string): void => {
    for (const [key, member] of Object.entries(node.properties ?? {})) {
      const child = path === "" ? key : `${path}.${key}`;
      const shared = key === "not" ? undefined : member.$ref?.replace("#/$defs/", "");
      if (shared !== undefined) visit(schema.$defs[shared] as Schema, child);
      else if (inner(member) !== undefined) {
        for (const [suffix, deeper] of inner(member) ?? []) visit(deeper, `${child}${suffix}`);
      } else {
        // A text or a mapping: both have rows.
        const mapping =
          member.anyOf?.[0]?.type === "string" ? member.anyOf.find(({ properties }) => properties) : undefined;
        if (mapping !== undefined) visit(mapping, child);
        const isRequired = node.required?.includes(key) ?? false;
        const value = Array.isArray(member.default) ? undefined : member.default;
        const fallback = value !== undefined ? `\`${value}\`` : isRequired ? "required" : "-";
        found.set(child, { fallback, words: member.anyOf?.[0]?.enum ?? [] });
      }
    }
    if (node.patternProperties !== undefined) found.set(`${path}.header.<name>`, { fallback: "-", words: [] });
  };
  visit(schema, "");
  return found;
}

/** The mappings with known keys inside a value; undefined when it is a leaf. Messages and tools are the API's own. */
function inner(node: Schema): [suffix: string, Schema][] | undefined {
  if (node.properties !== undefined && node.additionalProperties === false) return [["", node]];
  if (node.items?.properties !== undefined && node.items.additionalProperties === false) return [["[]", node.items]];
  const each = node.additionalProperties;
  return typeof each === "object" && each.properties !== undefined ? [[".<name>", each]] : undefined;
}

test("docs/configuration.md has a row for every key, with its values and its default, and no other", () => {
  const text = readFileSync(`${root}docs/configuration.md`, "utf8");
  const rows = new Map<string, { values: string; fallback: string }>();
  for (const [, key, values, fallback] of text.matchAll(/^\| `([a-z][^`]*)` \| (.*?) \| (.*?) \| .+ \|$/gm)) {
    if (/^(\w+|\w+[.[].*)$/.test(key as string))
      rows.set(key as string, { values: values as string, fallback: fallback as string });
  }
  const known = settings();
  expect([...rows.keys()].sort()).toEqual([...known.keys()].sort());
  for (const [key, { fallback, words }] of known) {
    expect(`${key}: ${rows.get(key)?.fallback}`).toBe(`${key}: ${fallback}`);
    if (words.length > 0)
      expect(`${key}: ${rows.get(key)?.values}`).toBe(`${key}: ${words.map((word) => `\`${word}\``).join(", ")}`);
  }
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
