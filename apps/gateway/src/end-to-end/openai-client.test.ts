import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const M2 = "MiniMaxAI/MiniMax-M2";
const tools = [
  {
    type: "function" as const,
    function: {
      name: "look_up",
      description: "Finds a word — also «ünïcode» and \u2028 separators",
      parameters: {
        type: "object",
        properties: { word: { type: "string", maxLength: 9007199254740991 } },
        required: ["word"],
      },
    },
  },
];
const say = (content: string) => [{ role: "user" as const, content }];

const HARD = `Prove step by step that the algorithm below terminates, analyse its complexity, refactor it for concurrency,
compare the trade-offs with two alternatives and write tests for the edge cases.
\`\`\`ts
${"export function walk(node: Node, seen = new Set<Node>()): number { return seen.has(node) ? 0 : node.next.length; }\n".repeat(40)}
\`\`\``;

let gateway: TestGateway<"m2" | "small">;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: {
      m2: {
        kind: "sglang",
        models: [M2],
        script: [
          {
            when: { contains: "use the tool" },
            reply: { tool_calls: [{ name: "look_up", arguments: '{"word": "signal box", "deep": {"n": 1.50}}' }] },
          },
          { when: { contains: "count" }, reply: { deltas: ["one ", "two ", "thrée ", "🚂"] } },
        ],
      },
      small: { kind: "vllm", models: ["qwen-small"] },
    },
    yaml: ({ m2, small }) => `
backends:
  m2: { kind: sglang, url: "${m2}" }
  small: { kind: vllm, url: "${small}" }
models:
  large: { on: [{ backend: m2, model: ${M2} }], aliases: [${M2}], tools: true, context: 196k }
  "org/team/small-model": { on: [{ backend: small, model: qwen-small }], embeddings: true }
routing:
  - { when: { complexity: simple }, use: org/team/small-model }
  - { use: large }
`,
  });
  client = new OpenAI({ apiKey: "EMPTY", baseURL: gateway.baseUrl, maxRetries: 0 });
});
afterAll(() => gateway.close());

test("a program written for a bare engine runs unchanged: key EMPTY, the engine's model name", async () => {
  const completion = await client.chat.completions.create({ model: M2, messages: say("count") });
  expect(completion.choices[0]?.message).toMatchObject({ role: "assistant", content: "one two thrée 🚂" });
  expect(completion.choices[0]?.finish_reason).toBe("stop");
  expect(completion.model).toBe(M2);
  expect(completion.usage?.total_tokens).toBeGreaterThan(0);
});

test("a stream iterates to its end and carries every piece once", async () => {
  const stream = await client.chat.completions.create({ model: M2, messages: say("count"), stream: true });
  let text = "";
  const finishes: string[] = [];
  for await (const chunk of stream) {
    expect(chunk.object).toBe("chat.completion.chunk");
    expect(chunk.usage ?? null).toBeNull();
    expect(chunk.choices).toHaveLength(1);
    text += chunk.choices[0]?.delta.content ?? "";
    if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
  }
  expect(text).toBe("one two thrée 🚂");
  expect(finishes).toEqual(["stop"]);
});

test("the stream helper assembles the answer", async () => {
  const stream = client.chat.completions.stream({ model: M2, messages: say("count") });
  const pieces: string[] = [];
  stream.on("content", (delta) => pieces.push(delta));
  expect(await stream.finalContent()).toBe("one two thrée 🚂");
  expect(pieces.join("")).toBe("one two thrée 🚂");
});

test("the usage chunk of a stream comes if it is asked for, and only then", async () => {
  const asked = await client.chat.completions.create({
    model: M2,
    messages: say("count"),
    stream: true,
    stream_options: { include_usage: true },
  });
  const usages = [];
  for await (const chunk of asked) if (chunk.usage) usages.push(chunk);
  expect(usages).toHaveLength(1);
  expect(usages[0]?.choices).toEqual([]);
  expect(usages[0]?.usage?.completion_tokens).toBeGreaterThan(0);

  const unasked = await client.chat.completions.create({
    model: M2,
    messages: say("count"),
    stream: true,
    stream_options: { include_usage: false },
  });
  for await (const chunk of unasked) {
    expect(chunk.usage ?? null).toBeNull();
    expect(chunk.choices).not.toEqual([]);
  }
});

test("several choices come back apart, streamed and not", async () => {
  const request = { model: M2, messages: say("tell three stories"), n: 3 };
  const whole = await client.chat.completions.create(request);
  expect(whole.choices.map(({ index, finish_reason }) => [index, finish_reason])).toEqual([
    [0, "stop"],
    [1, "stop"],
    [2, "stop"],
  ]);
  const texts = ["", "", ""];
  const finished = new Set<number>();
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
    for (const { index, delta, finish_reason } of chunk.choices) {
      texts[index] += delta.content ?? "";
      if (finish_reason) finished.add(index);
    }
  }
  expect(texts.every((text) => text.length > 0)).toBe(true);
  expect(finished.size).toBe(3);
});

test("tool definitions reach the engine byte for byte, and its calls come back, streamed and not", async () => {
  const request = { model: M2, messages: say("use the tool"), tools, tool_choice: "auto" as const };
  const whole = await client.chat.completions.create(request);
  const call = whole.choices[0]?.message.tool_calls?.[0];
  expect(whole.choices[0]?.finish_reason).toBe("tool_calls");
  expect(call).toMatchObject({ type: "function", function: { name: "look_up" } });
  expect(call?.type === "function" && JSON.parse(call.function.arguments)).toEqual({
    word: "signal box",
    deep: { n: 1.5 },
  });
  const sent = gateway.engines.m2.log.findLast(({ path }) => path === "/v1/chat/completions");
  expect(sent?.body?.toString()).toContain(`"tools":${JSON.stringify(tools)}`);

  const stream = client.chat.completions.stream(request);
  const streamed = (await stream.finalChatCompletion()).choices[0];
  expect(streamed?.finish_reason).toBe("tool_calls");
  const [first, ...others] = streamed?.message.tool_calls ?? [];
  expect(others).toEqual([]);
  const called = first?.type === "function" ? first.function : undefined;
  expect(called?.name).toBe("look_up");
  expect(JSON.parse(called?.arguments ?? "")).toEqual({ word: "signal box", deep: { n: 1.5 } });
  expect(first?.id).toMatch(/./);
});

test("completions answer, streamed and not", async () => {
  const request = { model: M2, prompt: "Once upon a time" };
  const whole = await client.completions.create(request);
  expect(whole.choices[0]?.text.length).toBeGreaterThan(0);
  expect(whole.choices[0]?.finish_reason).toBe("stop");
  let text = "";
  let finish: string | undefined;
  for await (const chunk of await client.completions.create({ ...request, stream: true })) {
    text += chunk.choices[0]?.text ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
  }
  expect(text).toBe(whole.choices[0]?.text);
  expect(finish).toBe("stop");
});

test("embeddings come back as numbers, also through the client's base64 form", async () => {
  const request = { model: "org/team/small-model", input: ["one", "two"] };
  const floats = await client.embeddings.create({ ...request, encoding_format: "float" });
  expect(floats.data).toHaveLength(2);
  expect(floats.data[0]?.embedding.every((value) => Number.isFinite(value))).toBe(true);
  const plain = await client.embeddings.create(request);
  expect(plain.data[1]?.embedding).toHaveLength(floats.data[1]?.embedding.length ?? 0);
  plain.data[1]?.embedding.forEach((value, i) => {
    expect(value).toBeCloseTo(floats.data[1]?.embedding[i] ?? Number.NaN, 4);
  });
});

test("the models are listed with auto first, and each is retrieved by its id, slashes and all", async () => {
  const ids: string[] = [];
  for await (const model of client.models.list()) ids.push(model.id);
  expect(ids).toEqual(["auto", "MiniMaxAI/MiniMax-M2", "large", "org/team/small-model"]);
  for (const id of ids) expect(await client.models.retrieve(id)).toMatchObject({ id, object: "model" });
  // The client escapes slashes; a plain path is as good.
  const plain = await fetch(`${gateway.baseUrl}/models/org/team/small-model`);
  expect(await plain.json()).toMatchObject({ id: "org/team/small-model", owned_by: "signalbox" });
});

test("a client that takes the first model of the list is routed by complexity", async () => {
  const [first] = (await client.models.list()).data;
  const easy = await client.chat.completions.create({ model: first?.id ?? "", messages: say("hi") }).withResponse();
  expect(easy.response.headers.get("x-signalbox-model")).toBe("org/team/small-model");
  expect(easy.response.headers.get("x-signalbox-backend")).toBe("small");
  const hard = await client.chat.completions.create({ model: "auto", messages: say(HARD) }).withResponse();
  expect(hard.response.headers.get("x-signalbox-model")).toBe("large");
});
