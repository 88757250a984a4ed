import type { Outcome } from "@signalbox/adapter/vectors";
import type OpenAI from "openai";
import type { ChatCompletionTool } from "openai/resources/chat/completions";

/** What to ask. */
export interface Question {
  readonly model: string;
  readonly question: string;
  readonly tools: readonly object[];
}

/**
 * Reads a reply with the JavaScript client's streaming helper. Throws where the helper complains, and where its events and
 * the message that it puts together differ.
 */
export async function readWithHelper(client: OpenAI, { model, question, tools }: Question): Promise<Outcome> {
  const stream = client.chat.completions.stream({
    model,
    messages: [{ role: "user", content: question }],
    tools: tools as readonly ChatCompletionTool[] as ChatCompletionTool[],
  });
  let reasoning = "";
  let content = "";
  const done: unknown[] = [];
  // The helper knows no reasoning: it keeps the last delta's alone.
  stream.on("chunk", ({ choices: [choice] }) => {
    reasoning += (choice?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? "";
  });
  stream.on("content", (delta) => {
    content += delta;
  });
  stream.on("tool_calls.function.arguments.done", (call) => done.push([call.name, call.arguments]));
  const { choices } = await stream.finalChatCompletion();
  const { message, finish_reason } = choices[0]!;
  const calls = (message.tool_calls ?? []).flatMap((call) => {
    if (call.type !== "function") return [];
    return [{ id: call.id, name: call.function.name, arguments: call.function.arguments }];
  });
  const told = JSON.stringify(["assistant", content, calls.map((call) => [call.name, call.arguments])]);
  const kept = JSON.stringify([message.role, message.content ?? "", done]);
  if (told !== kept) throw new Error(`the message is not what the events were: ${kept}, ${told}`);
  return { content, reasoning, calls, finish: finish_reason };
}
