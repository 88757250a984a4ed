import { expect, test } from "vitest";
import { Choice } from "./choice.ts";
import { type DialectName, dialects } from "./dialects.ts";
import { openingsOf } from "./openings.ts";
import { readTools } from "./tools.ts";

const tools = readTools([{ type: "function", function: { name: "get_weather" } }]);

/** What a watch hears of a content, whole and one code unit at a time. */
function heard(dialect: DialectName, content: string, more: { reasoningFirst?: boolean; finish?: string } = {}) {
  const { reasoningFirst = false, finish = "stop" } = more;
  const openings = openingsOf(dialects[dialect], true);
  const options = { openings, tools, reasoningFirst, leaks: false, dialect, createId: () => "call_1" };
  const told = [[content], content.split("")].map((pieces) => {
    const names: string[] = [];
    const watch = {
      call: () => names.push("call"),
      failed: (of: string) => names.push(`failed ${of}`),
      unclosed: (of: string) => names.push(`unclosed ${of}`),
    };
    const choice = new Choice(options, watch, true);
    for (const piece of pieces) choice.take({ delta: { content: piece } });
    choice.take({ delta: {}, finish_reason: finish });
    return names;
  });
  expect(told[0]).toEqual(told[1]);
  return told[0];
}

test("a call that was cut off counts as failed, even before its name", () => {
  expect(heard("hermes", '<tool_call>\n{"name": "get_we', { finish: "length" })).toEqual(["failed hermes"]);
  expect(heard("minimax_m2", "Let me see.\n<minimax:tool_call>\n<inv", { finish: "length" })).toEqual([
    "failed minimax_m2",
  ]);
  expect(heard("hermes", "Let me see.\n<tool_call>")).toEqual(["failed hermes"]);
});

test("a closing tag at the end without a call counts as one whose head was lost", () => {
  expect(heard("minimax_m2", '">\n<parameter name="city">Lyon</parameter>\n</invoke>\n</minimax:tool_call>\n')).toEqual(
    ["failed minimax_m2"],
  );
  expect(heard("auto", `${"Some prose. ".repeat(1000)}"arguments": {}}\n</tool_call>`)).toEqual(["failed auto"]);
});

test("text that only mentions tags, calls that are whole and replies without tools count as nothing", () => {
  expect(heard("hermes", "A call stands between <tool_call> and </tool_call>, as JSON.")).toEqual([]);
  expect(heard("hermes", "The tag is `</tool_call>`")).toEqual([]);
  expect(heard("minimax_m2", "It is sunny.\n</think>")).toEqual([]);
  expect(
    heard("hermes", '{"name": "get_weather"}</tool_call>\n<tool_call>{"name": "get_weather"}</tool_call>'),
  ).toContain("call");
  expect(heard("none", "a </tool_call>")).toEqual([]);
});

test("a reply that is nothing but the thought it began in is told, unless it was cut off", () => {
  expect(heard("minimax_m2", "The user greets me. Hello!", { reasoningFirst: true })).toEqual(["unclosed minimax_m2"]);
  expect(heard("minimax_m2", "The user greets", { reasoningFirst: true, finish: "length" })).toEqual([]);
  expect(heard("minimax_m2", "A greeting.</think>Hello!", { reasoningFirst: true })).toEqual([]);
  expect(heard("minimax_m2", "A greeting.</think>Hello!<think>", { reasoningFirst: true })).toEqual([]);
  expect(heard("minimax_m2", "", { reasoningFirst: true })).toEqual([]);
  expect(heard("hermes", '<tool_call>{"name": "get_weather"}</tool_call>', { reasoningFirst: true })).toEqual([
    "unclosed hermes",
  ]);
});
