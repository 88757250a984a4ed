import { commandForm } from "./command-form.ts";
import { composeForm } from "./compose-form.ts";
import { findRecipe, type Wanted } from "./find-recipe.ts";
import { kubernetesForm } from "./kubernetes-form.ts";
import { policyForm } from "./policy-form.ts";
import { nameOf, type Recipe } from "./recipe.ts";

/** What deploy/engines has ready; `signalbox recipe` prints all others. */
const shown: readonly Wanted[] = [
  { kind: "sglang", gpus: "4" },
  { kind: "sglang", gpus: "8" },
  { kind: "vllm", model: "minimax-m2", gpus: "4" },
  { kind: "vllm", model: "minimax-m2", gpus: "8" },
  { kind: "vllm", model: "phi-3.5-mini", scenario: "light" },
  { kind: "vllm", model: "phi-3.5-mini", scenario: "balanced" },
  { kind: "vllm", model: "phi-3.5-mini", scenario: "heavy" },
  { kind: "vllm", model: "qwen2.5-coder-7b" },
  { kind: "ollama", model: "qwen2.5-0.5b" },
  { kind: "ollama", model: "phi-4-mini" },
  { kind: "foundry_local", model: "phi-4-mini" },
  { kind: "foundry_local", model: "qwen2.5-0.5b" },
  { kind: "llama_cpp", model: "qwen2.5-0.5b", scenario: "light" },
  { kind: "llama_cpp", model: "qwen2.5-coder-7b" },
];

/** The files of deploy/engines, by their paths in it. */
export function deployFiles(): Map<string, string> {
  const recipes = shown.map(findRecipe);
  const contained = recipes.filter(({ launch }) => launch.container !== undefined);
  return new Map([
    ["README.md", readme(recipes)],
    ["compose.yaml", composeForm(contained)],
    ...recipes.flatMap((recipe): [string, string][] => {
      const folder = nameOf(recipe);
      return [
        [`${folder}/launch.sh`, commandForm(recipe)],
        [`${folder}/signalbox.yaml`, policyForm(recipe)],
        ...(recipe.launch.container === undefined
          ? []
          : [[`${folder}/kubernetes.yaml`, kubernetesForm(recipe)] satisfies [string, string]]),
      ];
    }),
  ]);
}

function readme(recipes: readonly Recipe[]): string {
  return `# Engines

Launch recipes, written by \`pnpm recipes\` from the tables in \`apps/gateway/src/recipes\`; \`pnpm signalbox recipe --list\` shows
all that there are. What they rest on is in [docs/engines.md](../../docs/engines.md#launch-one).

${recipeTable(recipes)}

Each folder has \`launch.sh\` for a host, \`signalbox.yaml\`, the policy for the gateway beside it, and, where there is an image,
\`kubernetes.yaml\`. [compose.yaml](compose.yaml) has a profile of the same name:

\`\`\`sh
sh deploy/engines/llama-cpp-qwen2-5-0-5b-light/launch.sh
docker compose --file deploy/engines/compose.yaml --profile vllm-phi-3-5-mini-light up --detach
kubectl apply --filename deploy/engines/sglang-minimax-m2-4gpu-balanced/kubernetes.yaml
\`\`\`
`;
}

/** A row for each recipe: what it is, requests at once, tokens of each. */
function recipeTable(recipes: readonly Recipe[]): string {
  const rows = recipes.map((recipe) => {
    const { title, choice, backend, model } = recipe;
    const context = model.context === undefined ? "as the model has" : model.context.toLocaleString("en");
    return [`[${nameOf(recipe)}](${nameOf(recipe)}/)`, title, choice.scenario, String(backend.max_concurrent), context];
  });
  const head = ["recipe", "what", "scenario", "requests at once", "tokens of a request, at most"];
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
