import { parseArgs } from "node:util";
import { kinds } from "@signalbox/backends";
import { didYouMean } from "../config/suggest.ts";
import { commandForm } from "../recipes/command-form.ts";
import { composeForm } from "../recipes/compose-form.ts";
import { defaultScenario, findRecipe, type Wanted } from "../recipes/find-recipe.ts";
import { kubernetesForm } from "../recipes/kubernetes-form.ts";
import { policyForm, policyOf } from "../recipes/policy-form.ts";
import type { Recipe, RecipeKind } from "../recipes/recipe.ts";
import { recipeKinds } from "../recipes/recipe-kinds.ts";
import { type Command, type Flags, UsageError } from "./command.ts";
import { textTable } from "./text-table.ts";

/** What a recipe can be printed as. */
const forms = {
  command: commandForm,
  compose: (recipe: Recipe) => composeForm([recipe]),
  kubernetes: kubernetesForm,
  backends: (recipe: Recipe) => policyForm(recipe),
} satisfies Record<string, (recipe: Recipe) => string>;

const flags = {
  scenario: {
    type: "string",
    value: "NAME",
    meaning: "How much is expected of it: `light`, `balanced` or `heavy`; `balanced` unless given.",
  },
  model: { type: "string", value: "NAME", meaning: "A model that the list names, by any of its names." },
  gpus: { type: "string", value: "N", meaning: "On how many GPUs; 0 is a processor alone." },
  form: {
    type: "string",
    value: "FORM",
    meaning:
      "Prints one thing alone: `command` is a shell script, `backends` a policy file, `compose` and `kubernetes` have the policy in comments.",
  },
  list: { type: "boolean", default: false, meaning: "Lists every recipe." },
} as const satisfies Flags;

/** `signalbox recipe`: how to launch an engine, and the policy that goes with it. */
export const recipe: Command = {
  summary: "print how to launch an engine, and the policy for it",
  usage:
    "recipe KIND [--scenario NAME] [--model NAME] [--gpus N] [--form FORM]   (default: the command, then the policy)\nrecipe --list",
  flags,
  exits: { 0: "printed", 1: "there is no such recipe: what there is stands beside it" },
  async run(args) {
    const { values, positionals } = parseArgs({ args, allowPositionals: true, options: flags });
    const [kind, ...more] = positionals;
    if (values.list) {
      console.log(listRecipes().join("\n"));
      return 0;
    }
    if (kind === undefined || more.length > 0) throw new UsageError("recipe takes one kind; --list shows them");
    process.stdout.write(print({ ...values, kind }, values.form));
    return 0;
  },
};

function print(wanted: Wanted, form: string | undefined): string {
  if (form === undefined) {
    const found = findRecipe(wanted);
    return `${commandForm(found)}\n# The policy for it, signalbox.yaml:\n${policyOf(found)}`;
  }
  if (!Object.hasOwn(forms, form)) {
    const names = Object.keys(forms);
    throw new UsageError(`there is no form «${form}»${didYouMean(form, names)} (there are: ${names.join(", ")})`);
  }
  return forms[form as keyof typeof forms](findRecipe(wanted));
}

function listRecipes(): string[] {
  const rows = Object.entries(recipeKinds).flatMap(([name, kind]: [string, RecipeKind]) =>
    Object.entries(kind.models).map(([model, others]) => [
      name,
      kinds[name as keyof typeof recipeKinds].title,
      model,
      others.join(", ") || "-",
      kind.gpusOf(model).join(", "),
      kind.scenarios.map((each) => (each === defaultScenario(kind) ? `${each}*` : each)).join(", "),
    ]),
  );
  return textTable([["KIND", "ENGINE", "MODEL", "ALSO", "GPUS", "SCENARIOS"], ...rows]);
}
