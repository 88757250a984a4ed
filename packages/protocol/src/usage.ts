/** Tokens of one reply. */
export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Reads an OpenAI `usage` object; undefined when it is missing, null or not numbers. */
export function readUsage(value: unknown): Usage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { prompt_tokens, completion_tokens } = value as { prompt_tokens?: unknown; completion_tokens?: unknown };
  if (typeof prompt_tokens !== "number" || !(prompt_tokens >= 0)) return undefined;
  return {
    promptTokens: prompt_tokens,
    completionTokens: typeof completion_tokens === "number" && completion_tokens >= 0 ? completion_tokens : 0,
  };
}
