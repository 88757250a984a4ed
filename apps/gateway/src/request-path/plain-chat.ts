import { ChatRequest } from "@signalbox/protocol";

type Check = (value: unknown) => boolean;

const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isNumber: Check = (value) => typeof value === "number";
const isBoolean: Check = (value) => typeof value === "boolean";

/** Simple values of the fields that the schema knows; a field that is not here makes a request not plain. */
const plainValues: Readonly<Record<string, Check>> = {
  model: (value) => typeof value === "string" && value.length > 0 && value.length <= 256,
  messages: (value) => Array.isArray(value) && value.length > 0 && value.every(isPlainMessage),
  stream: isBoolean,
  max_tokens: isCount,
  max_completion_tokens: isCount,
  temperature: isNumber,
  top_p: isNumber,
};
const schemaFields = new Set(Object.keys(ChatRequest.shape));

function isPlainMessage(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { role, content, tool_calls, reasoning_content, reasoning, reasoning_details } = value as Record<
    string,
    unknown
  >;
  if (reasoning_content !== undefined || reasoning !== undefined || reasoning_details !== undefined) return false;
  return typeof role === "string" && typeof content === "string" && tool_calls === undefined;
}

/**
 * Is this one of the plain requests that most are: texts and numbers where they belong? Then the schema would accept it,
 * and is not asked; it stays the judge of all others.
 */
export function isPlainChat(body: Readonly<Record<string, unknown>>): boolean {
  if (!Object.hasOwn(body, "model") || !Object.hasOwn(body, "messages")) return false;
  for (const key in body) {
    const check = Object.hasOwn(plainValues, key) ? plainValues[key] : undefined;
    if (check !== undefined ? !check(body[key]) : schemaFields.has(key)) return false;
  }
  return true;
}
