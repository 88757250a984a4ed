import { dialectNames } from "@signalbox/adapter";
import { dialects } from "@signalbox/adapter/vectors";
import OpenAI, { APIError } from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Gateway } from "../runtime/gateway.ts";
import { startRealGateway } from "./real-gateway.ts";
import { startVllm, type VllmServer } from "./vllm-process.ts";

const written = dialectNames.filter((name) => dialects[name].example !== "");

let server: VllmServer;
let gateway: Gateway;
let client: OpenAI;

beforeAll(async () => {
  server = await startVllm();
  gateway = await startRealGateway(`
backends:
  parsing: { kind: vllm, url: "${server.url}" }
  raw: { kind: vllm, url: "${server.url}", tool_parser: raw }
models:
  parsed: { on: [{ backend: parsing, model: tiny }], tools: true }
${written.map((name) => `  raw/${name}: { on: [{ backend: raw, model: tiny, dialect: ${name} }], tools: true }`).join("\n")}
`);
  await gateway.probed;
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "EMPTY", maxRetries: 0 });
}, 300_000);

afterAll(async () => {
  await gateway?.close();
  await server?.stop();
});

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function" as const, function: { name: "get_weather", parameters } }];
const question = { role: "user" as const, content: "Weather in Lyon?" };

interface Ask {
  readonly model: string;
  /** The engine constrains its random model to this text. */
  readonly writes: string;
  readonly messages?: readonly ChatCompletionMessageParam[];
  readonly maxTokens?: number;
}

const bodyOf = ({ model, writes, messages = [question], maxTokens = 400 }: Ask) => ({
  model,
  messages: [...messages],
  tools,
  max_tokens: maxTokens,
  structured_outputs: { choice: [writes] },
});

/** Asks with the client's streaming helper. */
async function askStreamed(ask: Ask) {
  const stream = client.chat.completions.stream({ ...bodyOf(ask), stream_options: { include_usage: true } });
  let reasoning = "";
  stream.on("chunk", ({ choices: [choice] }) => {
    reasoning += (choice?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? "";
  });
  return { ...readReply(await stream.finalChatCompletion()), reasoning };
}

async function askWhole(ask: Ask) {
  const completion = await client.chat.completions.create(bodyOf(ask));
  const message = completion.choices[0]!.message as { reasoning_content?: string };
  return { ...readReply(completion), reasoning: message.reasoning_content ?? "" };
}

function readReply({ choices: [choice], usage }: OpenAI.ChatCompletion) {
  const { message, finish_reason: finish } = choice!;
  const calls = (message.tool_calls ?? []).flatMap((call) => (call.type === "function" ? [call] : []));
  return { finish, content: message.content ?? "", calls, promptTokens: usage!.prompt_tokens };
}

const ways = [
  ["streamed", askStreamed],
  ["whole", askWhole],
] as const;

test("a server without a parser refuses tools, and in raw mode it takes them", async () => {
  const refused = await askWhole({ model: "parsed", writes: "x" }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(APIError);
  console.log(`with tool_parser: engine: ${(refused as APIError).status} ${(refused as APIError).message}`);
  const taken = await askWhole({ model: "raw/hermes", writes: "It is sunny." });
  expect([taken.finish, taken.content, taken.calls]).toEqual(["stop", "It is sunny.", []]);
});

test.each(ways)(
  "thought, call, result, answer, and the engine reads the thought of the turn before, %s",
  async (_how, ask) => {
    const model = "raw/minimax_m2";
    const thought = "The user asks for Lyon,\nso I look.";
    const first = await ask({ model, writes: `<think>\n${thought}\n</think>\n\n${dialects.minimax_m2.example}` });
    expect([first.finish, first.content, first.reasoning]).toEqual(["tool_calls", "", thought]);
    const [call] = first.calls;
    expect(JSON.parse(call!.function.arguments)).toEqual({ city: "Lyon" });
    const history = (kept: object): ChatCompletionMessageParam[] => [
      question,
      { role: "assistant", content: null, tool_calls: first.calls, ...kept },
      { role: "tool", tool_call_id: call!.id, content: "sunny" },
    ];
    const answer = { model, writes: "It is sunny." };
    const second = await ask({ ...answer, messages: history({ reasoning_content: first.reasoning }) });
    expect([second.finish, second.content, second.calls]).toEqual(["stop", "It is sunny.", []]);
    const forgetful = await ask({ ...answer, messages: history({}) });
    expect(second.promptTokens).toBeGreaterThan(forgetful.promptTokens + 10);
  },
);

test.each(ways)(
  "a call that is cut at the token limit is text, and the finish_reason stays length, %s",
  async (_how, ask) => {
    const writes = dialects.minimax_m2.example;
    const cut = await ask({ model: "raw/minimax_m2", writes, maxTokens: 40 });
    expect([cut.finish, cut.calls]).toEqual(["length", []]);
    expect(cut.content.length).toBeGreaterThan(20);
    expect(writes.startsWith(cut.content)).toBe(true);
  },
);

test.each(written)("a call in the dialect %s comes out of the stream", async (dialect) => {
  const { finish, content, calls } = await askStreamed({ model: `raw/${dialect}`, writes: dialects[dialect].example });
  expect([finish, content, calls.length]).toEqual(["tool_calls", "", 1]);
  expect(JSON.parse(calls[0]!.function.arguments)).toEqual({ city: "Lyon" });
});
