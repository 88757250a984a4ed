/** Tokens of one reply. */
export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Of the prompt's tokens those that the engine had from its cache; undefined = it does not say. */
  readonly cachedTokens?: number | undefined;
  /** Of the reply's tokens those of its reasoning; undefined = the engine does not say. */
  readonly reasoningTokens?: number | undefined;
}

/** Reads an OpenAI `usage` object; undefined when it is missing, null or not numbers. */
export function readUsage(value: unknown): Usage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const usage = value as Record<string, unknown>;
  const promptTokens = countIn(usage, "prompt_tokens");
  if (promptTokens === undefined) return undefined;
  return {
    promptTokens,
    completionTokens: countIn(usage, "completion_tokens") ?? 0,
    cachedTokens: countIn(usage.prompt_tokens_details, "cached_tokens"),
    // SGLang has it at the top.
    reasoningTokens: countIn(usage.completion_tokens_details, "reasoning_tokens") ?? countIn(usage, "reasoning_tokens"),
  };
}

function countIn(object: unknown, name: string): number | undefined {
  if (typeof object !== "object" || object === null) return undefined;
  const value = (object as Record<string, unknown>)[name];
  return typeof value === "number" && value >= 0 ? value : undefined;
}
