import type { BackendKind } from "@signalbox/backends";
import type { ReadRequest } from "../read-request.ts";

/** The part of a reply that an engine is to go on from. */
export interface BegunReply {
  /** Without whitespace at its end, which chat templates take away. */
  readonly text: string;
  /** Tokens so far, to be taken off the request's limits. */
  readonly tokens: number;
}

const limits = ["max_tokens", "max_completion_tokens"] as const;

/** A text without any of what Python or JavaScript take for whitespace at its end. */
export function withoutSpace(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1]!)) end--;
  return text.slice(0, end);
}

/** Python's `strip` takes the four separators of ASCII and NEL as well. */
function isSpace(character: string): boolean {
  const code = character.charCodeAt(0);
  return (code >= 0x1c && code <= 0x1f) || code === 0x85 || /\s/.test(character);
}

/**
 * Adds to an attempt's edits what makes the engine go on with a reply: the text as a last message of the assistant, the
 * kind's own members, and what is left of the limits.
 *
 * vLLM hands `continue_final_message` to the tokenizer's chat template, which renders the conversation and cuts it behind
 * the last message's text, whitespace at its end left out (`apply_chat_template` of transformers). It answers 400 where
 * `add_generation_prompt` is true as well, and that is its default. The reply's first event has a role, and not the text
 * again unless `echo` is set. `usage` in each event counts the tokens of this attempt alone.
 * SGLang takes the last message off the list, renders the rest with a generation prompt, and puts the text behind it as it
 * is; it does nothing of this where the last message is not the assistant's.
 */
export function addContinuation(
  edits: Record<string, string | Buffer | undefined>,
  request: ReadRequest,
  kind: BackendKind,
  { text, tokens }: BegunReply,
): void {
  const list = edits.messages ?? bytesOf(request, "messages");
  const message = Buffer.from(`,${JSON.stringify({ role: "assistant", content: text })}]`);
  const bytes = typeof list === "string" ? Buffer.from(list) : list;
  edits.messages = Buffer.concat([bytes.subarray(0, bytes.lastIndexOf("]")), message]);
  Object.assign(edits, kind.continuation);
  for (const name of limits) {
    const limit: unknown = edits[name] === undefined ? request.body[name] : Number(edits[name]);
    if (typeof limit === "number") edits[name] = String(limit - tokens);
  }
}

function bytesOf({ bytes, members }: ReadRequest, key: string): Buffer {
  const { valueStart, valueEnd } = members.find((member) => member.key === key)!;
  return bytes.subarray(valueStart, valueEnd);
}
