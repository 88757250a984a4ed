import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { runPolicyTests } from "../config/check.ts";
import { loadConfig } from "../config/load.ts";
import { formatError } from "../config/problems.ts";
import { commandForm, commandWords } from "./command-form.ts";
import { composeForm } from "./compose-form.ts";
import { deployFiles } from "./deploy-files.ts";
import { withRecipes } from "./engines-doc.ts";
import { choicesOf, findRecipe } from "./find-recipe.ts";
import { kubernetesForm } from "./kubernetes-form.ts";
import { policyForm, policyOf } from "./policy-form.ts";
import { nameOf, type Recipe, type RecipeKind, scenarios } from "./recipe.ts";
import { recipeKinds } from "./recipe-kinds.ts";

const recipes = Object.values(recipeKinds).flatMap((kind: RecipeKind) => choicesOf(kind).map(kind.recipe));
const contained = recipes.filter(({ launch }) => launch.container !== undefined);
const named = (list: readonly Recipe[]): [string, Recipe][] =>
  list.map((recipe) => [`${nameOf(recipe)} on ${recipe.choice.gpus}`, recipe]);

/** Everything that is wrong with a policy file, failed tests of its own included. */
async function wrongWith(text: string): Promise<unknown[]> {
  const result = await loadConfig(text, { env: {}, fileName: "recipe.yaml" });
  if (!result.ok) return result.errors.map(formatError);
  expect(result.config.tests).not.toEqual([]);
  return runPolicyTests(result.config).filter(({ pass }) => !pass);
}

/** The policies that stand in comments, three spaces in. */
function commented(text: string): string[] {
  return text
    .split(/^ *# The policy for it:\n/m)
    .slice(1)
    .map((part) =>
      part
        .split("\n")
        .map((line) => /^ *# {3}(.*)$/.exec(line)?.[1])
        .slice(
          0,
          part.split("\n").findIndex((line) => !/^ *# {3}/.test(line)),
        )
        .join("\n"),
    );
}

test("there is a recipe for every kind that one can launch, in every scenario", () => {
  expect(recipes.length).toBeGreaterThan(60);
  expect(new Set(recipes.map(({ kind }) => kind))).toEqual(new Set(Object.keys(recipeKinds)));
  expect(new Set(recipes.map(({ choice }) => choice.scenario))).toEqual(new Set(scenarios));
});

test.each(named(recipes))("the policy of %s loads, and its tests pass", async (_name, recipe) => {
  expect(await wrongWith(policyForm(recipe))).toEqual([]);
});

describe.each(named(contained))("in a container, %s", (_name, recipe) => {
  const name = nameOf(recipe);
  const { gpus } = recipe.choice;

  test("is a service with its GPUs, its weights, time to start and its policy", () => {
    const text = composeForm([recipe]);
    const { services, volumes } = parse(text);
    const service = services[name];
    expect(service.image).toMatch(/:[a-z-]*[vb]?\d/);
    expect(service.profiles).toEqual([name]);
    const devices = service.deploy?.resources.reservations.devices ?? [];
    expect(devices.map(({ count }: { count: number }) => count)).toEqual(gpus === 0 ? [] : [gpus]);
    expect(Object.keys(volumes)).toEqual([service.volumes[0].split(":")[0]]);
    expect(Number.parseInt(service.healthcheck.start_period, 10)).toBeGreaterThanOrEqual(gpus > 1 ? 45 : 10);
    expect(commented(text)).toEqual([policyOf(recipe, `http://${name}:${recipe.launch.port}`).trimEnd()]);
  });

  test("is a StatefulSet with its GPUs, its weights, time to start and its policy", () => {
    const text = kubernetesForm(recipe);
    const [service, set] = parseAllDocuments(text).map((document) => document.toJS());
    expect([service.kind, set.kind, set.spec.serviceName]).toEqual(["Service", "StatefulSet", service.metadata.name]);
    const { template, selector, volumeClaimTemplates } = set.spec;
    expect(template.metadata.labels).toEqual(selector.matchLabels);
    expect(service.spec.selector).toEqual(selector.matchLabels);
    const [engine] = template.spec.containers;
    expect(engine.resources.limits["nvidia.com/gpu"]).toBe(gpus === 0 ? undefined : String(gpus));
    expect(template.spec.nodeSelector !== undefined).toBe(gpus > 0);
    const { startupProbe } = engine;
    expect(startupProbe.periodSeconds * startupProbe.failureThreshold).toBeGreaterThanOrEqual(gpus > 1 ? 2700 : 600);
    const provided = new Set([
      ...volumeClaimTemplates.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
      ...(template.spec.volumes ?? []).map((volume: { name: string }) => volume.name),
    ]);
    for (const mount of engine.volumeMounts) expect(provided).toContain(mount.name);
    expect(commented(text)).toEqual([policyOf(recipe, `http://${name}-0.${name}:${recipe.launch.port}`).trimEnd()]);
  });

  test("has a name that Kubernetes takes", () => {
    expect(name).toMatch(/^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$/);
  });
});

test("what the gateway lets in at once is what the engine was told to work on", () => {
  const told: Partial<Record<Recipe["kind"], string>> = {
    sglang: "--max-running-requests",
    vllm: "--max-num-seqs",
    llama_cpp: "--parallel",
  };
  for (const { kind, launch, backend } of recipes) {
    const flag = told[kind];
    const value =
      kind === "ollama"
        ? launch.environment.OLLAMA_NUM_PARALLEL
        : flag === undefined
          ? "1"
          : launch.flags.find(([name]) => name === flag)?.[1];
    expect(value).toBe(String(backend.max_concurrent));
  }
});

test("more is expected from scenario to scenario, and never fewer requests of small models", () => {
  for (const [kind, table] of Object.entries(recipeKinds) as [string, RecipeKind][]) {
    for (const model of Object.keys(table.models)) {
      if (model === "minimax-m2") continue;
      const at = table.scenarios.map((scenario) => table.recipe({ model, scenario, gpus: table.gpusOf(model)[0]! }));
      const requests = at.map(({ backend }) => backend.max_concurrent);
      expect([kind, model, requests]).toEqual([kind, model, [...requests].sort((a, b) => a - b)]);
    }
  }
});

test("MiniMax-M2's memory is what its guide says: some 400k tokens on 4 x 96 GB, some 3M on 8 x 144 GB", () => {
  const tokens = (gpus: string): number => {
    const [room = ""] = findRecipe({ kind: "sglang", gpus }).notes;
    return Number(/a token ([\d,]+) tokens/.exec(room)?.[1]?.replaceAll(",", ""));
  };
  expect(tokens("4")).toBe(443_333);
  expect(tokens("8")).toBe(3_163_333);
  const words = commandWords(findRecipe({ kind: "sglang", gpus: "8" }).launch).join(" ");
  expect(words).toContain(
    "--tp-size 8 --ep-size 8 --tool-call-parser minimax-m2 --reasoning-parser minimax-append-think",
  );
  expect(policyForm(findRecipe({ kind: "sglang" }))).toContain("defaults: { temperature: 1, top_p: 0.95, top_k: 40 }");
});

test("the command is a script that a shell reads", () => {
  const all = recipes.map((recipe) => `(\n${commandForm(recipe)}\n)`).join("\n");
  const { status, stderr } = spawnSync("sh", ["-n"], { input: all, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
});

describe("docs/engines.md", () => {
  const page = readFileSync(new URL("../../../../docs/engines.md", import.meta.url), "utf8");

  test("has the table and the recipe that `pnpm recipes` writes", () => {
    expect(withRecipes(page)).toBe(page);
  });

  test("reckons the memory of MiniMax-M2 as the recipes do", () => {
    for (const gpus of [4, 8]) {
      const at = scenarios.map((scenario) => recipeKinds.sglang.recipe({ model: "minimax-m2", scenario, gpus }));
      const [room = ""] = at[0]!.notes;
      const tokens = /[\d,]+ tokens/.exec(room.slice(room.indexOf("a token")))?.[0];
      const requests = at.map(({ backend }) => backend.max_concurrent).join(" / ");
      expect(page).toMatch(new RegExp(`^\\| ${gpus} of .*: ${tokens} \\| ${requests} \\|$`, "m"));
    }
  });
});

describe("deploy/engines", () => {
  const folder = fileURLToPath(new URL("../../../../deploy/engines/", import.meta.url));
  const files = deployFiles();

  test("is what `pnpm recipes` writes, and nothing else", () => {
    const there = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));
    expect(there.sort()).toEqual([...files.keys()].sort());
    for (const [path, text] of files) expect(readFileSync(join(folder, path), "utf8"), path).toBe(text);
  });

  test("has policies that load beside its scripts and in its comments", async () => {
    for (const [path, text] of files) {
      if (path.endsWith("signalbox.yaml")) expect([path, await wrongWith(text)]).toEqual([path, []]);
      for (const policy of commented(text)) expect([path, await wrongWith(policy)]).toEqual([path, []]);
    }
  });

  test("has one compose file with a profile for every image", () => {
    const { services } = parse(files.get("compose.yaml")!);
    const profiles = new Set(Object.values<{ profiles: string[] }>(services).flatMap((service) => service.profiles));
    const withImage = [...files.keys()].filter((path) => path.endsWith("kubernetes.yaml"));
    expect([...profiles].sort()).toEqual(withImage.map((path) => path.split("/")[0]).sort());
  });
});
