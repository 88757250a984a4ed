import type { RequestEdits, RequestView } from "./kind.ts";

/**
 * The edits for an engine that reads a chat's limit only as `max_tokens`: moves `max_completion_tokens` there, unless
 * `max_tokens` is given too.
 */
export function limitAsMaxTokens({ endpoint, body }: RequestView): RequestEdits {
  const limit = body.max_completion_tokens;
  if (endpoint !== "chat_completions" || typeof limit !== "number" || !Number.isSafeInteger(limit)) return {};
  if (body.max_tokens !== undefined && body.max_tokens !== null) return {};
  return { max_tokens: String(limit), max_completion_tokens: undefined };
}
