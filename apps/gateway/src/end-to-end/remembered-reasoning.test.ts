import OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const M2 = "MiniMaxAI/MiniMax-M2";
const thoughts = [
  'The user asks for «Évreux»;\n\tI look at the weather: "temp" < 5? \u{1F682} \u2028 C:\\new',
  "Rain.\n\nNow the trains, which the <b>rain</b> may slow down",
] as const;
const calls = [
  { name: "get_weather", arguments: { city: "Évreux" } },
  { name: "get_trains", arguments: { from: "Évreux" } },
] as const;
const answer = "It rains, and trains are late.";
const question = { role: "user" as const, content: "May I take the train from Évreux?" };
const tools = calls.map(({ name }) => ({ type: "function" as const, function: { name, parameters: {} } }));

/** Answers as an engine does that parses calls, and thoughts where it parses them. */
const script = [
  ...thoughts.map((reasoning, turn) => ({ when: { turn }, reply: { reasoning, tool_calls: [calls[turn]!] } })),
  { when: { turn: 2 }, reply: { text: answer } },
];

type Engine = "sglang" | "vllm";
const yaml = (urls: Readonly<Record<Engine, string>>, keep = "remember_reasoning: 1h") => `
backends:
  sglang: { kind: sglang, url: "${urls.sglang}" }
  vllm: { kind: vllm, url: "${urls.vllm}" }
  any: { kind: openai, url: "${urls.sglang}" }
  inline: { kind: vllm, url: "${urls.vllm}", reasoning_history: inline }
models:
  m2: { on: [{ backend: sglang, model: ${M2}, dialect: minimax_m2 }], tools: true, ${keep}, fallback: [m2-vllm] }
  m2-vllm: { on: [{ backend: vllm, model: ${M2}, dialect: minimax_m2 }], tools: true, ${keep} }
  m2-any: { on: [{ backend: any, model: ${M2} }], tools: true, ${keep} }
  m2-inline: { on: [{ backend: inline, model: ${M2} }], tools: true, ${keep} }
  forgetful: { on: [{ backend: sglang, model: ${M2}, dialect: minimax_m2 }], tools: true }
teams:
  search: { keys: ["${hashKey("key-search")}"] }
  payments: { keys: ["${hashKey("key-payments")}"] }
`;

let gateway: TestGateway<Engine>;
let urls: Readonly<Record<Engine, string>>;
beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { sglang: { kind: "sglang", models: [M2], script }, vllm: { kind: "vllm", models: [M2], script } },
    yaml: (given) => {
      urls = given;
      return yaml(given);
    },
  });
});
afterAll(() => gateway.close());

const clientOf = (team = "search") => new OpenAI({ apiKey: `key-${team}`, baseURL: gateway.baseUrl, maxRetries: 0 });

type Message = Readonly<Record<string, unknown>>;
const lastBody = (engine: Engine): string =>
  gateway.engines[engine].log.findLast(({ method }) => method === "POST")?.body?.toString() ?? "";
/** The assistant messages that an engine was asked with last. */
const history = (engine: Engine): Message[] =>
  (JSON.parse(lastBody(engine)) as { messages: Message[] }).messages.filter(({ role }) => role === "assistant");

/** The first turn with a client that forgets the thought: its calls, as they are to be sent back. */
async function firstTurn(model: string, team?: string) {
  const { choices } = await clientOf(team).chat.completions.create({ model, messages: [question], tools });
  const { tool_calls, ...message } = choices[0]!.message;
  expect(message).toMatchObject({ reasoning_content: thoughts[0] });
  return { role: "assistant" as const, content: null, tool_calls: tool_calls! };
}

type Sent = Awaited<ReturnType<typeof firstTurn>>;
async function secondTurn(model: string, sent: Sent, team?: string): Promise<void> {
  const result = { role: "tool" as const, tool_call_id: sent.tool_calls[0]!.id, content: "rain" };
  await clientOf(team).chat.completions.create({ model, messages: [question, sent, result], tools });
}

const runnable = tools.map(({ type, function: { name, parameters } }) => {
  return { type, function: { name, parameters, description: name, parse: JSON.parse, function: () => "noted" } };
});
const runs: Record<string, (client: OpenAI, model: string) => Promise<string | null>> = {
  "runTools, streamed": (client, model) =>
    client.chat.completions.runTools({ model, stream: true, messages: [question], tools: runnable }).finalContent(),
  "runTools, whole": (client, model) =>
    client.chat.completions.runTools({ model, messages: [question], tools: runnable }).finalContent(),
  async "the stream helper, whose final message is sent back as it is"(client, model) {
    const messages: ChatCompletionMessageParam[] = [question];
    for (;;) {
      const stream = client.chat.completions.stream({ model, messages, tools });
      const message = await stream.finalMessage();
      const [call] = message.tool_calls ?? [];
      if (call === undefined) return message.content;
      messages.push(message, { role: "tool", tool_call_id: call.id, content: "noted" });
    }
  },
};

describe.each(Object.entries(runs))("%s", (_name, run) => {
  test.each([
    ["m2", "sglang", "reasoning_content"],
    ["m2-vllm", "vllm", "reasoning"],
    ["m2-any", "sglang", "reasoning_content"],
  ] as const)("with %s on %s, each thought is back in its place", async (model, engine, place) => {
    expect(await run(clientOf(), model)).toBe(answer);
    expect(history(engine).map((message) => message[place])).toEqual(thoughts);
    for (const thought of thoughts) expect(lastBody(engine)).toContain(`"${place}":${JSON.stringify(thought)}`);
  });

  test("a model that is not told to remember gets no more than the client sends", async () => {
    expect(await run(clientOf(), "forgetful")).toBe(answer);
    for (const [turn, message] of history("sglang").entries()) {
      const got = message.reasoning_content ?? "";
      expect(got).not.toBe(thoughts[turn]);
      expect(thoughts[turn]!.endsWith(got as string)).toBe(true);
    }
  });
});

test("a thought goes into the content where no field is read", async () => {
  await secondTurn("m2-inline", await firstTurn("m2-inline"));
  expect(history("vllm")[0]).toMatchObject({ content: `<think>\n${thoughts[0]}\n</think>\n\n` });
  expect(history("vllm")[0]).not.toHaveProperty("reasoning");
});

test("the rest of the request stays byte for byte as it came", async () => {
  const [call] = (await firstTurn("m2")).tool_calls;
  const turn = `{"tool_calls" : [ ${JSON.stringify(call)} ],"x":9007199254740993,"role":"assistant"}`;
  const body = (message: string, model: string) =>
    `{"messages" : [${JSON.stringify(question)}, ${message} , {"role":"tool","tool_call_id":"${call!.id}","content":"r\\u00e9"}],"model":"${model}","seed":1.0}`;
  const key = { authorization: "Bearer key-search" };
  expect((await gateway.post("/v1/chat/completions", body(turn, "m2"), key)).status).toBe(200);
  const thought = `,"reasoning_content":${JSON.stringify(thoughts[0])}`;
  const got = lastBody("sglang");
  expect(got.replace(thought, "")).toBe(body(turn, M2));
  expect(got).toContain(thought);
});

test("another team's id gets nothing", async () => {
  const sent = await firstTurn("m2");
  await secondTurn("m2", sent, "payments");
  expect(history("sglang")).toEqual([{ ...sent }]);
  await secondTurn("m2", sent);
  expect(history("sglang")[0]).toMatchObject({ reasoning_content: thoughts[0] });
});

test.each([
  [
    "a thought of its own",
    { reasoning_content: "I thought otherwise." },
    { reasoning_content: "I thought otherwise." },
  ],
  ["one by another name", { reasoning: "Otherwise." }, { reasoning_content: "Otherwise." }],
  ["one in the content", { content: "<think>Hm</think>\n\nSo:" }, { content: "<think>Hm</think>\n\nSo:" }],
  ["one whose beginning is cut", { reasoning_content: "C:\\new" }, { reasoning_content: thoughts[0] }],
  ["a null", { reasoning_content: null }, { reasoning_content: thoughts[0] }],
])("what the client sends wins: %s", async (_what, own, read) => {
  const sent = await firstTurn("m2");
  await secondTurn("m2", { ...sent, ...own } as Sent);
  expect(history("sglang")).toEqual([{ ...sent, ...read }]);
});

test("a call that stands many times in a request gets its thought once", async () => {
  const sent = await firstTurn("m2");
  const messages = [question, ...Array.from({ length: 50 }, () => sent)];
  await clientOf().chat.completions.create({ model: "m2", messages, tools });
  expect(history("sglang").filter((message) => "reasoning_content" in message)).toHaveLength(1);
  expect(history("sglang")[0]).toMatchObject({ reasoning_content: thoughts[0] });
});

test("a fallback reads the thought where it looks for it", async () => {
  const sent = await firstTurn("m2");
  gateway.engines.sglang.fault({ kind: "not_json", times: 1 });
  await secondTurn("m2", sent);
  expect(history("sglang")[0]).toMatchObject({ reasoning_content: thoughts[0] });
  expect(history("vllm")).toEqual([{ ...sent, reasoning: thoughts[0] }]);
});

test("thoughts outlive a reload, and a model that remembers no more gets none", async () => {
  const sent = await firstTurn("m2");
  await gateway.apply(yaml(urls, "strategy: ordered"));
  await secondTurn("m2", sent);
  expect(history("sglang")).toEqual([sent]);
  await gateway.apply(yaml(urls));
  await secondTurn("m2", sent);
  expect(history("sglang")[0]).toMatchObject({ reasoning_content: thoughts[0] });
});

test("they are counted, and stand in no log and no metric", async () => {
  const sent = await firstTurn("m2");
  const unknown = { ...sent, tool_calls: [{ ...sent.tool_calls[0]!, id: "call_7f3a9c2e5b1d4a6f8e0c9b7d" }] };
  await secondTurn("m2", unknown);
  const metrics = await gateway.metrics();
  for (const result of ["kept", "restored", "missing"]) {
    expect(metrics).toMatch(
      new RegExp(`^signalbox_reasoning_remembered_total\\{model="m2",result="${result}"\\} [1-9]`, "m"),
    );
  }
  for (const text of [metrics, gateway.logLines().join("\n")]) expect(text).not.toMatch(/I look at|slow down/);
});
