import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs, promisify } from "node:util";
import { textTable } from "../apps/gateway/src/cli/text-table.ts";
import { findFreePort } from "../apps/gateway/src/demo/free-port.ts";
import { choicesOf, findRecipe } from "../apps/gateway/src/recipes/find-recipe.ts";
import { nameOf, type Recipe, type RecipeKind } from "../apps/gateway/src/recipes/recipe.ts";
import { type RecipeKindName, recipeKinds } from "../apps/gateway/src/recipes/recipe-kinds.ts";
import { llamaCpp } from "./engines/llama-cpp.ts";
import { enginesFolder, type RealEngine } from "./engines/real-engine.ts";
import { vllm } from "./engines/vllm.ts";
import { askRecipe } from "./recipes-verify/ask-recipe.ts";
import { launchEngine } from "./recipes-verify/launched-engine.ts";
import { unknownFlags } from "./recipes-verify/unknown-flags.ts";

interface Row {
  readonly recipe: string;
  readonly what: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly ms: number;
  readonly detail: string;
}

/** Engines that run on a machine without a GPU, and the recipes that are launched with them. */
const real: Partial<Record<RecipeKindName, { engine: RealEngine; recipes: readonly Recipe[] }>> = {
  llama_cpp: {
    engine: llamaCpp,
    recipes: ["light", "balanced"].map((scenario) => findRecipe({ kind: "llama_cpp", scenario })),
  },
  vllm: { engine: vllm, recipes: [findRecipe({ kind: "vllm", model: "qwen2.5-0.5b", scenario: "light" })] },
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { json: { type: "string" } },
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
  });
  const rows: Row[] = [];
  for (const kind of Object.keys(recipeKinds) as RecipeKindName[]) rows.push(...(await verifyKind(kind)));
  const cells = rows.map(({ recipe, what, outcome, ms, detail }) => [recipe, what, outcome, `${ms} ms`, detail]);
  console.log(textTable([["RECIPE", "WHAT", "OUTCOME", "TOOK", ""], ...cells]).join("\n"));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 2)}\n`);
  const count = (outcome: Row["outcome"]): number => rows.filter((row) => row.outcome === outcome).length;
  console.log(`${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
  return count("failed") > 0 ? 1 : 0;
}

async function verifyKind(kind: RecipeKindName): Promise<Row[]> {
  const known = real[kind];
  const skipped = (detail: string): Row[] => [{ recipe: kind, what: "all", outcome: "skipped", ms: 0, detail }];
  if (known === undefined) return skipped("`pnpm engines` has no engine of this kind");
  if (!(await known.engine.installed()))
    return skipped(`not installed in ${enginesFolder}: pnpm engines ${kind} install (${known.engine.cost})`);
  const rows = [await verifyFlags(kind, known.engine)];
  for (const recipe of known.recipes) rows.push(...(await verifyLaunch(recipe, known.engine)));
  return rows;
}

async function verifyFlags(kind: RecipeKindName, { standIn }: RealEngine): Promise<Row> {
  const began = performance.now();
  const table: RecipeKind = recipeKinds[kind];
  const recipes = choicesOf(table).map(table.recipe);
  const [file = "", ...args] = standIn.help;
  const env = { ...process.env, ...standIn.environment };
  const { stdout } = await promisify(execFile)(file, args, { maxBuffer: 2 ** 24, env });
  const unknown = unknownFlags(stdout, recipes);
  const flags = new Set(recipes.flatMap(({ launch }) => launch.flags.map(([name]) => name)));
  return {
    recipe: kind,
    what: "flags",
    outcome: unknown.length === 0 ? "passed" : "failed",
    ms: Math.round(performance.now() - began),
    detail:
      unknown.length === 0
        ? `its --help names all ${flags.size} of ${recipes.length} recipes`
        : `not in its --help: ${unknown.join(", ")}`,
  };
}

async function verifyLaunch(recipe: Recipe, { standIn }: RealEngine): Promise<Row[]> {
  const name = nameOf(recipe);
  const began = performance.now();
  const row = (what: string, ms: number, wrong: string | undefined): Row => {
    return { recipe: name, what, outcome: wrong === undefined ? "passed" : "failed", ms, detail: wrong ?? "" };
  };
  try {
    const { port } = await findFreePort(0);
    const engine = await launchEngine(recipe, standIn, port);
    const launched = row("launch", Math.round(performance.now() - began), undefined);
    try {
      const asked = await askRecipe(recipe, engine.address);
      return [launched, ...asked.map(({ what, ms, wrong }) => row(what, ms, wrong))];
    } finally {
      await engine.stop();
    }
  } catch (error) {
    return [row("launch", Math.round(performance.now() - began), (error as Error).message)];
  }
}

process.exitCode = await main();
