/** One event of a chat stream, as an engine writes it: the role in the first, no `usage`. */
export function chatEvent(content: string, finish_reason: string | null = null, role?: "assistant"): string {
  const choice = { index: 0, delta: { ...(role && { role }), content }, finish_reason };
  const chunk = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "big", choices: [choice] };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

/** The event that ends a stream. */
export const DONE = "data: [DONE]\n\n";
