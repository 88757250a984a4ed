import { expect, test } from "vitest";
import { findRecipe } from "../../apps/gateway/src/recipes/find-recipe.ts";
import { recipeKinds } from "../../apps/gateway/src/recipes/recipe-kinds.ts";
import { llamaCpp } from "../engines/llama-cpp.ts";
import { wordsHere } from "./launched-engine.ts";
import { unknownFlags } from "./unknown-flags.ts";
import { verifyRecipes } from "./verify-recipes.ts";

const recipe = findRecipe({ kind: "vllm", model: "qwen2.5-0.5b", scenario: "light" });

const help = `
usage: [-h] [--max-model-len N] [--host HOST] [--port-range A-B]
  --gpu-memory-utilization G, --device-memory-utilization G
  --max-num-seqs N
  --enable-auto-tool-choice, --no-enable-auto-tool-choice
  --tool-call-parser {granite,llama3_json} or name registered in --tool-parser-plugin
`;

test("a flag that the help does not name is found, and a value that it does not list", () => {
  expect(unknownFlags(help, [recipe])).toEqual(["--tool-call-parser hermes", "--port"]);
  const whole = help.replace("--port-range", "--port").replace("{granite", "{granite,hermes");
  expect(unknownFlags(whole, [recipe])).toEqual([]);
});

test("a recipe is launched to the letter but for the program, the weights and the port", () => {
  const words = wordsHere(findRecipe({ kind: "llama_cpp", scenario: "light" }), llamaCpp.standIn, 1234);
  expect(words[0]).toMatch(/\/llama-server$/);
  expect(words.slice(1, 3)).toEqual(["--model", expect.stringMatching(/\.gguf$/)]);
  expect(words.slice(3, 15).join(" ")).toBe(
    "--alias qwen2.5-0.5b --jinja --parallel 1 --ctx-size 4096 --metrics --host 127.0.0.1 --port 1234",
  );
});

test("what is not installed is named as skipped", async () => {
  const engine = { ...llamaCpp, installed: async () => false };
  const rows = await verifyRecipes({ llama_cpp: { engine, recipes: [] } });
  expect(rows.map(({ recipe, outcome }) => [recipe, outcome])).toEqual(
    Object.keys(recipeKinds).map((kind) => [kind, "skipped"]),
  );
  expect(rows.at(-1)?.detail).toMatch(/^not installed in .*: pnpm engines llama_cpp install \(8 to 15 minutes/);
  expect(rows.at(0)?.detail).toBe("`pnpm engines` has no engine of this kind");
});
