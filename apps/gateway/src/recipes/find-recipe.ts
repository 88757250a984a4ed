import { didYouMean } from "../config/suggest.ts";
import type { Choice, Recipe, RecipeKind, Scenario } from "./recipe.ts";
import { type RecipeKindName, recipeKinds } from "./recipe-kinds.ts";

/** What was asked for, as it stands on a command line. */
export interface Wanted {
  readonly kind: string;
  readonly model?: string | undefined;
  readonly scenario?: string | undefined;
  readonly gpus?: string | undefined;
}

/**
 * The recipe that was asked for; what is not said is the kind's default.
 * @throws Error that says what there is, and the likely word.
 */
export function findRecipe({ kind, model, scenario, gpus }: Wanted): Recipe {
  const name = pick(kind, Object.keys(recipeKinds), "there is no recipe for");
  const found: RecipeKind = recipeKinds[name as RecipeKindName];
  const chosen = pickModel(name, found, model);
  return found.recipe({
    model: chosen,
    scenario: pickScenario(name, found, scenario),
    gpus: pickGpus(name, chosen, found.gpusOf(chosen), gpus),
  });
}

/** Every choice that a kind has, in the order of its tables. */
export function choicesOf({ models, scenarios, gpusOf }: RecipeKind): Choice[] {
  return Object.keys(models).flatMap((model) =>
    gpusOf(model).flatMap((gpus) => scenarios.map((scenario) => ({ model, scenario, gpus }))),
  );
}

/** What a kind takes unless it is told. */
export function defaultScenario({ scenarios }: RecipeKind): Scenario {
  return scenarios.includes("balanced") ? "balanced" : scenarios[0]!;
}

function pick(word: string, allowed: readonly string[], what: string): string {
  if (allowed.includes(word)) return word;
  throw new Error(`${what} «${word}»${didYouMean(word, allowed)} (there are: ${allowed.join(", ")})`);
}

function pickModel(kind: string, { models }: RecipeKind, wanted: string | undefined): string {
  const names = Object.keys(models);
  if (wanted === undefined) return names[0]!;
  const same = (name: string): boolean => name.toLowerCase() === wanted.toLowerCase();
  const found = names.find((name) => same(name) || models[name]!.some(same));
  return found ?? pick(wanted, names, `${kind}: there is no recipe for the model`);
}

function pickScenario(kind: string, found: RecipeKind, wanted: string | undefined): Scenario {
  if (wanted === undefined) return defaultScenario(found);
  return pick(wanted, found.scenarios, `${kind}: there is no scenario`) as Scenario;
}

function pickGpus(kind: string, model: string, allowed: readonly number[], wanted: string | undefined): number {
  if (wanted === undefined) return allowed[0]!;
  const found = allowed.find((count) => String(count) === wanted);
  if (found !== undefined) return found;
  throw new Error(`${kind}: there is no recipe for ${model} on ${wanted} GPUs (there are: ${allowed.join(", ")})`);
}
