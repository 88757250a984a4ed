import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ReplyEvent } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import {
  type Accumulated,
  accumulate,
  call,
  delta,
  type Fields,
  type More,
  normaliseStream,
  normaliseWhole,
  reply,
} from "./normaliser-replies.ts";
import { checkVector, type Play } from "./vectors/check-vector.ts";
import { dialectOf } from "./vectors/play-parser.ts";
import { someSplits } from "./vectors/splits.ts";
import { readVectors } from "./vectors/vector.ts";

const paris = '{"city":"Paris"}';
const made = expect.stringMatching(/^call_[0-9a-f]{24}$/) as string;
const weather = '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Paris"}}\n</tool_call>';

interface Row {
  readonly what: string;
  readonly sends: Fields;
  readonly leaves: Fields;
  readonly more?: More;
  readonly failed?: readonly string[];
}

const rows: readonly Row[] = [
  {
    what: "a call in the text",
    sends: reply({ role: "assistant", content: `Let me see.\n\n${weather}` }),
    leaves: reply(
      { role: "assistant", content: "Let me see.", tool_calls: [call(made, "get_weather", paris)] },
      "tool_calls",
    ),
  },
  {
    what: "SS04 a parsed call with index -1: a message's calls have none",
    sends: reply({ role: "assistant", content: null, tool_calls: [call("a", "get_weather", paris, -1)] }, "tool_calls"),
    leaves: reply({ role: "assistant", content: null, tool_calls: [call("a", "get_weather", paris)] }, "tool_calls"),
  },
  {
    what: "SS09 a call and finish_reason stop",
    sends: reply({ role: "assistant", content: "", tool_calls: [call("a", "noargs", "{}")] }),
    leaves: reply({ role: "assistant", content: null, tool_calls: [call("a", "noargs", "{}")] }, "tool_calls"),
  },
  {
    what: "SS10 finish_reason tool_calls and no call",
    sends: reply({ role: "assistant", content: "Hi", tool_calls: [] }, "tool_calls"),
    leaves: reply({ role: "assistant", content: "Hi" }),
  },
  {
    what: "SS14 reasoning under another name",
    sends: reply({ role: "assistant", content: "Hi", reasoning: "Hm" }),
    leaves: reply({ role: "assistant", content: "Hi", reasoning_content: "Hm" }),
  },
  {
    what: "SS15 reasoning in details",
    sends: reply({ role: "assistant", content: "Hi", reasoning_details: [{ type: "reasoning.text", text: "Hm" }] }),
    leaves: reply({ role: "assistant", content: "Hi", reasoning_content: "Hm" }),
  },
  {
    what: "SS17 a parsed call whose text stands in the content, too",
    sends: reply({ role: "assistant", content: weather, tool_calls: [call("a", "get_weather", paris)] }, "tool_calls"),
    leaves: reply({ role: "assistant", content: null, tool_calls: [call(made, "get_weather", paris)] }, "tool_calls"),
  },
  {
    what: "SS18 and SS19 arguments as an object, no id and no type",
    sends: reply(
      {
        role: "assistant",
        content: null,
        tool_calls: [{ function: { name: "get_weather", arguments: { city: "Paris" } } }],
      },
      "tool_calls",
    ),
    leaves: reply({ role: "assistant", content: null, tool_calls: [call(made, "get_weather", paris)] }, "tool_calls"),
  },
  {
    what: "SS23 nulls where OpenAI has nothing",
    sends: reply({ role: "assistant", content: "Hi", reasoning_content: null, tool_calls: null }),
    leaves: reply({ role: "assistant", content: "Hi" }),
  },
  {
    what: "no index, no role, and members of the engine's own",
    sends: {
      id: "c1",
      object: "chat.completion",
      CreatedAt: "now",
      choices: [{ message: { content: "Hi", refusal: null }, finish_reason: "stop", logprobs: { content: [] } }],
    },
    leaves: {
      id: "c1",
      object: "chat.completion",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hi", refusal: null },
          finish_reason: "stop",
          logprobs: { content: [] },
        },
      ],
    },
  },
  {
    what: "a call cut at the token limit: its arguments are text, whatever the engine calls the end",
    sends: reply({ role: "assistant", content: null, tool_calls: [call("a", "get_weather", '{"city":')] }, "length"),
    leaves: reply({ role: "assistant", content: '{"city":' }, "length"),
    failed: ["engine"],
  },
  {
    what: "a thought that nothing follows",
    sends: reply({ role: "assistant", content: "<think>Hm</think>" }),
    leaves: reply({ role: "assistant", content: null, reasoning_content: "Hm" }),
  },
  {
    what: "a failed call beside a content in parts",
    sends: reply({
      role: "assistant",
      content: [{ type: "text", text: "Hi" }],
      tool_calls: [call("a", "get_weather", "Paris")],
    }),
    leaves: reply({
      role: "assistant",
      content: [
        { type: "text", text: "Hi" },
        { type: "text", text: "Paris" },
      ],
    }),
    failed: ["engine"],
  },
];

describe("a whole reply becomes what OpenAI's would be:", () => {
  test.each(rows)("$what", ({ sends, leaves, more, failed = [] }) => {
    const got = normaliseWhole(sends, more);
    expect(got.out[0]).toStrictEqual(leaves);
    expect(got.failed).toEqual(failed);
  });

  test("each choice by itself", () => {
    const message = (content: string) => ({ role: "assistant", content });
    const { out } = normaliseWhole({
      choices: [
        { index: 0, message: message("Hi"), finish_reason: "stop" },
        { index: 1, message: message(weather), finish_reason: "stop" },
      ],
    });
    expect(out[0]).toStrictEqual({
      choices: [
        { index: 0, message: message("Hi"), finish_reason: "stop" },
        {
          index: 1,
          message: { role: "assistant", content: null, tool_calls: [call(made, "get_weather", paris)] },
          finish_reason: "tool_calls",
        },
      ],
    });
  });

  test("the same object where there is nothing to change", () => {
    const bodies = [
      reply({ role: "assistant", content: "Hi <b>you</b>" }),
      reply({ role: "assistant", content: "", refusal: "No" }),
      reply({ role: "assistant", content: [{ type: "text", text: "Hi" }] }, "length", { logprobs: null }),
    ];
    for (const body of bodies) {
      const event = ReplyEvent.ofBody(Buffer.from(JSON.stringify(body)));
      expect(normaliseWhole(event).events[0]).toBe(event);
    }
  });
});

describe("streamed and whole come out the same:", () => {
  const ids = (all: Accumulated) => all.tool_calls?.map((one) => ({ ...one, id: "" }));
  const engine: readonly [string, Fields, string][] = [
    ["text", { content: "Hi" }, "stop"],
    ["a call in the text", { content: `Hi.\n${weather}\n` }, "stop"],
    ["a parsed call", { content: "Hi.", tool_calls: [call("a", "get_weather", paris, 0)] }, "stop"],
    ["both", { content: weather, tool_calls: [call("a", "get_weather", paris, 0)] }, "tool_calls"],
    ["calls that fail", { content: "Hi.", tool_calls: [call("a", "get_weather", '{"cit', 0)] }, "length"],
    ["a parsed thought", { reasoning: "Hm", content: "Hi" }, "stop"],
    ["thoughts in two places", { reasoning_content: "Hm", content: "<think>so</think>Hi" }, "stop"],
  ];
  test.each(engine)("%s", (_, part, finish) => {
    const streamed = accumulate(normaliseStream([delta({ role: "assistant" }), delta(part), delta({}, finish)]).out);
    const { message, out } = normaliseWhole(reply({ role: "assistant", ...part }, finish));
    const [choice] = (out[0] as { choices: [Fields] }).choices;
    expect(streamed.content ?? null).toBe(message.content);
    expect(streamed.reasoning_content).toBe(message.reasoning_content);
    expect(ids(streamed)).toEqual(ids(message as Accumulated));
    expect(streamed.finish_reason).toBe(choice.finish_reason);
  });

  const folder = join(import.meta.dirname, "../vectors");
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));

  /** One piece is a whole reply; more are a stream. */
  const playNormaliser =
    (vectorTools: readonly object[]): Play =>
    (vector, _, pieces) => {
      const more: More = {
        dialect: dialectOf(vector),
        tools: vector.no_tools === true ? undefined : vectorTools,
        reasoningFirst: vector.reasoning_first,
      };
      const all: Accumulated =
        pieces.length === 1
          ? wholeOf(
              normaliseWhole(reply({ role: "assistant", content: pieces[0] }, vector.upstream_finish), more).out[0]!,
            )
          : accumulate(
              normaliseStream(
                [
                  delta({ role: "assistant", content: "" }),
                  ...pieces.map((content) => delta({ content })),
                  delta({}, vector.upstream_finish),
                ],
                more,
              ).out,
            );
      return {
        content: all.content ?? null,
        reasoning: all.reasoning_content ?? null,
        calls: (all.tool_calls ?? []).map((one) => ({ id: one.id!, ...one.function })),
        finish: String(all.finish_reason),
      };
    };
  const wholeOf = (body: Fields): Accumulated => {
    const [{ message, finish_reason }] = body.choices as [{ message: Accumulated; finish_reason: string }];
    return { ...message, finish_reason };
  };

  test.each(files)("the vectors of %s", async (name) => {
    const { vectors, tools, toolSet } = readVectors(readFileSync(join(folder, name), "utf8"));
    const play = playNormaliser(tools);
    const wrong: Record<string, unknown> = {};
    for (const vector of vectors) {
      const found = await checkVector(vector, toolSet, someSplits(vector.input, 1, 10), play);
      if (found !== undefined) wrong[vector.id] = { ...found, input: vector.input, expect: vector.expect };
    }
    expect(wrong).toEqual({});
  });
});
