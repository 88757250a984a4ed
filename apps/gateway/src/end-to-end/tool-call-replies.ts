import type { KindName } from "@signalbox/simulator";
import { chunkOf, JSON_HEAD, LAST_CHUNK, recordedBody, STREAM_HEAD } from "../faults/raw-upstream.ts";

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** The kinds of engine that answer. */
export const kinds = ["vllm", "sglang", "ollama", "llama_cpp", "foundry_local"] as const satisfies readonly KindName[];
/** One of them. */
export type Engine = (typeof kinds)[number];

/** Arguments that most of the calls have. */
export const paris = '{"city":"Paris"}';
const rome = '{"city":"Rome"}';
const weather = `<tool_call>\n{"name": "get_weather", "arguments": ${paris}}\n</tool_call>`;
/** What every request declares. */
export const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: {
        type: "object",
        properties: { city: { type: "string" }, days: { type: "integer" }, fast: { type: "boolean" } },
        required: ["city"],
      },
    },
  },
  { type: "function", function: { name: "noargs", parameters: { type: "object", properties: {} } } },
];

const chunk = (delta: Fields | undefined, finish: string | null = null, more: Fields = {}): Fields => ({
  id: "c1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, ...(delta && { delta }), finish_reason: finish }],
  ...more,
});
const said = (content: string) => chunk({ content });
const calls = (...list: readonly Fields[]) => chunk({ tool_calls: list });
const call = (index: number | undefined, id: string | undefined, name: string | undefined, json: unknown): Fields => ({
  ...(index === undefined ? {} : { index }),
  ...(id === undefined ? {} : { id, type: "function" }),
  function: { ...(name === undefined ? {} : { name }), arguments: json },
});
const role = chunk({ role: "assistant", content: "" });
const end = (reason: string) => chunk({}, reason);
/** As engines tell it here. */
export const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };

/** A stream's events as bytes: payloads, or lines as they are. */
export const bytes = (events: readonly (Fields | string)[], done = true): string => {
  const lines = events.map((event) => (typeof event === "string" ? event : `data: ${JSON.stringify(event)}\n\n`));
  return STREAM_HEAD + [...lines, ...(done ? ["data: [DONE]\n\n"] : [])].map(chunkOf).join("") + LAST_CHUNK;
};

/** What a client has in the end. */
export interface Had {
  readonly content?: string;
  readonly reasoning?: string;
  /** Name and arguments. */
  readonly calls?: readonly (readonly [string, string])[];
  readonly finish: string;
}

interface Row {
  readonly what: string;
  readonly engine: Engine;
  readonly sends: readonly (Fields | string)[];
  readonly has: Had;
}

/** Streams, and what a client has of them. */
export const rows: readonly Row[] = [
  {
    what: "SS01 two calls at index 0, and SS09 the finish_reason stop",
    engine: "ollama",
    sends: [
      role,
      calls(call(0, "call_1", "get_weather", paris)),
      calls(call(0, "call_2", "get_weather", rome)),
      end("stop"),
    ],
    has: {
      calls: [
        ["get_weather", paris],
        ["get_weather", rome],
      ],
      finish: "tool_calls",
    },
  },
  {
    what: "SS02 a call in pieces",
    engine: "vllm",
    sends: [
      role,
      calls(call(0, "a", "get_weather", "")),
      calls(call(0, undefined, undefined, '{"city":')),
      calls(call(0, undefined, undefined, '"Paris"}')),
      end("tool_calls"),
    ],
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "SS03, SS18 and SS19 no index, no id, arguments as an object",
    engine: "ollama",
    sends: [role, calls({ function: { name: "get_weather", arguments: { city: "Paris" } } }), end("stop")],
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "SS04, SS05, SS23 and SS25 the place among the tools for an index, nulls, a call with the end",
    engine: "sglang",
    sends: [
      chunk({ role: "assistant", content: "", reasoning_content: null, tool_calls: null }),
      chunk({ role: null, content: null, tool_calls: [call(1, "a", "noargs", "{}")] }),
      chunk({ role: null, content: null, tool_calls: [call(-1, "b", "get_weather", paris)] }, "tool_calls"),
    ],
    has: {
      calls: [
        ["noargs", "{}"],
        ["get_weather", paris],
      ],
      finish: "tool_calls",
    },
  },
  {
    what: "SS06 a beginning of the arguments, and then all of them",
    engine: "sglang",
    sends: [
      role,
      calls(call(0, "a", "get_weather", "")),
      calls(call(0, undefined, undefined, '{"city":1{"city":1,"days":2}')),
      end("tool_calls"),
    ],
    has: { calls: [["get_weather", '{"city":1,"days":2}']], finish: "tool_calls" },
  },
  {
    what: "SS07 a name and never any arguments",
    engine: "vllm",
    sends: [role, calls(call(0, "a", "noargs", "")), end("tool_calls")],
    has: { calls: [["noargs", "{}"]], finish: "tool_calls" },
  },
  {
    what: "SS08 arguments one bracket short",
    engine: "vllm",
    sends: [role, calls(call(0, "a", "get_weather", '{"city":"Paris"')), end("tool_calls")],
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "SS10 finish_reason tool_calls and no call",
    engine: "vllm",
    sends: [role, said("Hi"), end("tool_calls")],
    has: { content: "Hi", finish: "stop" },
  },
  {
    what: "SS11 and SS13 a message beside the delta, and no finish_reason",
    engine: "foundry_local",
    sends: [
      {
        ...chunk({ content: "Hi", tool_calls: [] }),
        choices: [{ index: 0, delta: { content: "Hi", tool_calls: [] }, message: { content: "Hi", tool_calls: [] } }],
        CreatedAt: "2026-01-01T00:00:00Z",
        IsDelta: true,
        Successful: true,
        HttpStatusCode: 0,
      },
    ],
    has: { content: "Hi", finish: "stop" },
  },
  {
    what: "SS11 calls, and no finish_reason",
    engine: "foundry_local",
    sends: [role, calls(call(0, "a", "get_weather", paris)), calls(call(0, "b", "noargs", "{}"))],
    has: {
      calls: [
        ["get_weather", paris],
        ["noargs", "{}"],
      ],
      finish: "tool_calls",
    },
  },
  {
    what: "SS11 a call in the text, and no finish_reason",
    engine: "foundry_local",
    sends: [role, said('<|tool_call|>[{"name":"get_weather",'), said(`"arguments":${paris}}]<|/tool_call|>`)],
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "SS12 finish_reason twice",
    engine: "sglang",
    sends: [role, said("Hi"), end("stop"), end("stop")],
    has: { content: "Hi", finish: "stop" },
  },
  {
    what: "SS16 thought, text and call in one delta",
    engine: "ollama",
    sends: [
      chunk({ role: "assistant", content: "Hi.", reasoning: "Hm", tool_calls: [call(0, "a", "get_weather", paris)] }),
      end("tool_calls"),
    ],
    has: { content: "Hi.", reasoning: "Hm", calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "SS17 a parsed call whose text stands in the content, too",
    engine: "llama_cpp",
    sends: [role, said(weather), calls(call(0, "a", "get_weather", paris)), end("tool_calls")],
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "SS22 usage in every chunk",
    engine: "vllm",
    sends: [chunk({ role: "assistant", content: "Hi" }, null, { usage }), chunk({}, "stop", { usage })],
    has: { content: "Hi", finish: "stop" },
  },
  {
    what: "SS24 a name in each piece",
    engine: "llama_cpp",
    sends: [
      role,
      calls(call(0, "a", "get_weather", '{"city":')),
      calls(call(0, "a", "get_weather", '"Paris"}')),
      end("tool_calls"),
    ],
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "SS26 no space behind data:, other line ends, comments, two events in one chunk",
    engine: "sglang",
    sends: [
      `: hello\r\n\r\ndata:${JSON.stringify(role)}\r\n\r\ndata:${JSON.stringify(said(weather.slice(0, 9)))}\r\n\r\n`,
      `event: x\r\nid: 1\r\ndata: ${JSON.stringify(said(weather.slice(9))).slice(0, 40)}`,
      `${JSON.stringify(said(weather.slice(9))).slice(40)}\r\n\r\n`,
      end("stop"),
    ],
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "a call whose arguments were cut at the token limit",
    engine: "llama_cpp",
    sends: [role, said("Hi. "), calls(call(0, "a", "get_weather", '{"city":')), end("length")],
    has: { content: 'Hi. {"city":', finish: "length" },
  },
  {
    what: "a value that is cast to its declared type",
    engine: "sglang",
    sends: [
      role,
      said("<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n"),
      said("<parameter=fast>\nTrue\n</parameter>\n</function>\n</tool_call>"),
      end("stop"),
    ],
    has: { calls: [["get_weather", '{"city":"Paris","fast":true}']], finish: "tool_calls" },
  },
];

const of = (index: number, delta: Fields, finish: string | null = null): Fields => ({
  ...chunk({}),
  choices: [{ index, delta, finish_reason: finish }],
});
/** Two choices: a call, and «Hello you». */
export const interleaved = [
  of(0, { role: "assistant", content: weather.slice(0, 12) }),
  of(1, { role: "assistant", content: "Hello" }),
  of(0, { content: weather.slice(12, 40) }),
  of(1, { content: " you" }),
  of(1, {}, "stop"),
  of(0, { content: weather.slice(40) }),
  of(0, {}, "stop"),
];

/** A whole reply as bytes. */
export const jsonBytes = (body: Fields): string => {
  const text = JSON.stringify(body);
  return `${JSON_HEAD}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
};
const reply = (message: Fields, finish: string): Fields => ({
  id: "c1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message, finish_reason: finish }],
  usage,
});

/** Whole replies, and what a client has of them. */
export const wholes: readonly {
  readonly what: string;
  readonly engine: Engine;
  readonly body: Fields;
  readonly has: Had;
}[] = [
  {
    what: "SS04 index -1, and nulls",
    engine: "sglang",
    body: reply(
      {
        role: "assistant",
        content: null,
        reasoning_content: null,
        tool_calls: [call(-1, "a", "get_weather", paris)],
      },
      "tool_calls",
    ),
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "SS09 a named choice that ends with stop",
    engine: "vllm",
    body: reply(
      { role: "assistant", content: "", reasoning: "Hm", tool_calls: [call(undefined, "a", "get_weather", paris)] },
      "stop",
    ),
    has: { reasoning: "Hm", calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "a call in the text",
    engine: "llama_cpp",
    body: reply({ role: "assistant", content: `<think>Hm</think>\n\nHi.\n${weather}` }, "stop"),
    has: { reasoning: "Hm", content: "Hi.", calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    what: "a call whose arguments were cut at the token limit, though the engine says tool_calls",
    engine: "vllm",
    body: reply(
      { role: "assistant", content: null, tool_calls: [call(undefined, "a", "get_weather", '{"city"')] },
      "length",
    ),
    has: { content: '{"city"', finish: "length" },
  },
];

/** Streams of real engines, and what a client has of them. */
export const recorded: readonly { readonly file: string; readonly engine: Engine; readonly has: Had }[] = [
  {
    file: "ollama-0.33.0/fewshot_1.txt",
    engine: "ollama",
    has: { calls: [["get_weather", paris]], finish: "tool_calls" },
  },
  {
    file: "vllm-0.32.0/real-fewshot_1.txt",
    engine: "vllm",
    has: { calls: [["get_weather", '{"city": "Paris"}']], finish: "length" },
  },
  {
    file: "llama-server-0.5.0/tools-template-fewshot_1.txt",
    engine: "llama_cpp",
    has: { content: '{"city', calls: [["get_weather", '{"city": "Paris"}']], finish: "length" },
  },
];

/** A recorded stream as bytes. */
export const recordedBytes = (file: string): string => STREAM_HEAD + chunkOf(recordedBody(file)) + LAST_CHUNK;
