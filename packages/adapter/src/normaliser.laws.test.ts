import fc from "fast-check";
import { expect, test } from "vitest";
import { dialectNames } from "./dialects.ts";
import {
  type Accumulated,
  accumulate,
  chunk,
  type Fields,
  type More,
  normaliseStream,
  normaliseWhole,
} from "./normaliser-replies.ts";

/** Texts of which models and engines make calls and thoughts, and some that only look so. */
const text = fc.oneof(
  fc.constantFrom(
    ..."<think>|</think>|<tool_call>|</tool_call>|<|im_end|>|<minimax:tool_call>|</minimax:tool_call>|[TOOL_CALLS]|```".split(
      "|",
    ),
    '{"name":"get_weather","arguments":{"city":"Paris"}}',
    '<tool_call>\n{"name":"noargs","arguments":{}}\n</tool_call>',
    '<invoke name="get_weather"><parameter name="city">Rome</parameter></invoke>',
    ...["<", "|", "\n", " ", "Hello", " a < b", "\u2028", "\u0000", "\ud800", "{", "}"],
  ),
  fc.string({ maxLength: 6 }),
);
const json = fc.oneof(
  fc.constantFrom('{"city":"Paris"}', '{"city":', '"Paris"}', "{}", "", "null", "{"),
  fc.string({ maxLength: 4 }),
);
const entry = fc.record(
  {
    index: fc.constantFrom(-1, 0, 1, 5, null),
    id: fc.constantFrom("a", "b", "", null),
    type: fc.constantFrom("function", null),
    function: fc.record(
      {
        name: fc.constantFrom("get_weather", "noargs", "other", "", null),
        arguments: fc.oneof(json, fc.constant({ city: "x" })),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ["function"] },
);
const part = fc.record(
  {
    role: fc.constantFrom("assistant", null),
    content: fc.oneof({ weight: 4, arbitrary: text }, { weight: 1, arbitrary: fc.constant(null) }),
    reasoning_content: fc.oneof(text, fc.constant(null)),
    reasoning: text,
    reasoning_details: fc.array(fc.record({ text }), { maxLength: 2 }),
    tool_calls: fc.oneof(fc.array(entry, { maxLength: 3 }), fc.constant(null)),
  },
  { requiredKeys: [] },
);
const textPart = fc.record({ content: text });
const more: fc.Arbitrary<More> = fc.record({
  dialect: fc.constantFrom(...dialectNames),
  reasoningFirst: fc.boolean(),
  toolChoice: fc.constantFrom(undefined, "none", "required"),
});
const finish = fc.constantFrom("stop", "tool_calls", "length", "content_filter");

function expectSound(all: Accumulated): void {
  const calls = all.tool_calls ?? [];
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
  for (const { id, type, function: call } of calls) {
    expect([typeof id, type, call.name === ""]).toEqual(["string", "function", false]);
    const value: unknown = JSON.parse(call.arguments);
    expect(typeof value === "object" && value !== null && !Array.isArray(value)).toBe(true);
  }
  const { finish_reason } = all;
  if (finish_reason !== "length" && finish_reason !== "content_filter")
    expect(finish_reason).toBe(calls.length > 0 ? "tool_calls" : "stop");
}

/** Without the ids, which are made up anew each time. */
const plain = ({ tool_calls, ...rest }: Accumulated) => ({
  ...rest,
  calls: tool_calls?.map((call) => call.function),
});

test("whatever an engine sends, a client can put it together, and finds sound calls and one true end", () => {
  const stream = fc.array(fc.tuple(fc.nat(1), part), { maxLength: 12 });
  fc.assert(
    fc.property(stream, finish, more, fc.boolean(), (parts, reason, options, withUsage) => {
      const usage = withUsage ? { usage: { total_tokens: 1 } } : {};
      const chunks = [
        ...parts.map(([index, delta]) => chunk([{ index, delta, finish_reason: null }], usage)),
        ...[0, 1].map((index) => chunk([{ index, delta: {}, finish_reason: reason }], usage)),
      ];
      const { out } = normaliseStream(chunks, options);
      for (const index of [0, 1]) expectSound(accumulate(out, index));
      expect(out.filter((one) => one.usage)).toEqual([]);
    }),
    { numRuns: 3000 },
  );
});

test("it makes no difference how a text is cut into deltas, or whether the reply is whole", () => {
  fc.assert(
    fc.property(fc.array(textPart, { maxLength: 12 }), finish, more, (parts, reason, options) => {
      const streamOf = (texts: readonly string[]) => [
        chunk([{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]),
        ...texts.map((content) => chunk([{ index: 0, delta: { content }, finish_reason: null }])),
        chunk([{ index: 0, delta: {}, finish_reason: reason }]),
      ];
      const texts = parts.map(({ content }) => content);
      const whole = texts.join("");
      const cut = plain(accumulate(normaliseStream(streamOf(texts), options).out));
      expect(plain(accumulate(normaliseStream(streamOf(whole.split("")), options).out))).toEqual(cut);
      const { out } = normaliseWhole(
        { choices: [{ index: 0, message: { role: "assistant", content: whole }, finish_reason: reason }] },
        options,
      );
      const [{ message, finish_reason }] = out[0]!.choices as [{ message: Accumulated; finish_reason: string }];
      const { content, ...rest } = plain({ ...message, finish_reason });
      const { content: streamed, ...others } = cut;
      expect([content ?? "", rest]).toEqual([streamed ?? "", others]);
    }),
    { numRuns: 2000 },
  );
});

test("a stream that is cut anywhere loses nothing of its text where there are no calls in it", () => {
  const tagless = fc.constantFrom("Hi", " ", "\n", "a < b", "<tool", "|", "{", "`", "\ud83d", "\ude82");
  fc.assert(
    fc.property(fc.array(tagless, { maxLength: 10 }), fc.constantFrom(...dialectNames), (texts, dialect) => {
      const chunks = texts.map((content) => chunk([{ index: 0, delta: { content }, finish_reason: null }]));
      const { out } = normaliseStream(chunks, { dialect, cut: true });
      const { content = "", reasoning_content, finish_reason, tool_calls } = accumulate(out);
      expect([content, reasoning_content, finish_reason, tool_calls]).toEqual([
        texts.join(""),
        undefined,
        undefined,
        undefined,
      ]);
    }),
    { numRuns: 2000 },
  );
});

test("each token's logprobs leave once, in order", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 40 }), finish, more, (texts, reason, options) => {
      const token = (content: string, place: number): Fields => ({
        index: 0,
        delta: place === 0 ? { role: "assistant", content } : { content },
        finish_reason: null,
        logprobs: { content: [{ token: place }], refusal: null },
      });
      const { out } = normaliseStream(
        [
          ...texts.map((content, place) => chunk([token(content, place)])),
          chunk([{ index: 0, delta: {}, finish_reason: reason }]),
        ],
        options,
      );
      const told = out.flatMap(({ choices }) => {
        const [{ logprobs }] = choices as [{ logprobs?: { content: { token: number }[] } | null }];
        return logprobs?.content.map((one) => one.token) ?? [];
      });
      expect(told).toEqual(texts.map((_, place) => place));
    }),
    { numRuns: 2000 },
  );
});
