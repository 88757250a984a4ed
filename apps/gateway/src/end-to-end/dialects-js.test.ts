import { mismatch, type Outcome } from "@signalbox/adapter/vectors";
import OpenAI from "openai";
import type { ChatCompletionTool } from "openai/resources/chat/completions";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DialectReply, dialectReplies, questionFor, startDialectGateway, tools } from "./dialect-replies.ts";
import type { TestGateway } from "./test-gateway.ts";

/** Reads a reply with the client's streaming helper: its events, and the message that it puts together. */
async function readWithHelper(client: OpenAI, reply: DialectReply): Promise<Outcome> {
  const stream = client.chat.completions.stream({
    model: reply.model,
    messages: [{ role: "user", content: questionFor(reply) }],
    tools: tools as ChatCompletionTool[],
  });
  let reasoning = "";
  let content = "";
  const done: string[] = [];
  stream.on("chunk", ({ choices: [choice] }) => {
    reasoning += (choice?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? "";
  });
  stream.on("content", (delta) => {
    content += delta;
  });
  stream.on("tool_calls.function.arguments.done", (call) => done.push(call.name));
  const { choices } = await stream.finalChatCompletion();
  const { message, finish_reason } = choices[0]!;
  const calls = (message.tool_calls ?? []).flatMap((call) => (call.type === "function" ? [call] : []));
  expect(message.role).toBe("assistant");
  expect(message.content ?? "").toBe(content);
  expect(done).toEqual(calls.map((call) => call.function.name));
  return {
    content,
    reasoning,
    calls: calls.map(({ id, function: called }) => ({ id, name: called.name, arguments: called.arguments })),
    finish: finish_reason,
  };
}

describe.each(["vllm", "sglang"] as const)("over %s in raw mode, the JavaScript client reads", (kind) => {
  let gateway: TestGateway<"raw">;
  let client: OpenAI;
  beforeAll(async () => {
    gateway = await startDialectGateway(dialectReplies, kind);
    client = new OpenAI({ apiKey: "EMPTY", baseURL: gateway.baseUrl, maxRetries: 0 });
  });
  afterAll(() => gateway.close());

  test.each(dialectReplies.map((reply) => [reply.name, reply] as const))("%s", async (_name, reply) => {
    const outcome = await readWithHelper(client, reply);
    expect(mismatch(reply.expect, outcome)).toBeUndefined();
    expect(new Set(outcome.calls.map(({ id }) => id)).size).toBe(outcome.calls.length);
  });
});
