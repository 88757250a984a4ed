import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { filesUnder, root } from "../../../../tests/docs/repository.ts";
import type { Config } from "./config.ts";
import { loadConfig } from "./load.ts";
import { formatError } from "./problems.ts";

const files = filesUnder("examples/scenarios");

async function load(path: string): Promise<Config> {
  const result = await loadConfig(readFileSync(`${root}${path}`, "utf8"), {
    env: { CLOUD_KEY: "a-key", REDIS_PASSWORD: "a-password" },
    readFile: async (name) => (name.endsWith(".pem") ? "-----BEGIN CERTIFICATE-----\n" : "a-key-from-a-file"),
    fileName: path,
  });
  if (!result.ok) throw new Error(result.errors.map(formatError).join("\n"));
  return result.config;
}

test("docs/policies.md names every scenario, and no other", () => {
  const page = readFileSync(`${root}docs/policies.md`, "utf8");
  const named = [...page.matchAll(/\]\(\.\.\/(examples\/scenarios\/[\w-]+\.yaml)\)/g)].map(([, path]) => path);
  expect(named.sort()).toEqual([...files].sort());
});

describe.each(files)("%s", (path) => {
  test("has tests of its own for every rule that it has", async () => {
    const { policy, tests } = await load(path);
    const said = tests.map(({ expect: { reason = "" } }) => reason);
    const labels = policy.rules.map(({ label }) => label);
    expect(labels.filter((label) => !said.includes(label))).toEqual([]);
  });

  test("says of each model what it can take", async () => {
    const { policy } = await load(path);
    for (const { name, context, capabilities } of policy.models.values())
      expect([name, typeof context, typeof capabilities.tools]).toEqual([name, "number", "boolean"]);
  });
});

test("nothing of a hospital's patients can leave the house, whatever is asked for", async () => {
  const { privacy, policy } = await load("examples/scenarios/hospital.yaml");
  const isHosted = (models: Config["policy"]["models"]): boolean =>
    [...models.values()].some(({ deployments }) => deployments.some(({ hosted }) => hosted));
  expect(isHosted(policy.models)).toBe(true);
  for (const team of ["wards", "radiology"]) {
    expect(isHosted(privacy.policyOf(team).models)).toBe(false);
    expect(privacy.logOf(team)).toBe("none");
  }
  expect(isHosted(privacy.policyOf("research").models)).toBe(true);
});
