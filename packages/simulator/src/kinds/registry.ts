import type { SimulatedKind } from "../kind.ts";
import { foundryLocal } from "./foundry-local.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { ollama } from "./ollama.ts";
import { openai } from "./openai.ts";
import { sglang } from "./sglang.ts";
import { vllm } from "./vllm.ts";

/** Every kind that can be simulated. */
export const simulatedKinds = {
  sglang,
  vllm,
  ollama,
  foundry_local: foundryLocal,
  llama_cpp: llamaCpp,
  openai,
} satisfies Record<string, SimulatedKind>;
export type KindName = keyof typeof simulatedKinds;
