import { describe, expect, test } from "vitest";
import { createLedger, type Endpoint, ReplyEvent } from "./index.ts";

function observeAll(events: readonly unknown[], endpoint: Endpoint = "chat_completions") {
  const ledger = createLedger(endpoint);
  const kinds = events.map((event) =>
    ledger.observe(typeof event === "string" ? ReplyEvent.ofText(event) : ReplyEvent.ofJson(event)),
  );
  return { ledger, kinds };
}
const delta = (index: number, part: object, finish_reason: string | null = null) => ({
  choices: [{ index, delta: part, finish_reason }],
});

describe("the ledger of a reply", () => {
  test("a role or an empty delta is not yet an answer", () => {
    const { kinds, ledger } = observeAll([
      delta(0, { role: "assistant", content: "" }),
      delta(0, { role: "assistant", content: null, tool_calls: null, reasoning: null }),
      { choices: [], object: "chat.completion.chunk" },
    ]);
    expect(kinds).toEqual(["quiet", "quiet", "quiet"]);
    expect(ledger.hasContent).toBe(false);
  });

  test.each([
    ["text", { content: "a" }],
    ["reasoning_content", { reasoning_content: "a" }],
    ["reasoning", { reasoning: "a" }],
    ["a tool call", { tool_calls: [{ index: 0, function: { name: "f" } }] }],
    ["a refusal", { refusal: "no" }],
  ])("%s is content", (_name, part) => {
    expect(observeAll([delta(0, part)]).kinds).toEqual(["content"]);
  });

  test("is complete when every choice that began has its finish_reason, not before", () => {
    const { ledger } = observeAll([delta(0, { content: "a" }), delta(1, { content: "b" }), delta(0, {}, "stop")]);
    expect(ledger.complete).toBe(false);
    expect(ledger.open).toEqual([1]);
    expect(ledger.observe(ReplyEvent.ofJson(delta(1, { content: "!" }, "length")))).toBe("content");
    expect(ledger.complete).toBe(true);
  });

  test("a reply without any choice is never complete", () => {
    expect(observeAll([{ choices: [] }, "[DONE]"]).ledger.complete).toBe(false);
  });

  test("an engine that was stopped has not finished", () => {
    const { kinds, ledger } = observeAll([delta(0, { content: "a" }), delta(0, { content: "b" }, "abort")]);
    expect(kinds).toEqual(["content", "aborted"]);
    expect(ledger.complete).toBe(false);
  });

  test("tells errors, usage, the terminator and junk apart", () => {
    const usage = { choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } };
    const { kinds, ledger } = observeAll([
      usage,
      { error: { message: "x" } },
      { base_resp: { status_code: 1002 } },
      "[DONE]",
      "{oops",
      "7",
      { hello: 1 },
    ]);
    expect(kinds).toEqual(["usage", "error", "error", "done", "malformed", "malformed", "malformed"]);
    expect(ledger.usage).toEqual({ promptTokens: 3, completionTokens: 4 });
  });

  test("reads whole replies, completions and embeddings", () => {
    const whole = { choices: [{ index: 0, message: { role: "assistant", content: "a" }, finish_reason: "stop" }] };
    expect(observeAll([whole]).ledger.complete).toBe(true);
    expect(
      observeAll([{ choices: [{ index: 0, text: "a", finish_reason: "stop" }] }], "completions").ledger.complete,
    ).toBe(true);
    expect(observeAll([{ data: [{ embedding: [1] }] }], "embeddings").ledger.complete).toBe(true);
    expect(observeAll([{ data: [] }], "embeddings").kinds).toEqual(["malformed"]);
  });
});
