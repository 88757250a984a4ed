import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { fencesOf, markdownPages } from "../../../../tests/docs/markdown.ts";
import { filesUnder, root } from "../../../../tests/docs/repository.ts";
import { runPolicyTests } from "./check.ts";
import { loadConfig } from "./load.ts";
import { formatError } from "./problems.ts";

interface Sample {
  /** `docs/usage.md:12`, `examples/open.yaml`. */
  readonly where: string;
  readonly text: string;
  readonly kind: string | undefined;
}

/** What a YAML text is, by the keys at its top: all of a row's must be there. The first that fits counts. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  policy: ["version", "backends"],
  kubernetes: ["apiVersion", "kind"],
  "grafana provisioning": ["apiVersion"],
  compose: ["services"],
  "collector of OpenTelemetry": ["receivers", "exporters"],
  "tests of rules": ["rule_files", "tests"],
  prometheus: ["scrape_configs"],
  rules: ["groups"],
  alertmanager: ["route", "receivers"],
  "rules of prometheus-adapter": ["externalRules"],
  "values of the Helm chart": ["config"],
};

function kindOf(text: string): string | undefined {
  const documents = parseAllDocuments(text).map((document) => (document.toJS() ?? {}) as object);
  return Object.entries(kinds).find(([, keys]) =>
    documents.every((document) => keys.every((key) => Object.hasOwn(document, key))),
  )?.[0];
}

function readSample(path: string): Omit<Sample, "kind"> {
  return { where: path, text: readFileSync(`${root}${path}`, "utf8") };
}

function withKind({ where, text }: Omit<Sample, "kind">): Sample {
  return { where, text, kind: kindOf(text) };
}

const samples: readonly Sample[] = [
  ...markdownPages().flatMap((page) =>
    // A worked example's file is checked when the example is followed.
    fencesOf(page).filter(({ language, info }) => /^ya?ml$/.test(language) && info === ""),
  ),
  ...filesUnder("examples")
    .filter((path) => path.endsWith(".yaml"))
    .map(readSample),
].map(withKind);
/** Templates of a chart are no YAML; what else is around the gateway has tests of its own. */
const deployed = filesUnder("deploy")
  .filter((path) => /\.ya?ml$/.test(path))
  .map(readSample)
  .filter(({ text }) => !text.includes("{{"))
  .map(withKind);
const policies = [...samples, ...deployed].filter(({ kind }) => kind === "policy");
const others = samples.filter(({ kind }) => kind !== "policy");

test("there are policies to load", () => {
  const where = policies.map((sample) => sample.where.split(":")[0]);
  expect(where).toEqual(
    expect.arrayContaining(["docs/configuration.md", "examples/signalbox.yaml", "examples/open.yaml", "README.md"]),
  );
  expect(others.map((sample) => sample.where.split(":")[0])).not.toContain("examples/open.yaml");
});

test.each(policies)("the policy file in $where is right, and its tests pass", async ({ where, text }) => {
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

describe("YAML that is another program's", () => {
  test.each(others)("in $where can be read, and is something known", ({ text, kind }) => {
    expect(parseAllDocuments(text, { uniqueKeys: true }).flatMap(({ errors }) => errors.map(String))).toEqual([]);
    expect(kind, `its top keys are none of ${Object.keys(kinds).join(", ")}`).toBeDefined();
  });

  const promtool = "promtool";
  const hasPromtool = spawnSync(promtool, ["--version"]).status === 0;
  const checks = { prometheus: ["check", "config", "--syntax-only"], rules: ["check", "rules"] };
  const ours = others.filter(({ kind }) => kind === "prometheus" || kind === "rules");
  test.skipIf(!hasPromtool).each(ours)("in $where is right by promtool, of Debian's prometheus", ({ text, kind }) => {
    const folder = mkdtempSync(join(tmpdir(), "signalbox-sample-"));
    const file = join(folder, "sample.yml");
    writeFileSync(file, text);
    const args = [...checks[kind as keyof typeof checks], file];
    const { status, stderr, stdout } = spawnSync(promtool, args, { encoding: "utf8" });
    rmSync(folder, { recursive: true });
    expect(`${status} ${status === 0 ? "" : stdout + stderr}`).toBe("0 ");
  });
});

test("what a text is shows in its top keys", () => {
  expect(kindOf("version: 1\nbackends: {}")).toBe("policy");
  expect(kindOf("apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: Service")).toBe("kubernetes");
  expect(kindOf("groups: []")).toBe("rules");
  expect(kindOf("version: 1\nbackend: {}")).toBeUndefined();
});
