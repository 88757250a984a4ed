/** How deep texts may lie in lists and objects: `reasoning: {summary: [{text}]}` is the deepest seen. */
const maxDepth = 4;

const textFields = ["text", "content", "summary"] as const;

/** The text of a string, of an object that has one, or of a list of these. */
function textOf(value: unknown, depth = 0): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || depth === maxDepth) return "";
  if (Array.isArray(value)) {
    let text = "";
    for (const part of value as unknown[]) text += textOf(part, depth + 1);
    return text;
  }
  for (const field of textFields) {
    const text = textOf((value as Record<string, unknown>)[field], depth + 1);
    if (text !== "") return text;
  }
  return "";
}

interface ReasoningFields {
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
  readonly reasoning_details?: unknown;
}

function fieldsOf(part: unknown): ReasoningFields {
  return typeof part === "object" && part !== null ? part : {};
}

/** The plain fields are two names of one thing; should they ever differ, nothing is lost. */
function plainReasoning({ reasoning_content, reasoning }: ReasoningFields): string {
  const first = textOf(reasoning_content);
  const second = textOf(reasoning);
  return first === second ? first : first + second;
}

/**
 * The reasoning of a whole message, under any of the names that engines give it: `reasoning_content` (SGLang, llama.cpp),
 * `reasoning` (vLLM, Ollama), `reasoning_details` (MiniMax, OpenRouter). Empty when there is none.
 * The details are read only where the plain fields are empty: they are the same text in parts.
 */
export function reasoningOf(message: unknown): string {
  const fields = fieldsOf(message);
  return plainReasoning(fields) || textOf(fields.reasoning_details);
}

/** The reasoning of one streamed choice. */
export interface ReasoningDetails {
  /** What the next delta adds to the reasoning, under any of its names; empty when it adds nothing. */
  next(delta: unknown): string;
}

/** Up to this length, in code units, a text that comes twice is a token that the model repeated and not all text so far. */
const maxRepeatedToken = 8;

/**
 * Reads the reasoning of a stream whose `reasoning_details` hold either what is new or all text so far; which of both it is
 * shows as soon as one does not begin with the one before.
 */
export function createReasoningDetails(): ReasoningDetails {
  let isPlain = false;
  let kind: "unknown" | "cumulative" | "incremental" = "unknown";
  let soFar = "";

  function increment(text: string): string {
    if (text === "" || kind === "incremental") return text;
    const isToken = kind === "unknown" && text === soFar && text.length <= maxRepeatedToken;
    if (!text.startsWith(soFar) || isToken) {
      kind = "incremental";
      return text;
    }
    if (soFar !== "") kind = "cumulative";
    const added = text.slice(soFar.length);
    soFar = text;
    return added;
  }

  return {
    next(delta) {
      const fields = fieldsOf(delta);
      const plain = plainReasoning(fields);
      if (plain !== "") isPlain = true;
      return isPlain ? plain : increment(textOf(fields.reasoning_details));
    },
  };
}
