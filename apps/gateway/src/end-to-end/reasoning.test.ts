import type { SimulatorInput } from "@signalbox/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chunkOf, LAST_CHUNK, STREAM_HEAD } from "../faults/raw-upstream.ts";
import { readAnswer } from "../faults/wire-client.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const thought = "The user greets me;\n\n<b>I greet</b> back: 2 < 3, café \u{1F682}";
const answer = "Hello, \u2028 you!";
const pieces = (text: string): string[] => text.match(/[\s\S]{1,5}/g) ?? [];

interface Setup {
  readonly what: string;
  readonly engine: SimulatorInput;
  /** More of the model's settings on its backend. */
  readonly model?: string;
  /** What the client has, where it is other than `thought` and `answer`. */
  readonly has?: { readonly reasoning?: string; readonly content?: string };
}

const spoken = { reply: { reasoning: thought, deltas: pieces(answer), finish_reason: "stop" } };
const written = (text: string) => [{ reply: { deltas: pieces(text), finish_reason: "stop" } }];

const setups: Readonly<Record<string, Setup>> = {
  vllm: { what: "vLLM, with a parser: `reasoning`", engine: { kind: "vllm", script: [spoken] } },
  sglang: { what: "SGLang, with a parser: `reasoning_content`", engine: { kind: "sglang", script: [spoken] } },
  ollama: { what: "Ollama: `reasoning`", engine: { kind: "ollama", script: [spoken] } },
  llama: { what: "llama-server: `reasoning_content`", engine: { kind: "llama_cpp", script: [spoken] } },
  split_first: {
    what: "an engine that splits thoughts off, of a model that begins in one",
    engine: { kind: "vllm", script: [spoken] },
    model: "dialect: minimax_m2, reasoning_first: true",
  },
  glued: {
    what: "SGLang with `minimax-append-think`: the tag glued in front",
    engine: { kind: "sglang", script: written(`<think>${thought}\n</think>\n\n${answer}`) },
  },
  glued_twice: {
    what: "the same where the model wrote its own tag, too",
    engine: { kind: "sglang", script: written(`<think><think>\n${thought}</think>\n${answer}`) },
    model: "dialect: minimax_m2, reasoning_first: true",
  },
  in_prompt: {
    what: "no parser, and the opening tag in the prompt",
    engine: { kind: "vllm", toolParser: false, script: written(`${thought}\n</think>\n\n${answer}`) },
    model: "dialect: minimax_m2, reasoning_first: true",
  },
  never_closed: {
    what: "a thought that began in the prompt and never ends",
    engine: { kind: "vllm", script: written(thought) },
    model: "dialect: minimax_m2, reasoning_first: true",
    has: { content: "" },
  },
  orphan: {
    what: "a closing tag without a beginning: it is text",
    engine: { kind: "vllm", script: written(`${answer}</think>${answer}`) },
    has: { reasoning: "", content: `${answer}</think>${answer}` },
  },
  later: {
    what: "a thought behind text: it is text",
    engine: { kind: "llama_cpp", script: written(`${answer}<think>${thought}</think>`) },
    has: { reasoning: "", content: `${answer}<think>${thought}</think>` },
  },
  empty: {
    what: "an empty thought: there is none",
    engine: { kind: "sglang", script: written(`<think>\n\n</think>\n\n${answer}`) },
    has: { reasoning: "" },
  },
  none: {
    what: "the dialect none: nothing is looked for",
    engine: { kind: "vllm", script: written(`<think>${thought}</think>${answer}`) },
    model: "dialect: none",
    has: { reasoning: "", content: `<think>${thought}</think>${answer}` },
  },
};

const growing = Array.from(pieces(thought), (_, place, all = pieces(thought)) => all.slice(0, place + 1).join(""));
const event = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
/** HTTP chunks count bytes. */
const ascii = (text: string): string =>
  text.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
const hosted = [
  event({ role: "assistant", content: "" }),
  ...growing.map((text) => event({ reasoning_details: [{ type: "reasoning.text", index: 0, text }] })),
  event({ content: answer }),
  event({}, "stop"),
  "data: [DONE]\n\n",
].map(ascii);

let gateway: TestGateway<string>;
beforeAll(async () => {
  const engines = Object.entries(setups).map(([name, { engine }]) => [name, { ...engine, models: ["m"] }] as const);
  gateway = await startTestGateway<string>({
    engines: {
      ...Object.fromEntries(engines),
      hosted: {
        kind: "openai",
        models: ["m"],
        script: [
          { when: { stream: true }, reply: { raw: STREAM_HEAD + hosted.map(chunkOf).join("") + LAST_CHUNK } },
          {
            reply: {
              status: 200,
              body: {
                choices: [
                  {
                    message: {
                      role: "assistant",
                      content: answer,
                      reasoning_details: [{ type: "reasoning.text", text: thought }],
                    },
                    finish_reason: "stop",
                  },
                ],
              },
            },
          },
        ],
      },
    },
    yaml: (urls) => `
backends:
${[...engines, ["hosted", { kind: "openai" }] as const].map(([name, { kind }]) => `  ${name}: { kind: ${kind}, url: "${urls[name]}" }`).join("\n")}
models:
  hosted: { on: [{ backend: hosted, model: m }] }
${Object.entries(setups)
  .map(
    ([name, { model }]) =>
      `  ${name}: { on: [{ backend: ${name}, model: m${model === undefined ? "" : `, ${model}`} }] }`,
  )
  .join("\n")}
`,
  });
});
afterAll(() => gateway.close());

interface Part {
  readonly content?: string | null;
  readonly reasoning_content?: string;
}

async function ask(model: string, stream: boolean) {
  const response = await gateway.post("/v1/chat/completions", {
    model,
    stream,
    messages: [{ role: "user", content: "hi" }],
  });
  const headers = { "content-type": response.headers.get("content-type") ?? "" };
  const reading = readAnswer({ text: await response.text(), headers });
  const choices = reading.chunks.flatMap((chunk) => chunk.choices ?? []) as { delta?: Part; message?: Part }[];
  const parts = choices.map(({ delta, message }) => delta ?? message ?? {});
  return {
    status: response.status,
    finishes: reading.finishes,
    content: parts.map(({ content }) => content ?? "").join(""),
    reasoning: parts.map(({ reasoning_content }) => reasoning_content ?? "").join(""),
    fields: new Set(parts.flatMap(Object.keys)),
    mixed: parts.filter(({ content, reasoning_content }) => content && reasoning_content).length,
  };
}

const rows = Object.entries({
  ...setups,
  hosted: { what: "a hosted MiniMax: `reasoning_details` that grow" } as Setup,
});

describe.each([
  { mode: "streamed", stream: true },
  { mode: "whole", stream: false },
])("a thought has one shape ($mode):", ({ stream }) => {
  test.each(rows)("%s", async (name, { has = {} }) => {
    const got = await ask(name, stream);
    expect(got).toMatchObject({ status: 200, finishes: ["stop"], content: answer, reasoning: thought, ...has });
    const known = ["role", "content", "reasoning_content", "refusal", "annotations", "audio", "function_call"];
    expect([...got.fields].filter((field) => !known.includes(field))).toEqual([]);
    if (stream) expect(got.mixed).toBe(0);
  });
});
