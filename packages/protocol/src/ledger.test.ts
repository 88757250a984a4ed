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
    ["a list of parts", { content: [{ type: "text", text: "a" }] }],
    ["a list of reasoning", { reasoning_details: [{ text: "a" }] }],
    ["a call of the old kind", { function_call: { name: "f" } }],
    ["speech", { audio: { id: "a" } }],
  ])("%s is content", (_name, part) => {
    expect(observeAll([delta(0, part)]).kinds).toEqual(["content"]);
  });

  test.each([
    ["nothing", {}],
    ["empty texts", { content: "", reasoning_content: "", reasoning: "", refusal: "" }],
    ["nulls", { content: null, reasoning: null, tool_calls: null, refusal: null, function_call: null, audio: null }],
    ["empty lists", { content: [], tool_calls: [], reasoning_details: [] }],
    ["what is no text", { content: 7, refusal: false, function_call: "f", audio: "a" }],
  ])("%s is no content, with or without an end", (_name, part) => {
    const { kinds, ledger } = observeAll([delta(0, part), delta(0, part, ""), delta(0, part, "stop")]);
    expect(kinds).toEqual(["quiet", "quiet", "finish"]);
    expect(ledger).toMatchObject({ hasContent: false, contentEvents: 0, complete: true, finishReason: "stop" });
  });

  test("counts events with content, and knows of tool calls", () => {
    const call = { tool_calls: [{ index: 0, function: { name: "f" } }] };
    const { ledger } = observeAll([delta(0, { content: "a" })]);
    expect(ledger).toMatchObject({ hasContent: true, contentEvents: 1, hasToolCalls: false, choices: 1 });
    ledger.observe(ReplyEvent.ofJson(delta(0, call)));
    ledger.observe(ReplyEvent.ofJson(delta(0, { content: "b" })));
    expect(ledger).toMatchObject({ contentEvents: 3, hasToolCalls: true });
    expect(observeAll([{ choices: [{ message: { tool_calls: call.tool_calls } }] }]).ledger.hasToolCalls).toBe(true);
    expect(observeAll([{ choices: [{ text: "a" }] }], "completions").ledger.hasToolCalls).toBe(false);
  });

  test("an event with several choices is what the most telling of them is", () => {
    const of = (...parts: { delta: object; finish_reason?: string }[]) =>
      observeAll([{ choices: parts.map((part, index) => ({ index, ...part })) }]).kinds[0];
    const [quiet, text, end] = [{ delta: {} }, { delta: { content: "a" } }, { delta: {}, finish_reason: "stop" }];
    expect(of(quiet, quiet)).toBe("quiet");
    expect(of(quiet, end)).toBe("finish");
    expect(of(end, quiet)).toBe("finish");
    expect(of(end, text)).toBe("content");
    expect(of(text, end)).toBe("content");
    expect(of(text, quiet)).toBe("content");
    expect(of(text, { delta: {}, finish_reason: "abort" }, text)).toBe("aborted");
  });

  test.each(["abort", "error", "load", "unload"])("finish_reason %j is no end", (reason) => {
    const { kinds, ledger } = observeAll([delta(0, { content: "a" }, reason)]);
    expect(kinds).toEqual(["aborted"]);
    expect(ledger).toMatchObject({ complete: false, finishReason: undefined, open: [0] });
  });

  test("a choice that ends twice has ended once", () => {
    const { ledger } = observeAll([delta(0, {}, "stop"), delta(0, {}, "stop"), delta(1, { content: "a" })]);
    expect(ledger).toMatchObject({ complete: false, open: [1], choices: 2 });
  });

  test("a choice without an index is the first", () => {
    const { ledger } = observeAll([{ choices: [{ delta: { content: "a" } }] }, delta(0, {}, "stop")]);
    expect(ledger).toMatchObject({ choices: 1, complete: true });
    expect(observeAll([{ choices: [{ index: "1", text: "a" }] }]).ledger.open).toEqual([0]);
  });

  test.each([
    ["null", "null"],
    ["text", '"a"'],
    ["choices that are no list", '{"choices":{}}'],
    ["a choice that is null", '{"choices":[null]}'],
    ["a choice that is a number", '{"choices":[7]}'],
    ["a list", "[]"],
  ])("%s is malformed", (_name, json) => {
    expect(observeAll([json]).kinds).toEqual(["malformed"]);
  });

  test.each([
    ["a delta that is null", { choices: [{ delta: null }] }],
    ["a delta that is a text", { choices: [{ delta: "a" }] }],
    ["no delta", { choices: [{}] }],
    ["an error that is null", { error: null, choices: [] }],
    ["a base_resp that tells of success", { base_resp: { status_code: 0 }, choices: [] }],
    ["a base_resp that is null", { base_resp: null, choices: [] }],
  ])("%s is nothing to tell of", (_name, json) => {
    expect(observeAll([json]).kinds).toEqual(["quiet"]);
  });

  test("SGLang's error object is one", () => {
    expect(observeAll([{ object: "error", message: "x" }]).kinds).toEqual(["error"]);
  });

  test("the last usage counts, wherever it rides", () => {
    const counted = (completion_tokens: number) => ({ prompt_tokens: 3, completion_tokens });
    const { kinds, ledger } = observeAll([
      { ...delta(0, { content: "a" }), usage: counted(1) },
      { ...delta(0, { content: "b" }), usage: null },
      { usage: counted(2) },
    ]);
    expect(kinds).toEqual(["content", "content", "usage"]);
    expect(ledger.usage).toEqual({ promptTokens: 3, completionTokens: 2 });
    expect(observeAll([{ data: [{ embedding: [1] }], usage: counted(0) }], "embeddings").ledger).toMatchObject({
      usage: { promptTokens: 3, completionTokens: 0 },
      complete: true,
      contentEvents: 1,
    });
    expect(createLedger("embeddings").complete).toBe(false);
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
