import type { BackendKindName } from "@signalbox/backends";
import { foundryLocal } from "./foundry-local.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { ollama } from "./ollama.ts";
import type { RecipeKind } from "./recipe.ts";
import { sglang } from "./sglang.ts";
import { vllm } from "./vllm.ts";

/** Every kind of engine that can be launched, by the name of its backends. Who runs an `openai` server knows how. */
export const recipeKinds = {
  sglang,
  vllm,
  ollama,
  foundry_local: foundryLocal,
  llama_cpp: llamaCpp,
} as const satisfies Partial<Record<BackendKindName, RecipeKind>>;

export type RecipeKindName = keyof typeof recipeKinds;
