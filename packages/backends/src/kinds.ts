import { foundryLocal } from "./foundry-local.ts";
import type { BackendKind } from "./kind.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { ollama } from "./ollama.ts";
import { openai } from "./openai.ts";
import { sglang } from "./sglang.ts";
import { vllm } from "./vllm.ts";

/** Every kind of backend, by its name in the config. `openai` recognises whatever speaks OpenAI, so it comes last. */
export const kinds = {
  sglang,
  vllm,
  ollama,
  foundry_local: foundryLocal,
  llama_cpp: llamaCpp,
  openai,
} as const satisfies Record<string, BackendKind>;

export type BackendKindName = keyof typeof kinds;

/** The names of `kinds`, in its order. */
export const backendKindNames = Object.keys(kinds) as [BackendKindName, ...BackendKindName[]];
