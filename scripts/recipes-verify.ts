import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { textTable } from "../apps/gateway/src/cli/text-table.ts";
import { findRecipe } from "../apps/gateway/src/recipes/find-recipe.ts";
import { llamaCpp } from "./engines/llama-cpp.ts";
import { vllm } from "./engines/vllm.ts";
import { type Row, verifyRecipes } from "./recipes-verify/verify-recipes.ts";

const { values } = parseArgs({
  options: { json: { type: "string" } },
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
});
const rows = await verifyRecipes({
  llama_cpp: {
    engine: llamaCpp,
    recipes: ["light", "balanced"].map((scenario) => findRecipe({ kind: "llama_cpp", scenario })),
  },
  vllm: { engine: vllm, recipes: [findRecipe({ kind: "vllm", model: "qwen2.5-0.5b", scenario: "light" })] },
});
const cells = rows.map(({ recipe, what, outcome, ms, detail }) => [recipe, what, outcome, `${ms} ms`, detail]);
console.log(textTable([["RECIPE", "WHAT", "OUTCOME", "TOOK", ""], ...cells]).join("\n"));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ rows }, null, 2)}\n`);
const count = (outcome: Row["outcome"]): number => rows.filter((row) => row.outcome === outcome).length;
console.log(`${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
process.exitCode = count("failed") > 0 ? 1 : 0;
