import { ReplyEvent } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import {
  accumulate,
  call,
  chunk,
  delta,
  type Fields,
  type More,
  type Normalised,
  normaliseStream,
} from "./normaliser-replies.ts";

const paris = '{"city":"Paris"}';
const made = expect.stringMatching(/^call_[0-9a-f]{24}$/) as string;

/** How a stream begins. */
const role = delta({ role: "assistant", content: "" });
const end = (reason: string) => delta({}, reason);
const said = (...texts: readonly string[]) => texts.map((content) => delta({ content }));
const texts = ({ out }: Normalised) => out.map((json) => (json.choices as Fields[])[0]?.delta);

describe("an event that needs no change is the same object:", () => {
  const same = (chunks: readonly Fields[], more: More = {}) => {
    const events = chunks.map((json) => ReplyEvent.ofJson(json));
    const got = normaliseStream(events, more).events;
    expect(got).toHaveLength(events.length);
    for (const [place, event] of got.entries()) expect(event).toBe(events[place]);
  };

  test("a plain chat", () =>
    same([role, ...said("Hello", " world", ".\n", "a < b"), end("stop")], { tools: undefined }));
  test("role and text in one", () => same([delta({ role: "assistant", content: "Hi" }), end("stop")]));
  test("reasoning in its own field", () =>
    same([role, delta({ reasoning_content: "Hm" }), delta({ reasoning_content: " so" }), ...said("Hi"), end("stop")]));
  test("text and finish_reason in one", () => same([role, delta({ content: "Hi" }, "stop")]));
  test("the members that an engine adds", () =>
    same([
      role,
      delta({ content: "Hi" }, null, { stop_reason: null, logprobs: null }),
      delta({}, "stop", { matched_stop: 2 }),
    ]));
  test("a refusal, and a content in parts", () =>
    same([role, delta({ refusal: "No" }), delta({ content: [{ type: "text", text: "Hi" }] }), end("stop")]));
  test("whitespace that stood in front of nothing, with tools", () =>
    same([role, ...said("Hi", "\n\n", "you"), end("stop")]));
  test("text that began like a tag", () => same([role, ...said("<", "|", "im", "_end|>", "\n", "<"), end("length")]));
  test("text that ends like a tag begins", () => same([role, ...said("Hi", "<", "tool_"), end("stop")]));
  test("a role that came with text that was held back", () =>
    same([delta({ role: "assistant", content: "<" }), ...said("b"), end("stop")]));
  test("the usage chunk", () =>
    same([role, ...said("Hi"), end("stop"), chunk([], { usage: { total_tokens: 1 } })], { includeUsage: true }));
});

describe("a role leaves once, with the first delta,", () => {
  test("though the engine never tells one", () => {
    expect(texts(normaliseStream([...said("Hi", " you"), end("stop")]))).toEqual([
      { role: "assistant", content: "Hi" },
      { content: " you" },
      {},
    ]);
  });

  test("though its own was held back with a call", () => {
    const first = delta({ role: "assistant", content: "<tool_call>" });
    const got = normaliseStream([first, ...said('{"name":"noargs"}</tool_call>'), end("stop")]);
    expect(texts(got)).toEqual([{ role: "assistant", tool_calls: [call(made, "noargs", "{}", 0)] }, {}]);
  });

  test("though it came in a chunk with usage, or with nothing else", () => {
    const first = { ...role, usage: { total_tokens: 1 } };
    expect(texts(normaliseStream([first, ...said("Hi"), end("stop")]))).toEqual(
      [{ role: "assistant", content: "Hi" }, {}, {}].slice(0, 2),
    );
    const bare = delta({ role: "assistant", content: null, tool_calls: null });
    expect(texts(normaliseStream([bare, ...said("Hi"), end("stop")]))).toEqual([
      { role: "assistant", content: "Hi" },
      {},
    ]);
  });

  test("though nothing but an end comes", () => {
    expect(texts(normaliseStream([end("stop")]))).toEqual([{ role: "assistant" }]);
  });
});

describe("SS28 choices are kept apart,", () => {
  const of = (index: number, part: Fields, finish: string | null = null) => ({
    index,
    delta: part,
    finish_reason: finish,
  });
  const half = ['<tool_call>{"name":"get_weather",', '"arguments":{"city":"Paris"}}</tool_call>'] as const;
  const expected = [
    { role: "assistant", tool_calls: [{ ...call(made, "get_weather", paris) }], finish_reason: "tool_calls" },
    { role: "assistant", content: "Hello you", finish_reason: "stop" },
  ];

  test("interleaved", () => {
    const { out } = normaliseStream([
      chunk([of(0, { content: half[0] })]),
      chunk([of(1, { content: "Hello" })]),
      chunk([of(0, { content: half[1] })]),
      chunk([of(1, { content: " you" })]),
      chunk([of(1, {}, "stop")]),
      chunk([of(0, {}, "stop")]),
    ]);
    expect([accumulate(out, 0), accumulate(out, 1)]).toEqual(expected);
  });

  test("in one chunk", () => {
    const { out } = normaliseStream([
      chunk([of(0, { content: half[0] }), of(1, { content: "Hello" })]),
      chunk([of(0, { content: half[1] }), of(1, { content: " you" })]),
      chunk([of(0, {}, "stop"), of(1, {}, "stop")]),
    ]);
    expect([accumulate(out, 0), accumulate(out, 1)]).toEqual(expected);
  });

  test("when the stream is cut: what was held back of each comes out, and no end", () => {
    const { out } = normaliseStream(
      [chunk([of(0, { content: "Hi <tool" })]), chunk([of(1, { content: `${half[0]}` })]), chunk([of(2, {}, "stop")])],
      { cut: true },
    );
    expect([accumulate(out, 0), accumulate(out, 1)]).toEqual([
      { role: "assistant", content: "Hi <tool" },
      { role: "assistant", content: half[0] },
    ]);
  });
});

describe("logprobs are never lost:", () => {
  const token = (text: string) => ({ token: text, logprob: -1, bytes: null, top_logprobs: [] });
  const probed = (text: string) =>
    delta({ content: text }, null, { logprobs: { content: [token(text)], refusal: null } });
  const told = ({ out }: Normalised) =>
    out.flatMap(({ choices }) => {
      const { logprobs } = (choices as { logprobs?: { content: { token: string }[] } | null }[])[0]!;
      return logprobs?.content.map((one) => one.token) ?? [];
    });

  const pieces = ["Let me", " see", ".", "<tool", "_call>", '{"name":', '"noargs"}', "</tool_call>", "\n"];

  test("those of a call ride on its delta, in order", () => {
    const got = normaliseStream([role, ...pieces.map(probed), end("stop")]);
    expect(told(got)).toEqual(pieces);
    const last = got.out.findLast(({ choices }) => (choices as { delta: Fields }[])[0]!.delta.tool_calls !== undefined);
    expect((last!.choices as Fields[])[0]).toMatchObject({
      logprobs: { content: pieces.slice(3, 8).map((text) => ({ token: text })) },
    });
  });

  test("those of text that is cut in another way, and of a long call", () => {
    const long = [
      "Hi ",
      "<tool_call>",
      '{"name":"noargs","arguments":{"a":"',
      ..."x".repeat(100),
      '"}}',
      "</tool_call>",
    ];
    expect(told(normaliseStream([role, ...long.map(probed), end("stop")]))).toEqual(long);
  });

  test("those of what nobody gets to see ride on the end", () => {
    const thought = ["<think>", "\n", "</think>"];
    const got = normaliseStream([role, ...thought.map(probed), end("stop")]);
    expect(told(got)).toEqual(thought);
    expect(texts(got)).toEqual([role, end("stop")].map(({ choices }) => (choices as Fields[])[0]!.delta));
  });
});
