import { kinds } from "@signalbox/backends";
import { expect, test } from "vitest";
import { findRecipe } from "../recipes/find-recipe.ts";
import { policyOf } from "../recipes/policy-form.ts";
import { recipeKinds } from "../recipes/recipe-kinds.ts";
import { startTestGateway } from "./test-gateway.ts";

const kindNames = Object.keys(recipeKinds) as (keyof typeof recipeKinds)[];

test.each(kindNames)(
  "the policy that is printed for %s serves its model, with its sampling, as it stands",
  async (kind) => {
    const recipe = findRecipe({ kind });
    const { upstream, name, defaults = {} } = recipe.model;
    const gateway = await startTestGateway({
      engines: { engine: { kind, models: [upstream] } },
      // Foundry Local is not asked for its address here.
      yaml: ({ engine }) => policyOf(recipe, engine).replace("url: auto", `url: ${engine}`),
    });
    try {
      for (const model of [name, upstream, "auto"]) {
        const body = { model, messages: [{ role: "user", content: "hi" }], stream: model === "auto" };
        const response = await gateway.post("/v1/chat/completions", body);
        expect([model, response.status, (await response.text()).length > 0]).toEqual([model, 200, true]);
      }
      const { body } = gateway.engines.engine.log.findLast(({ path }) => path.endsWith("/chat/completions"))!;
      const sent = JSON.parse(body!.toString()) as Record<string, unknown>;
      // Foundry Local knows a loaded model by its id alone: `phi-4-mini-generic-cpu:3`.
      expect(sent.model).toEqual(kind === "foundry_local" ? expect.stringMatching(`^${upstream}-`) : upstream);
      const { top_k, ...common } = defaults;
      expect(sent).toMatchObject(common);
      expect(sent.top_k).toBe("top_k" in kinds[kind].sampling ? top_k : undefined);
    } finally {
      await gateway.close();
    }
  },
);
