import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findFreePort } from "../../apps/gateway/src/demo/free-port.ts";
import { choicesOf } from "../../apps/gateway/src/recipes/find-recipe.ts";
import { nameOf, type Recipe, type RecipeKind } from "../../apps/gateway/src/recipes/recipe.ts";
import { type RecipeKindName, recipeKinds } from "../../apps/gateway/src/recipes/recipe-kinds.ts";
import { enginesFolder, type RealEngine } from "../engines/real-engine.ts";
import { askRecipe } from "./ask-recipe.ts";
import { launchEngine } from "./launched-engine.ts";
import { unknownFlags } from "./unknown-flags.ts";

/** What came of one thing that a recipe was held to. */
export interface Row {
  readonly recipe: string;
  readonly what: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly ms: number;
  readonly detail: string;
}

/** Engines that run on a machine without a GPU, and the recipes that are launched with them. */
export type RealEngines = Partial<Record<RecipeKindName, { engine: RealEngine; recipes: readonly Recipe[] }>>;

/** Holds every kind's recipes to its real engine, one after the other; a kind without one is a row that says so. */
export async function verifyRecipes(real: RealEngines): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of Object.keys(recipeKinds) as RecipeKindName[]) rows.push(...(await verifyKind(kind, real[kind])));
  return rows;
}

async function verifyKind(kind: RecipeKindName, known: RealEngines[RecipeKindName]): Promise<Row[]> {
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
