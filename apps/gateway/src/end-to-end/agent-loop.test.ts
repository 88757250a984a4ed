import type { SimulatorInput } from "@signalbox/simulator";
import OpenAI from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const M2 = "MiniMaxAI/MiniMax-M2";
const thoughts = [
  'The user asks for «Évreux»;\n\tI look at the weather: "temp" < 5? \u{1F682} \u2028 C:\\new',
  "Rain.\n\nNow the trains, which the <b>rain</b> may slow down",
] as const;
const results = ['{"sky": "rain", "°C": 4.0, "id": 9007199254740993}', "late: 7 min \u{1F682}"] as const;
const calls = [
  { name: "get_weather", arguments: { city: "Évreux", days: 2 } },
  { name: "get_trains", arguments: { from: "Évreux", note: 'a < b && </invoke> "q"' } },
] as const;
const question = { role: "user" as const, content: "May I take the train from Évreux?" };
const lastThought = "Enough.";
const answer = "It rains, and trains are 7 minutes late. \u{1F682}";

const tools = [
  { city: { type: "string" }, days: { type: "integer" } },
  { from: { type: "string" }, note: { type: "string" } },
].map((properties, turn) => ({
  type: "function" as const,
  function: { name: calls[turn]!.name, parameters: { type: "object", properties } },
}));

/** What MiniMax-M2 writes, or hands to a parser, in each turn. */
const call = ({ name, arguments: values }: (typeof calls)[number]): string => {
  const parameters = Object.entries(values).map(([key, value]) => `<parameter name="${key}">${value}</parameter>\n`);
  return `<minimax:tool_call>\n<invoke name="${name}">\n${parameters.join("")}</invoke>\n</minimax:tool_call>`;
};
const pieces = (text: string): string[] => text.match(/[\s\S]{1,7}/g) ?? [];
/** No parser at all: thoughts and calls in the text. `minimax-append-think` puts the opening tag in front; without it the template has it. */
const written = (open: string) => [
  ...thoughts.map((thought, turn) => ({
    when: { turn },
    reply: { deltas: pieces(`${open}${thought}\n</think>\n\n${call(calls[turn]!)}`), finish_reason: "stop" },
  })),
  { when: { turn: 2 }, reply: { deltas: pieces(`${open}${lastThought}\n</think>\n\n${answer}`) } },
];
/** With a parser for calls, and one for thoughts where the engine has one. */
const parsed = [
  ...thoughts.map((reasoning, turn) => ({ when: { turn }, reply: { reasoning, tool_calls: [calls[turn]!] } })),
  { when: { turn: 2 }, reply: { reasoning: lastThought, deltas: pieces(answer) } },
];

interface Setup {
  readonly engine: SimulatorInput;
  /** More of the backend's settings, and of the model's on it. */
  readonly backend?: string;
  readonly model?: string;
  /** What the engine is to read in an assistant message of the history, for this thought. */
  readonly reads: (thought: string) => Readonly<Record<string, unknown>>;
}

const inContent = (thought: string) => ({ content: `<think>\n${thought}\n</think>\n\n` });
const setups: Record<string, Setup> = {
  "SGLang without a call parser, thoughts glued in front": {
    engine: { kind: "sglang", models: [M2], script: written("<think>\n") },
    backend: ", tool_parser: raw",
    reads: (thought) => ({ content: null, reasoning_content: thought }),
  },
  "SGLang that parses the calls and leaves thoughts in the content": {
    engine: { kind: "sglang", models: [M2], script: parsed },
    reads: (thought) => ({ content: null, reasoning_content: thought }),
  },
  "SGLang without any parser, whose template opens the thought": {
    engine: { kind: "sglang", models: [M2], script: written("") },
    backend: ", tool_parser: raw, reasoning_history: inline",
    model: ", reasoning_first: true",
    reads: inContent,
  },
  "vLLM that parses calls and thoughts": {
    engine: { kind: "vllm", models: [M2], script: parsed },
    reads: (thought) => ({ content: null, reasoning: thought }),
  },
  "vLLM without a parser": {
    engine: { kind: "vllm", models: [M2], toolParser: false, script: written("<think>\n") },
    backend: ", tool_parser: raw",
    reads: (thought) => ({ content: null, reasoning: thought }),
  },
  "llama.cpp, whose parser is kept out": {
    engine: { kind: "llama_cpp", models: [M2], script: written("<think>\n") },
    backend: ", tool_parser: raw",
    reads: (thought) => ({ content: null, reasoning_content: thought }),
  },
  Ollama: {
    engine: { kind: "ollama", models: [M2], script: parsed },
    reads: (thought) => ({ content: null, reasoning: thought }),
  },
};

/** An assistant message as a program keeps it for the next turn. */
type Kept = OpenAI.ChatCompletionAssistantMessageParam & { readonly reasoning_content?: string };

async function askStreamed(client: OpenAI, messages: readonly ChatCompletionMessageParam[]) {
  const stream = client.chat.completions.stream({ model: "m2", messages: [...messages], tools });
  let reasoning = "";
  stream.on("chunk", ({ choices: [choice] }) => {
    reasoning += (choice?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? "";
  });
  const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0]!;
  const { content, tool_calls } = message;
  const kept = {
    role: "assistant",
    content: content || null,
    reasoning_content: reasoning,
  };
  return { finish: finish_reason, message: (tool_calls === undefined ? kept : { ...kept, tool_calls }) as Kept };
}

async function askWhole(client: OpenAI, messages: readonly ChatCompletionMessageParam[]) {
  const { choices } = await client.chat.completions.create({ model: "m2", messages: [...messages], tools });
  return { finish: choices[0]!.finish_reason, message: choices[0]!.message as Kept };
}

describe.each(Object.entries(setups))("%s", (_name, { engine, backend = "", model = "", reads }) => {
  let gateway: TestGateway<"engine">;
  let client: OpenAI;
  beforeAll(async () => {
    gateway = await startTestGateway({
      engines: { engine },
      yaml: (urls) => `
backends: { engine: { kind: ${engine.kind}, url: "${urls.engine}"${backend} } }
models: { m2: { on: [{ backend: engine, model: ${M2}, dialect: minimax_m2${model} }], tools: true } }
`,
    });
    client = new OpenAI({ apiKey: "EMPTY", baseURL: gateway.baseUrl, maxRetries: 0 });
  });
  afterAll(() => gateway.close());

  test.each([
    ["streamed", askStreamed],
    ["whole", askWhole],
  ] as const)(
    "question, call, result, call, result, answer, with each thought back in its place, %s",
    async (_how, ask) => {
      const messages: ChatCompletionMessageParam[] = [question];
      for (const [turn, thought] of thoughts.entries()) {
        const { finish, message } = await ask(client, messages);
        expect(finish).toBe("tool_calls");
        expect(message).toMatchObject({ role: "assistant", content: null, reasoning_content: thought });
        const [made, ...others] = message.tool_calls ?? [];
        expect(others).toEqual([]);
        expect(made).toMatchObject({ type: "function", function: { name: calls[turn]!.name } });
        expect(JSON.parse(made?.type === "function" ? made.function.arguments : "")).toEqual(calls[turn]!.arguments);
        messages.push(message, { role: "tool", tool_call_id: made!.id, content: results[turn]! });
      }
      const { finish, message } = await ask(client, messages);
      expect([finish, message.content, message.reasoning_content]).toEqual(["stop", answer, lastThought]);
      expectHistory(gateway.engines.engine.log.at(-1)?.body?.toString() ?? "", messages, reads);
    },
  );

  test("the client's own tool runner gets to the answer", async () => {
    const called: unknown[] = [];
    const runner = client.chat.completions.runTools({
      model: "m2",
      stream: true,
      messages: [question],
      tools: tools.map(({ type, function: { name, parameters } }, turn) => {
        const run = (values: object) => {
          called.push({ name, arguments: values });
          return results[turn]!;
        };
        return { type, function: { name, parameters, description: name, parse: JSON.parse, function: run } };
      }),
    });
    expect(await runner.finalContent()).toBe(answer);
    expect(called).toEqual(calls);
    expect(gateway.engines.engine.log.at(-1)?.body?.toString()).toContain(JSON.stringify(results[1]));
  });
});

/** The engine's bytes are the client's, but for the thoughts, which stand where this engine reads them. */
function expectHistory(body: string, sent: readonly ChatCompletionMessageParam[], reads: Setup["reads"]): void {
  const received = (JSON.parse(body) as { messages: readonly Kept[] }).messages;
  expect(received).toHaveLength(sent.length);
  for (const [place, message] of sent.entries()) {
    if (message.role !== "assistant") {
      expect(body).toContain(JSON.stringify(message));
      continue;
    }
    const { reasoning_content: thought, content: _, ...rest } = message as Kept;
    expect(received[place]).toEqual({ ...rest, ...reads(thought!) });
    expect(body).toContain(JSON.stringify(thought).slice(1, -1));
    expect(body).toContain(`"tool_calls":${JSON.stringify(message.tool_calls)}`);
  }
}
