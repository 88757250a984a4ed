import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFeatures } from "./features.ts";
import type { RequestFacts } from "./policy.ts";

function featuresOf(body: Record<string, unknown>, facts: Partial<RequestFacts> = {}) {
  return readFeatures({
    endpoint: "chat_completions",
    team: "t",
    model: "auto",
    body,
    header: () => undefined,
    bytes: 0,
    ...facts,
  });
}

const user = (content: unknown) => ({ role: "user", content });
const tool = (name: string, description = "") => ({
  type: "function",
  function: { name, description, parameters: {} },
});
const call = { role: "assistant", content: null, tool_calls: [{ id: "1", function: { name: "f", arguments: "{}" } }] };
const result = { role: "tool", tool_call_id: "1", content: "ok" };

describe("tokens", () => {
  test("count messages, parts, calls and tools", () => {
    const base = featuresOf({ messages: [user("hi there")] }).tokens;
    expect(base).toBeGreaterThan(2);
    expect(base).toBeLessThan(12);
    expect(featuresOf({ messages: [user([{ type: "text", text: "hi there" }])] }).tokens).toBe(base);
    const tools = [tool("f", "a description that is some four hundred letters long ".repeat(8))];
    expect(featuresOf({ messages: [user("hi there")], tools }).tokens).toBeGreaterThan(base + 100);
    expect(featuresOf({ messages: [user("hi there"), call] }).tokens).toBeGreaterThan(base + 4);
  });

  test("an image counts as an image, not as its bytes", () => {
    const url = `data:image/png;base64,${"A".repeat(400_000)}`;
    const { tokens, hasImages } = featuresOf({ messages: [user([{ type: "image_url", image_url: { url } }])] });
    expect(hasImages).toBe(true);
    expect(tokens).toBeLessThan(1500);
  });

  test("inputs and prompts: texts, token ids, and lists of both", () => {
    const embeddings = (input: unknown) => featuresOf({ input }, { endpoint: "embeddings" });
    expect(embeddings([1, 2, 3, 4])).toMatchObject({ tokens: 4, contextTokens: 4 });
    expect(embeddings([[1, 2, 3], [4]])).toMatchObject({ tokens: 4, contextTokens: 3 });
    const two = embeddings(["one text", "one text"]);
    expect(two.tokens).toBe(2 * two.contextTokens);
    expect(featuresOf({ prompt: "one text" }, { endpoint: "completions" }).tokens).toBe(two.contextTokens);
  });
});

test("the newer name of the reply's limit wins", () => {
  expect(featuresOf({ max_tokens: 10 }).maxTokens).toBe(10);
  expect(featuresOf({ max_tokens: 10, max_completion_tokens: 20 }).maxTokens).toBe(20);
  expect(featuresOf({ max_tokens: null }).maxTokens).toBeUndefined();
});

test.each([
  [{ type: "json_schema", json_schema: {} }, true],
  [{ type: "json_object" }, true],
  [{ type: "text" }, false],
  [undefined, false],
])("response_format %j asks for JSON: %s", (response_format, expected) => {
  expect(featuresOf({ messages: [], response_format }).jsonSchema).toBe(expected);
});

describe("tool loop", () => {
  const tools = [tool("f")];
  test.each([
    ["a first question with tools", { tools, messages: [user("weather?")] }, false],
    ["a call", { tools, messages: [user("weather?"), call] }, true],
    ["a result", { tools, messages: [user("weather?"), call, result] }, true],
    ["a user line after a result", { tools, messages: [user("weather?"), call, result, user("commit it")] }, true],
    ["results without tools on offer", { messages: [user("weather?"), call, result] }, false],
    ["an empty list of tools", { tools: [], messages: [user("weather?"), call, result] }, false],
    ["a result as a content part", { tools, messages: [user([{ type: "tool_result", content: "x" }])] }, true],
  ])("%s", (_, body, expected) => {
    const features = featuresOf(body);
    expect(features.toolLoop).toBe(expected);
    if (expected) expect(features.complexity().complexity).toBe("complex");
  });
});

describe("coding agent", () => {
  test.each([
    ["You are Claude Code, Anthropic's official CLI for Claude.", true],
    ["You are a coding agent running in a terminal.", true],
    ["You are OpenHands agent, a helpful AI assistant that can interact with a computer.", true],
    ["You are an expert software engineer. You work in the user's repository: edit files and run tests.", true],
    ["你是一个编程智能体，可以修改文件并执行命令。", true],
    ["You are a helpful assistant.", false],
    ["You are a friendly coding tutor. Explain ideas in simple words.", false],
    ["You are a travel agent. You book flights and hotels.", false],
    ["", false],
  ])("%s", (prompt, expected) => {
    const features = featuresOf({ messages: [{ role: "system", content: prompt }, user("ok")] });
    expect(features.codingAgent).toBe(expected);
    expect(features.complexity().complexity).toBe(expected ? "complex" : "simple");
  });

  test("is known by its tools, too", () => {
    const agent = ["Read", "Edit", "Bash"].map((name) => tool(name));
    expect(featuresOf({ messages: [user("hi")], tools: agent }).codingAgent).toBe(true);
    expect(featuresOf({ messages: [user("hi")], tools: [tool("bash"), tool("weather")] }).codingAgent).toBe(false);
  });
});

test("any JSON is read without an error", () => {
  const names = ["messages", "tools", "functions", "prompt", "input", "response_format", "max_tokens", "tool_choice"];
  const message = fc.record({
    role: fc.constantFrom("user", "system", "tool", "assistant", 7),
    content: fc.oneof(
      fc.jsonValue(),
      fc.array(fc.record({ type: fc.constantFrom("text", "image_url"), text: fc.jsonValue() })),
    ),
    tool_calls: fc.jsonValue(),
    function_call: fc.jsonValue(),
  });
  const body = fc.oneof(
    fc.dictionary(fc.constantFrom(...names), fc.jsonValue()),
    fc.record({ messages: fc.array(message), tools: fc.array(fc.jsonValue()) }),
  );
  fc.assert(
    fc.property(body, fc.constantFrom("chat_completions", "completions", "embeddings"), (value, endpoint) => {
      const features = featuresOf(value, { endpoint });
      expect(features.tokens).toBeGreaterThanOrEqual(0);
      expect(features.complexity().score).toBeGreaterThanOrEqual(0);
      expect(features.complexity().score).toBeLessThanOrEqual(1);
      expect(typeof features.codingAgent).toBe("boolean");
    }),
  );
});
