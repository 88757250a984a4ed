import type { Model } from "@signalbox/router";
import type { Serving } from "../runtime/serving.ts";
import type { ReadRequest } from "./read-request.ts";
import { findReasoning, isEmpty } from "./reasoning-history.ts";
import { comesOnce } from "./reasoning-memory.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * The request as its client would have sent it with the reasoning before its tool calls, as far as that is remembered; the
 * same request when there is nothing to put back, or no model of `chain` remembers any.
 * @throws GatewayError `duplicate_key` when a message that gets its reasoning back has a key twice.
 */
export function recallReasoning(
  request: ReadRequest,
  { reasoning, signals }: Pick<Serving, "reasoning" | "signals">,
  team: string,
  chain: readonly Model[],
): ReadRequest {
  const model = chain.find(({ rememberReasoningMs }) => rememberReasoningMs !== undefined)?.name;
  if (model === undefined || request.endpoint !== "chat_completions") return request;
  const messages = request.body.messages as readonly Fields[];
  const recalled = new Map<number, string>();
  // A call that stands twice gets its thought once, or a small body could ask for gigabytes.
  const asked = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const id = firstCallId(message);
    const sent = id === undefined ? undefined : sentReasoning(message);
    if (id === undefined || sent === undefined || asked.has(id)) continue;
    asked.add(id);
    const text = reasoning.recall(team, id);
    const result = text === undefined ? "missing" : "restored";
    if (text === undefined ? sent === "" : isCutOff(sent, text)) {
      signals.metrics.counter("signalbox_reasoning_remembered_total", { model, result }).value++;
      if (text !== undefined) recalled.set(index, text);
    }
  }
  if (recalled.size === 0) return request;
  return { ...request, history: findReasoning(request.bytes, request.members, messages, recalled) };
}

/** Of an assistant message with calls whose first id can be remembered. */
function firstCallId({ role, tool_calls }: Fields): string | undefined {
  if (role !== "assistant" || !Array.isArray(tool_calls)) return undefined;
  const id = (tool_calls[0] as Fields | undefined)?.id;
  return typeof id === "string" && comesOnce(id) ? id : undefined;
}

/** What the client sent, `""` for nothing; undefined when that stands, whatever is remembered: details, or a thought in the content. */
function sentReasoning(message: Fields): string | undefined {
  const { content, reasoning_content, reasoning, reasoning_details } = message;
  if (hasThinkTag(content) || !isEmpty(reasoning_details)) return undefined;
  const sent = isEmpty(reasoning_content) ? reasoning : reasoning_content;
  if (isEmpty(sent)) return "";
  return typeof sent === "string" ? sent : undefined;
}

function hasThinkTag(content: unknown): boolean {
  if (Array.isArray(content)) return content.some((part: Fields | null) => hasThinkTag(part?.text));
  return typeof content === "string" && /<\/?think>/.test(content);
}

/** OpenAI's stream helper for JavaScript keeps no more than the last piece of a thought: that is nobody's own wording. */
function isCutOff(sent: string, recalled: string): boolean {
  if (sent === "") return true;
  const whole = JSON.parse(`"${recalled}"`) as string;
  return sent.length < whole.length && whole.endsWith(sent);
}
