/** The names of the dialects, as a config gives them. */
export const dialectNames = [
  "auto",
  "minimax_m2",
  "minimax_m3",
  "minimax",
  "hermes",
  "qwen3_coder",
  "glm45",
  "glm47",
  "llama3_json",
  "llama4_pythonic",
  "pythonic",
  "mistral",
  "deepseek_v3",
  "deepseek_v31",
  "deepseek_v32",
  "kimi_k2",
  "openai",
  "phi4_mini_json",
  "phi4",
  "granite",
] as const;

/** The dialect of this name; undefined when there is none. */
export function findDialect(name: string): string | undefined {
  return dialectNames.find((each) => each === name);
}
