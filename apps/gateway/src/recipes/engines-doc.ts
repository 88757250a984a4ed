import { kinds } from "@signalbox/backends";
import { commandForm } from "./command-form.ts";
import { findRecipe } from "./find-recipe.ts";
import { policyOf } from "./policy-form.ts";
import type { RecipeKind } from "./recipe.ts";
import { type RecipeKindName, recipeKinds } from "./recipe-kinds.ts";

const BEGIN = "<!-- written by `pnpm recipes` -->\n";
const END = "<!-- until here -->\n";

/**
 * The page with its table of recipes, and one of them in full, as they are now.
 * @throws Error when it has no place for them.
 */
export function withRecipes(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`docs/engines.md has no «${BEGIN.trim()}» with «${END.trim()}» after it`);
  return `${page.slice(0, begin + BEGIN.length)}\n${recipeTable()}\n\n${oneInFull()}\n\n${page.slice(end)}`;
}

function oneInFull(): string {
  const recipe = findRecipe({ kind: "vllm", model: "qwen2.5-coder-7b", scenario: "balanced" });
  return [
    "`signalbox recipe vllm --model qwen2.5-coder-7b` prints this script, and then this policy:",
    fence("text", commandForm(recipe)),
    fence("yaml", policyOf(recipe)),
  ].join("\n\n");
}

const fence = (language: string, text: string): string => `\`\`\`${language}\n${text}\`\`\``;

function recipeTable(): string {
  const rows = Object.entries(recipeKinds).map(([name, kind]: [string, RecipeKind]) => {
    const models = Object.keys(kind.models).map((model) => `${code(model)} (${gpusOf(kind, model)})`);
    const title = kinds[name as RecipeKindName].title;
    return [code(name), title, models.join(", "), kind.scenarios.map(code).join(", "), kind.checked];
  });
  const head = ["kind", "engine", "models (on GPUs; 0 = a processor)", "scenarios", "flags checked against"];
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const code = (word: string): string => `\`${word}\``;
const gpusOf = (kind: RecipeKind, model: string): string => kind.gpusOf(model).join(" or ");
