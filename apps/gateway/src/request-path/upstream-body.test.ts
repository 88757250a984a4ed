import { type BackendKindName, backendKindNames, kinds } from "@signalbox/backends";
import { GatewayError, type ReasoningPlace, reasoningPlaces } from "@signalbox/protocol";
import type { Deployment, Model } from "@signalbox/router";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readRequest } from "./read-request.ts";
import { upstreamBody } from "./upstream-body.ts";

const model: Model = {
  name: "large",
  aliases: [],
  deployments: [],
  strategy: "ordered",
  context: undefined,
  capabilities: {},
  fallback: [],
  defaults: {},
};
const caps = { maxDepth: 64, maxKeys: 10_000 };

/** What a backend of this kind is sent for a body; the model keeps its name, so that only what matters changes. */
function sent(
  text: string,
  kind: BackendKindName,
  options: Partial<Deployment> = {},
  defaults: Model["defaults"] = {},
): string {
  const deployment: Deployment = {
    id: "gpu/m",
    backend: "gpu",
    model: "m",
    weight: 1,
    dialect: "auto",
    reasoningFirst: false,
    toolParser: "engine",
    reasoningHistory: kinds[kind].reasoningHistory,
    ...options,
  };
  const request = readRequest("chat_completions", Buffer.from(text), caps);
  return upstreamBody(request, {
    kind: kinds[kind],
    model: { ...model, defaults },
    deployment,
    upstreamModel: "m",
  }).toString();
}

const chat = (messages: string, rest = "") => `{"model":"m","seed":9007199254740993,"messages":[${messages}]${rest}}`;
const question = '{"role":"user","content":"hi","id":12345678901234567890}';
const call = '"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]';

/** Messages of a client as an engine gets them, with the reasoning at a place. */
function placed(message: string, place: ReasoningPlace): string {
  const before = chat(`${question}, ${message} ,${question}`);
  const after = sent(before, "openai", { reasoningHistory: place });
  const [head, tail] = [before.slice(0, before.indexOf(message)), ` ,${question}]}`];
  expect(after.startsWith(head)).toBe(true);
  expect(after.endsWith(tail)).toBe(true);
  return after.slice(head.length, -tail.length);
}

describe("the reasoning of earlier turns", () => {
  const thought = String.raw`"a \u003c b, \"ü\"\n"`;

  test.each([
    ["reasoning_content", `{"role":"assistant","content":"so","reasoning_content":${thought}}`],
    ["reasoning", `{"role":"assistant","content":"so","reasoning":${thought}}`],
    [
      "reasoning_details",
      `{"role":"assistant","content":"so","reasoning_details":[{"type":"reasoning.text","text":${thought}}]}`,
    ],
    ["inline", String.raw`{"role":"assistant","content":"<think>\na \u003c b, \"ü\"\n\n</think>\n\nso"}`],
    ["drop", '{"role":"assistant","content":"so"}'],
  ] as const)("is moved byte for byte to %s", (place, expected) => {
    expect(placed(`{"role":"assistant","content":"so","reasoning_content":${thought}}`, place)).toBe(expected);
    expect(placed(`{"role":"assistant","reasoning":${thought},"content":"so"}`, place)).toBe(
      place === "reasoning" ? `{"role":"assistant","reasoning":${thought},"content":"so"}` : expected,
    );
  });

  test("of details is their text, or their summary, in one piece", () => {
    const details = '[{"type":"reasoning.text","text":"a"},{"text":"<b"},{"type":"reasoning.summary","summary":"ü"}]';
    const message = `{"role":"assistant","reasoning_details":${details},"content":"so"}`;
    expect(placed(message, "reasoning")).toBe('{"role":"assistant","content":"so","reasoning":"a<bü"}');
    expect(placed(message, "reasoning_details")).toBe(message);
  });

  test("of details may be a summary in parts", () => {
    const details =
      '[{"type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"text":"b"}]},{"summary":null}]';
    const message = `{"role":"assistant","content":"so","reasoning_details":${details}}`;
    expect(placed(message, "reasoning")).toBe('{"role":"assistant","content":"so","reasoning":"ab"}');
  });

  test("that is signed or encrypted goes only where details are read", () => {
    const message =
      '{"role":"assistant","reasoning_details":[{"type":"reasoning.encrypted","data":"eA=="}],"content":"so"}';
    expect(placed(message, "reasoning_details")).toBe(message);
    for (const place of ["reasoning_content", "reasoning", "inline", "drop"] as const)
      expect(placed(message, place)).toBe('{"role":"assistant","content":"so"}');
  });

  test("that is sent in several fields is given once", () => {
    const message =
      '{"role":"assistant","reasoning":"a","reasoning_details":[{"text":"a"}],"content":"so","reasoning_content":null}';
    expect(placed(message, "reasoning")).toBe('{"role":"assistant","reasoning":"a","content":"so"}');
    expect(placed(message, "reasoning_content")).toBe('{"role":"assistant","content":"so","reasoning_content":"a"}');
    expect(placed(message, "inline")).toBe(String.raw`{"role":"assistant","content":"<think>\na\n</think>\n\nso"}`);
  });

  test("that is empty or null is left out, because some engines refuse a null", () => {
    for (const empty of ["null", '""']) {
      for (const place of reasoningPlaces)
        expect(placed(`{"role":"assistant","content":"so","reasoning_content":${empty}}`, place)).toBe(
          '{"role":"assistant","content":"so"}',
        );
    }
    expect(placed('{"role":"assistant","content":"so","reasoning_details":[]}', "inline")).toBe(
      '{"role":"assistant","content":"so"}',
    );
  });

  test("inline goes before any form of content, and never twice", () => {
    const inline = (content: string, more = "") =>
      placed(`{"role":"assistant",${content}"reasoning_content":"a"${more}}`, "inline");
    expect(inline('"content":null,', `,${call}`)).toBe(
      String.raw`{"role":"assistant","content":"<think>\na\n</think>\n\n",${call}}`,
    );
    expect(inline("", `,${call}`)).toBe(String.raw`{"role":"assistant",${call},"content":"<think>\na\n</think>\n\n"}`);
    expect(inline('"content":[ {"type":"text","text":"so"} ],')).toBe(
      String.raw`{"role":"assistant","content":[{"type":"text","text":"<think>\na\n</think>\n\n"}, {"type":"text","text":"so"} ]}`,
    );
    expect(inline('"content":[],')).toBe(
      String.raw`{"role":"assistant","content":[{"type":"text","text":"<think>\na\n</think>\n\n"}]}`,
    );
    expect(inline(String.raw`"content":"\n<think>a</think>so",`)).toBe(
      String.raw`{"role":"assistant","content":"\n<think>a</think>so"}`,
    );
    expect(inline('"content":[{"type":"text","text":"<think>a</think>"}],')).toBe(
      '{"role":"assistant","content":[{"type":"text","text":"<think>a</think>"}]}',
    );
  });

  test("in content is left there for an engine that reads a field", () => {
    const message = '{"role":"assistant","content":"<think>a</think>so"}';
    for (const place of reasoningPlaces) expect(placed(message, place)).toBe(message);
  });

  test("leaves null content beside calls, and gives a thought without an answer an empty one", () => {
    expect(placed(`{"role":"assistant","content":null,${call},"reasoning_content":"a"}`, "reasoning")).toBe(
      `{"role":"assistant","content":null,${call},"reasoning":"a"}`,
    );
    expect(placed('{"role":"assistant","content":null,"reasoning_content":"a"}', "reasoning")).toBe(
      '{"role":"assistant","content":"","reasoning":"a"}',
    );
    expect(placed('{"role":"assistant","reasoning_content":"a"}', "drop")).toBe('{"role":"assistant","content":""}');
  });

  test("is the assistant's alone, and without any the request stays as it is", () => {
    const texts = [
      '{"role":"user","content":"hi","reasoning":"mine"}',
      `{"role":"assistant","content":null,${call}}`,
      '{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"21 \\u00b0C"}]}',
    ];
    for (const text of texts) for (const place of reasoningPlaces) expect(placed(text, place)).toBe(text);
  });

  test("goes where each kind of engine reads it, unless the deployment says otherwise", () => {
    const text = chat(`${question},{"role":"assistant","content":"so","reasoning_content":"a"}`);
    const all = Object.fromEntries(backendKindNames.map((kind) => [kind, sent(text, kind)]));
    const elsewhere = (message: string) => chat(`${question},${message}`);
    expect(all).toEqual({
      sglang: text,
      vllm: elsewhere('{"role":"assistant","content":"so","reasoning":"a"}'),
      ollama: elsewhere('{"role":"assistant","content":"so","reasoning":"a"}'),
      foundry_local: elsewhere('{"role":"assistant","content":"so"}'),
      llama_cpp: text,
      openai: text,
    });
    expect(sent(text, "vllm", { reasoningHistory: "reasoning_content" })).toBe(text);
  });

  test("reads the same at every place, whatever it holds", () => {
    const texts = fc.string({ unit: "binary", minLength: 1 });
    fc.assert(
      fc.property(texts, texts, fc.constantFrom("reasoning_content", "reasoning"), (thought, answer, field) => {
        const message = JSON.stringify({ role: "assistant", content: answer, [field]: thought });
        const at = (place: ReasoningPlace) => JSON.parse(placed(message, place));
        expect(at("reasoning_content")).toEqual({ role: "assistant", content: answer, reasoning_content: thought });
        expect(at("reasoning")).toEqual({ role: "assistant", content: answer, reasoning: thought });
        expect(at("reasoning_details").reasoning_details).toEqual([{ type: "reasoning.text", text: thought }]);
        expect(at("drop")).toEqual({ role: "assistant", content: answer });
        const whole = /^\s*<think>/.test(answer) ? answer : `<think>\n${thought}\n</think>\n\n${answer}`;
        expect(at("inline")).toEqual({ role: "assistant", content: whole });
      }),
    );
  });

  test.each([
    ['{"role":"assistant","content":"a","reasoning_content":5}', "messages.1.reasoning_content"],
    ['{"role":"assistant","content":"a","reasoning":{"effort":"low"}}', "messages.1.reasoning"],
    ['{"role":"assistant","content":"a","reasoning_details":"a"}', "messages.1.reasoning_details"],
    ['{"role":"assistant","content":"a","reasoning_details":[{"text":5}]}', "messages.1.reasoning_details.0.text"],
  ])("of a wrong type is the caller's error: %s", (message, param) => {
    const read = () => readRequest("chat_completions", Buffer.from(chat(`${question},${message}`)), caps);
    expect(read).toThrow(GatewayError);
    expect(read).toThrow(expect.objectContaining({ status: 400, param }));
  });

  test("that is given twice under one key is refused", () => {
    const twice = '{"role":"assistant","content":"a","reasoning":"a","reasoning":"b"}';
    const read = () => readRequest("chat_completions", Buffer.from(chat(twice)), caps);
    expect(read).toThrow(expect.objectContaining({ code: "duplicate_key" }));
  });
});

describe("tools", () => {
  const tool = (name: string) =>
    `{"type":"function","function":{"name":"${name}","parameters":{"type":"object","properties":{"n":{"maximum":9007199254740993,"multipleOf":1.0}}}}}`;
  const tools = (list: string, rest = "") => chat(question, `,"tools":[${list}]${rest}`);
  const named = ',"tool_choice":{"type":"function","function":{"name":"b"}}';

  test("of which one is named are offered alone, byte for byte, where a name is not read", () => {
    const list = `${tool("a")}, ${tool("b")} ,${tool("c")}`;
    expect(sent(tools(list, named), "ollama")).toBe(tools(tool("b"), named));
    expect(sent(tools(list, named), "llama_cpp")).toBe(tools(tool("b"), ',"tool_choice":"required"'));
    for (const kind of ["sglang", "vllm", "foundry_local", "openai"] as const)
      expect(sent(tools(list, named), kind)).toBe(tools(list, named));
  });

  test("stay in the prompt of vLLM and are not parsed in raw mode", () => {
    const raw = { toolParser: "raw" } as const;
    const asked = ',"tool_choice":"none","skip_special_tokens":false';
    expect(sent(tools(tool("a")), "vllm", raw)).toBe(tools(tool("a"), asked));
    expect(sent(tools(tool("a"), ',"tool_choice":"auto"'), "vllm", raw)).toBe(tools(tool("a"), asked));
    expect(sent(tools(tool("a"), ',"tool_choice":"none"'), "vllm", raw)).toBe(chat(question, ',"tool_choice":"none"'));
    expect(sent(tools(tool("a"), ',"tool_choice":"none"'), "vllm")).toBe(tools(tool("a"), ',"tool_choice":"none"'));
    expect(sent(tools(tool("b"), named), "vllm", raw)).toBe(tools(tool("b"), named));
    expect(sent(tools(tool("a")), "sglang", raw)).toBe(tools(tool("a")));
  });

  test("and reasoning are edited in one pass", () => {
    const thought = '{"role":"assistant","content":"so","reasoning_content":"a"}';
    const rest = `,"tools":[${tool("a")},${tool("b")}]${named},"x":1.0`;
    expect(sent(chat(thought, rest), "ollama")).toBe(
      chat('{"role":"assistant","content":"so","reasoning":"a"}', `,"tools":[${tool("b")}]${named},"x":1.0`),
    );
  });
});

describe("the defaults of a model", () => {
  const withDefaults = (rest: string, kind: BackendKindName, defaults: Model["defaults"]) =>
    sent(chat(question, rest), kind, {}, defaults);

  test("go only to engines that know them", () => {
    const defaults = { temperature: "1", top_k: "40", min_p: "0.1", repetition_penalty: "1.1" };
    const all = ',"temperature":1,"top_k":40,"min_p":0.1';
    const got = Object.fromEntries(backendKindNames.map((kind) => [kind, withDefaults("", kind, defaults)]));
    expect(got).toEqual({
      sglang: chat(question, `${all},"repetition_penalty":1.1`),
      vllm: chat(question, `${all},"repetition_penalty":1.1`),
      ollama: chat(question, ',"temperature":1'),
      foundry_local: chat(question, ',"temperature":1'),
      llama_cpp: chat(question, `${all},"repeat_penalty":1.1`),
      openai: chat(question, ',"temperature":1'),
    });
  });

  test("are overridden by the engine's own name for the same, and by the newer name of the limit", () => {
    const own = ',"repeat_penalty":1.3';
    expect(withDefaults(own, "llama_cpp", { repetition_penalty: "1.1" })).toBe(chat(question, own));
    const limit = ',"max_completion_tokens":9';
    expect(withDefaults(limit, "vllm", { max_tokens: "64" })).toBe(chat(question, limit));
    expect(withDefaults(limit, "ollama", { max_tokens: "64" })).toContain('"max_tokens":9');
  });

  test("leave what the client sends to an engine that does not know it", () => {
    const own = ',"top_k":40';
    expect(withDefaults(own, "openai", { top_k: "20" })).toBe(chat(question, own));
  });
});
