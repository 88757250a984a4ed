export { comparisons, complexities } from "../../../../packages/router/src/policy.ts";
export const backendKindNames = ["sglang", "vllm", "ollama", "foundry_local", "llama_cpp", "openai"] as const;
export const strategyNames = ["round_robin", "least_busy", "two_choices", "weighted", "ordered"] as const;
export const kinds: Record<string, { concurrent: boolean; discover?: unknown }> = {
  sglang: { concurrent: true },
  vllm: { concurrent: true },
  ollama: { concurrent: true },
  foundry_local: { concurrent: false, discover: 1 },
  llama_cpp: { concurrent: true },
  openai: { concurrent: true },
};
