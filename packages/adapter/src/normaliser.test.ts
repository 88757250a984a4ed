import { describe, expect, test } from "vitest";
import { call, chunk, delta, type Fields, type More, normaliseStream, tools } from "./normaliser-replies.ts";

const paris = '{"city":"Paris"}';
const rome = '{"city":"Rome"}';
const made = expect.stringMatching(/^call_[0-9a-f]{24}$/) as string;

/** How a stream begins. */
const role = delta({ role: "assistant", content: "" });
const calls = (...list: readonly Fields[]) => delta({ tool_calls: list });
const end = (reason: string) => delta({}, reason);
const said = (...texts: readonly string[]) => texts.map((content) => delta({ content }));
const weather = '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Paris"}}\n</tool_call>';

interface Row {
  readonly what: string;
  readonly sends: readonly Fields[];
  readonly leaves: readonly Fields[];
  readonly outcomes?: readonly string[];
  readonly failed?: readonly string[];
  readonly more?: More;
}

/** Each stream begins with the role, which leaves as it came. */
const rows: readonly Row[] = [
  {
    what: "SS01 two calls at index 0, with ids of their own",
    sends: [calls(call("a", "get_weather", paris, 0)), calls(call("b", "get_weather", rome, 0)), end("tool_calls")],
    leaves: [calls(call("a", "get_weather", paris, 0)), calls(call("b", "get_weather", rome, 1)), end("tool_calls")],
    outcomes: ["clean", "clean"],
  },
  {
    what: "SS02 one call in pieces, with the same id",
    sends: [
      calls(call("a", "get_weather", "", 0)),
      calls({ index: 0, id: "a", function: { arguments: '{"city":' } }),
      calls({ index: 0, function: { arguments: '"Paris"}' } }),
      end("tool_calls"),
    ],
    leaves: [calls(call("a", "get_weather", paris, 0)), end("tool_calls")],
  },
  {
    what: "SS03 no index",
    sends: [calls(call("a", "get_weather", paris)), calls(call("b", "noargs", "{}")), end("tool_calls")],
    leaves: [calls(call("a", "get_weather", paris, 0)), calls(call("b", "noargs", "{}", 1)), end("tool_calls")],
  },
  {
    what: "SS04 index -1",
    sends: [calls(call("a", "get_weather", paris, -1)), end("tool_calls")],
    leaves: [calls(call("a", "get_weather", paris, 0)), end("tool_calls")],
  },
  {
    what: "SS05 the place among the declared tools for an index",
    sends: [calls(call("a", "noargs", "{}", 7)), calls(call("b", "get_weather", paris, 2)), end("tool_calls")],
    leaves: [calls(call("a", "noargs", "{}", 0)), calls(call("b", "get_weather", paris, 1)), end("tool_calls")],
  },
  {
    what: "SS06 a beginning of the arguments, and then all of them",
    sends: [
      calls(call("a", "get_weather", "", 0)),
      calls({ index: 0, id: null, function: { name: null, arguments: '{"city":1{"city":1,"days":2}' } }),
      end("tool_calls"),
    ],
    leaves: [calls(call("a", "get_weather", '{"city":1,"days":2}', 0)), end("tool_calls")],
    outcomes: ["repaired"],
  },
  {
    what: "SS06 arguments that are no JSON at all: they are text",
    sends: [calls(call("a", "get_weather", "Paris, please", 0)), end("tool_calls")],
    leaves: [delta({ content: "Paris, please" }), end("stop")],
    failed: ["engine"],
  },
  {
    what: "SS07 a name, and never any arguments",
    sends: [calls(call("a", "noargs", "", 0)), end("tool_calls")],
    leaves: [calls(call("a", "noargs", "{}", 0)), end("tool_calls")],
    outcomes: ["repaired"],
  },
  {
    what: "SS07 a name without the arguments that the tool needs",
    sends: [calls(call("a", "get_weather", "", 0)), end("tool_calls")],
    leaves: [end("stop")],
    failed: ["engine"],
  },
  {
    what: "SS08 arguments that end one bracket short",
    sends: [calls(call("a", "get_weather", '{"city":"Paris"', 0)), end("tool_calls")],
    leaves: [calls(call("a", "get_weather", paris, 0)), end("tool_calls")],
    outcomes: ["repaired"],
  },
  {
    what: "arguments cut at the token limit: they are text, and the call beside them stands",
    sends: [calls(call("a", "noargs", "{}", 0)), calls(call("b", "get_weather", '{"city":', 1)), end("length")],
    leaves: [calls(call("a", "noargs", "{}", 0)), delta({ content: '{"city":' }), end("length")],
    failed: ["engine"],
  },
  {
    what: "SS09 calls and finish_reason stop",
    sends: [calls(call("a", "get_weather", paris, 0)), end("stop")],
    leaves: [calls(call("a", "get_weather", paris, 0)), end("tool_calls")],
  },
  {
    what: "SS10 finish_reason tool_calls and no call",
    sends: [...said("Hi"), end("tool_calls")],
    leaves: [...said("Hi"), end("stop")],
  },
  {
    what: "SS12 finish_reason twice",
    sends: [...said("Hi"), end("stop"), end("stop")],
    leaves: [...said("Hi"), end("stop")],
  },
  {
    what: "SS13 a message beside the delta, and an engine's own members",
    sends: [
      chunk([{ index: 0, delta: { content: "Hi", tool_calls: [] }, message: { content: "Hi" }, finish_reason: null }], {
        CreatedAt: "2026-01-01",
        IsDelta: true,
        Successful: true,
        HttpStatusCode: 0,
      }),
      end("stop"),
    ],
    leaves: [...said("Hi"), end("stop")],
  },
  {
    what: "SS14 reasoning under vLLM's and Ollama's name",
    sends: [delta({ reasoning: "Hm" }), delta({ reasoning: ", so" }), ...said("Hi"), end("stop")],
    leaves: [delta({ reasoning_content: "Hm" }), delta({ reasoning_content: ", so" }), ...said("Hi"), end("stop")],
  },
  {
    what: "SS15 reasoning_details that grow",
    sends: [
      delta({ reasoning_details: [{ text: "The user" }] }),
      delta({ reasoning_details: [{ text: "The user asks" }] }),
      ...said("Hi"),
      end("stop"),
    ],
    leaves: [
      delta({ reasoning_content: "The user" }),
      delta({ reasoning_content: " asks" }),
      ...said("Hi"),
      end("stop"),
    ],
  },
  {
    what: "SS15 reasoning_details that are new each time",
    sends: [
      delta({ reasoning_details: [{ text: "The user" }] }),
      delta({ reasoning_details: [{ text: " asks" }] }),
      end("stop"),
    ],
    leaves: [delta({ reasoning_content: "The user" }), delta({ reasoning_content: " asks" }), end("stop")],
  },
  {
    what: "SS16 reasoning, content and a call in one delta",
    sends: [
      delta({ content: "Hi.", reasoning_content: "Hm", tool_calls: [call("a", "get_weather", paris, 0)] }),
      end("tool_calls"),
    ],
    leaves: [
      delta({ reasoning_content: "Hm" }),
      ...said("Hi."),
      calls(call("a", "get_weather", paris, 0)),
      end("tool_calls"),
    ],
  },
  {
    what: "SS17 a parsed call whose text stands in the content, too",
    sends: [...said(weather), calls(call("a", "get_weather", '{ "city": "Paris" }', 0)), end("tool_calls")],
    leaves: [calls(call(made, "get_weather", paris, 0)), end("tool_calls")],
    outcomes: ["leaked"],
  },
  {
    what: "SS18 arguments that are an object",
    sends: [
      calls({ index: 0, id: "a", type: "function", function: { name: "get_weather", arguments: { city: "Paris" } } }),
      end("tool_calls"),
    ],
    leaves: [calls(call("a", "get_weather", paris, 0)), end("tool_calls")],
  },
  {
    what: "SS19 no type and no id",
    sends: [calls({ index: 0, function: { name: "get_weather", arguments: paris } }), end("tool_calls")],
    leaves: [calls(call(made, "get_weather", paris, 0)), end("tool_calls")],
  },
  {
    what: "SS22 usage in every chunk",
    sends: [
      { ...delta({ content: "Hi" }), usage: { total_tokens: 1 } },
      { ...end("stop"), usage: { total_tokens: 2 } },
    ],
    leaves: [...said("Hi"), end("stop")],
  },
  {
    what: "SS22 usage in every chunk, for a client that asked",
    sends: [
      { ...delta({ content: "Hi" }), usage: { total_tokens: 1 } },
      { ...end("stop"), usage: { total_tokens: 2 } },
    ],
    leaves: [...said("Hi"), end("stop"), chunk([], { usage: { total_tokens: 2 } })],
    more: { includeUsage: true },
  },
  {
    what: "SS22 usage in every chunk and in one of its own",
    sends: [
      { ...delta({ content: "Hi" }), usage: { total_tokens: 1 } },
      end("stop"),
      chunk([], { usage: { total_tokens: 2 } }),
    ],
    leaves: [...said("Hi"), end("stop"), chunk([], { usage: { total_tokens: 2 } })],
    more: { includeUsage: true },
  },
  {
    what: "SS23 nulls, and a role in each delta",
    sends: [
      delta({ role: null, content: "Hi", reasoning_content: null, tool_calls: null }),
      delta({ role: "assistant", content: " you" }),
      delta({ role: null, content: null, tool_calls: null }),
      delta({ role: null, content: null, tool_calls: null }, "stop"),
    ],
    leaves: [...said("Hi", " you"), end("stop")],
  },
  {
    what: "SS24 a name in each piece of a call",
    sends: [
      calls(call("a", "get_weather", "", 0)),
      calls(call("a", "get_weather", '{"city":', 0)),
      calls(call("a", "get_weather", '"Paris"}', 0)),
      end("tool_calls"),
    ],
    leaves: [calls(call("a", "get_weather", paris, 0)), end("tool_calls")],
  },
  {
    what: "SS25 a whole call and the finish_reason in one chunk",
    sends: [delta({ content: "Hi.", tool_calls: [call("a", "get_weather", paris, 0)] }, "tool_calls")],
    leaves: [...said("Hi."), calls(call("a", "get_weather", paris, 0)), end("tool_calls")],
  },
  {
    what: "a call in the text, in pieces, with prose around it",
    sends: [
      ...said("Let me see.\n\n<tool", '_call>{"name":"get_weather",', '"arguments":{"city":"Paris"}}</tool_call', ">"),
      end("stop"),
    ],
    leaves: [...said("Let me see."), calls(call(made, "get_weather", paris, 0)), end("tool_calls")],
    outcomes: ["leaked"],
  },
  {
    what: "a thought in the text of an engine that splits none off",
    sends: [...said("<think>", "Hm", "</think>", "\n\nHi"), end("stop")],
    leaves: [delta({ reasoning_content: "Hm" }), ...said("Hi"), end("stop")],
  },
  {
    what: "a thought that the engine splits off, where the model begins inside one",
    sends: [delta({ reasoning_content: "Hm" }), ...said("Hi"), end("stop")],
    leaves: [delta({ reasoning_content: "Hm" }), ...said("Hi"), end("stop")],
    more: { dialect: "minimax_m2", reasoningFirst: true },
  },
  {
    what: "a thought that began in the prompt",
    sends: [...said("Hm</think>", "Hi"), end("stop")],
    leaves: [delta({ reasoning_content: "Hm" }), ...said("Hi"), end("stop")],
    more: { dialect: "minimax_m2", reasoningFirst: true },
  },
  {
    what: "a call inside the thought that the engine split off",
    sends: [
      delta({ reasoning_content: "I look it up.\n<minimax:tool_call>\n" }),
      delta({ reasoning_content: '<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n</invoke>' }),
      delta({ reasoning_content: "\n</minimax:tool_call>" }),
      end("stop"),
    ],
    leaves: [
      delta({ reasoning_content: "I look it up.\n" }),
      calls(call(made, "get_weather", paris, 0)),
      end("tool_calls"),
    ],
    more: { dialect: "minimax_m2" },
  },
  {
    what: "a call inside the thought that the engine split off, of Kimi K2",
    sends: [
      delta({
        reasoning_content:
          "Hm<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:3<|tool_call_argument_begin|>" +
          `${paris}<|tool_call_end|><|tool_calls_section_end|>`,
      }),
      end("stop"),
    ],
    leaves: [
      delta({ reasoning_content: "Hm" }),
      calls(call("functions.get_weather:3", "get_weather", paris, 0)),
      end("tool_calls"),
    ],
    more: { dialect: "kimi_k2" },
  },
  {
    what: "members of a delta that are no text and no call",
    sends: [delta({ role: null, refusal: "I can't", content: null }), end("stop")],
    leaves: [delta({ refusal: "I can't" }), end("stop")],
  },
  {
    what: "a call of the kind that came before tool_calls",
    sends: [delta({ function_call: { name: "get_weather", arguments: paris } }), end("function_call")],
    leaves: [delta({ function_call: { name: "get_weather", arguments: paris } }), end("function_call")],
  },
  {
    what: "a chunk without a delta",
    sends: [...said("Hi"), chunk([{ index: 0, finish_reason: "stop" }])],
    leaves: [...said("Hi"), end("stop")],
  },
  {
    what: "text that ends like the beginning of a tag",
    sends: [...said("a <tool_c"), end("stop")],
    leaves: [...said("a", " <tool_c"), end("stop")],
  },
];

describe("a stream of chunks becomes what OpenAI's would be:", () => {
  test.each(rows)("$what", ({ sends, leaves, outcomes, failed = [], more }) => {
    const got = normaliseStream([role, ...sends], more);
    expect(got.out).toStrictEqual([role, ...leaves]);
    if (outcomes !== undefined) expect(got.calls.map(({ outcome }) => outcome)).toEqual(outcomes);
    expect(got.failed).toEqual(failed);
  });
});

describe("what may not be looked for:", () => {
  const text = "<think>Hm</think>Hi. <tool_call>{}</tool_call>";
  const sends = [role, ...said(`<think>Hm</think>${weather}`), end("stop")];
  const stays = [role, delta({ reasoning_content: "Hm" }), ...said(weather), end("stop")];

  test.each<[string, More]>([
    ["no tools", { tools: undefined }],
    ["an empty list of tools", { tools: [] }],
    ["tool_choice none", { toolChoice: "none" }],
  ])("%s: calls stay text, thoughts do not", (_, more) => {
    expect(normaliseStream(sends, more).out).toStrictEqual(stays);
  });

  test("dialect none: no call, though the engine's own are put in order", () => {
    const got = normaliseStream([role, ...said(weather), calls(call("a", "noargs", "{}", 3)), end("stop")], {
      dialect: "none",
    });
    expect(got.out).toStrictEqual([role, ...said(weather), calls(call("a", "noargs", "{}", 0)), end("tool_calls")]);
  });

  test("dialect none leaves thoughts where they are", () => {
    const { events } = normaliseStream([role, ...said(text), end("stop")], { dialect: "none" });
    expect(events.map(({ json }) => json)).toStrictEqual([role, ...said(text), end("stop")]);
  });
});

describe("a choice of tools that forces a call takes bare JSON for one,", () => {
  const bare = '{"name": "get_weather", "arguments": {"city":"Paris"}}';
  const sends = [role, ...said(bare), end("stop")];
  const named = { type: "function", function: { name: "get_weather" } };

  test.each<[string, unknown]>([
    ["required", "required"],
    ["a named tool", named],
  ])("%s", (_, toolChoice) => {
    const got = normaliseStream(sends, { dialect: "minimax_m2", toolChoice });
    expect(got.out).toStrictEqual([role, calls(call(made, "get_weather", paris, 0)), end("tool_calls")]);
  });

  test("and without one, in a dialect that has none, it is an answer", () => {
    expect(normaliseStream(sends, { dialect: "minimax_m2", toolChoice: "auto" }).out).toStrictEqual(sends);
  });

  test("but not in the dialect none", () => {
    expect(normaliseStream(sends, { dialect: "none", toolChoice: "required" }).out).toStrictEqual(sends);
  });
});

test("tools that are nonsense declare nothing, and nothing throws", () => {
  for (const nonsense of [null, 1, "x", [null, 1, {}, { function: null }], { length: 3 }]) {
    expect(normaliseStream([role, ...said(weather), end("stop")], { tools: nonsense }).out).toHaveLength(3);
  }
  expect(normaliseStream([role, ...said(weather), end("stop")], { tools, toolChoice: null }).calls).toHaveLength(1);
});
