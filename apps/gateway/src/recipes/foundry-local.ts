import type { Choice, Recipe, RecipeKind } from "./recipe.ts";

/** Catalogue aliases, with whether the model is shown tools. */
const catalogue: Readonly<Record<string, { title: string; tools: boolean; dialect: string }>> = {
  "phi-4-mini": { title: "Phi-4-mini", tools: true, dialect: "auto" },
  "qwen2.5-0.5b": { title: "Qwen2.5 0.5B", tools: true, dialect: "hermes" },
  "qwen2.5-coder-0.5b": { title: "Qwen2.5-Coder 0.5B", tools: true, dialect: "hermes" },
  "phi-4": { title: "Phi-4", tools: false, dialect: "auto" },
};

/** Models of Foundry Local's catalogue, on the device where the gateway runs. */
export const foundryLocal: RecipeKind = {
  checked: "the command line of Foundry Local 0.8 to 0.10, its reference",
  models: Object.fromEntries(Object.keys(catalogue).map((name) => [name, []])),
  scenarios: ["light"],
  gpusOf: () => [0],
  recipe,
};

function recipe(choice: Choice): Recipe {
  const { model } = choice;
  const { title, tools, dialect } = catalogue[model]!;
  return {
    kind: "foundry_local",
    choice,
    title: `${title} on Foundry Local`,
    notes: [
      "The port changes at every start: with `url: auto` the gateway, on the same host, asks `foundry service status` for it.",
      "It takes the variant that fits the device: GPU, NPU or processor. One request at a time is worked on: max_concurrent is 1.",
      `\`foundry model run ${model}\` loads the model too, and opens a chat. What context it has tells \`foundry model info ${model}\`: give it as \`context\`.`,
    ],
    launch: {
      environment: {},
      before: [
        "# Up to 0.9 it is a service, from 0.10 on a server.",
        "foundry service start || foundry server start",
        `foundry model download ${model}`,
        `foundry model load ${model}`,
      ],
      flags: [],
    },
    backend: { url: "auto", max_concurrent: 1, timeouts: { cold_start: "5m" } },
    model: { name: model, upstream: model, dialect, tools },
  };
}
