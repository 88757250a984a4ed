import { Document, isCollection } from "yaml";
import { nameOf, type Recipe } from "./recipe.ts";

/** Where the engine is: `http://127.0.0.1:8000` unless the form that the policy goes with has it elsewhere. */
export function addressOf({ launch: { port } }: Recipe, host = "127.0.0.1"): string {
  return `http://${host}:${port}`;
}

/** What is said of a recipe at the head of every form: its title, and a line for each note. */
export function headOf({ title, choice, notes }: Recipe): string[] {
  return [`${title}, ${choice.scenario}.`, ...notes].map((line) => `# ${line}`);
}

/** A whole policy file for the engine that a recipe launches, which `signalbox check` loads. */
export function policyForm(recipe: Recipe, address = addressOf(recipe)): string {
  return `${headOf(recipe).join("\n")}\n${policyOf(recipe, address)}`;
}

/** The same in comments, as it stands in the other forms: what is said of it, then the file, three spaces further in. */
export function policyComment(recipe: Recipe, address: string): string[] {
  const lines = policyOf(recipe, address).trimEnd().split("\n");
  return [...headOf(recipe), "# The policy for it:", ...lines.map((line) => `#   ${line}`)];
}

/** The policy without comments: backend, model, what `auto` means, one test. */
export function policyOf(recipe: Recipe, address = addressOf(recipe)): string {
  const { kind, backend, model } = recipe;
  const { url = address, ...settings } = backend;
  const backendName = nameOf(recipe);
  const { name, upstream, dialect, reasoning_first, context, tools, defaults } = model;
  const document = new Document({
    version: 1,
    backends: { [backendName]: { kind, url, ...settings } },
    models: {
      [name]: {
        on: [
          { backend: backendName, model: upstream, dialect, ...(reasoning_first !== undefined && { reasoning_first }) },
        ],
        ...(upstream !== name && { aliases: [upstream] }),
        ...(context !== undefined && { context }),
        tools,
        ...(defaults !== undefined && { defaults }),
      },
    },
    routing: [{ use: name }],
    tests: [
      {
        name: "clients reach it by the engine's own name for it",
        request: { model: upstream, prompt: "hi" },
        expect: { model: name },
      },
    ],
  });
  for (const path of [
    ["backends", backendName, "timeouts"],
    ["models", name, "defaults"],
    ["routing", 0],
    ["tests", 0, "request"],
    ["tests", 0, "expect"],
  ]) {
    const node = document.getIn(path, true);
    if (isCollection(node)) node.flow = true;
  }
  return document.toString({ lineWidth: 0 });
}
