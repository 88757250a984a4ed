import { kinds } from "@signalbox/backends";
import type { RecipeKind } from "./recipe.ts";
import { type RecipeKindName, recipeKinds } from "./recipe-kinds.ts";

const BEGIN = "<!-- written by `pnpm recipes` -->\n";
const END = "<!-- until here -->\n";

/**
 * The page with its table of recipes as it is now.
 * @throws Error when it has no place for the table.
 */
export function withRecipeTable(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`docs/engines.md has no «${BEGIN.trim()}» with «${END.trim()}» after it`);
  return `${page.slice(0, begin + BEGIN.length)}\n${recipeTable()}\n\n${page.slice(end)}`;
}

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
