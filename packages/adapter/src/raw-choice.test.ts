import { expect, test } from "vitest";
import { delta, type Fields, type More, normaliseStream } from "./normaliser-replies.ts";
import type { RawChoice } from "./raw-choice.ts";

const paris = { name: "get_weather", arguments: '{"city":"Paris"}' };
const calls = (...ids: readonly string[]) =>
  delta({ tool_calls: ids.map((id, index) => ({ index, id, type: "function", function: paris })) });

/** The choices of a stream, as they are handed over. */
function gathered(chunks: readonly Fields[], more: More = {}): RawChoice[] {
  const choices: RawChoice[] = [];
  const watch = { call() {}, failed() {}, ended: (raw: RawChoice) => void choices.push(raw) };
  normaliseStream(chunks, { watch, ...more });
  return choices;
}

test("the engine's reasoning and the first of its calls are gathered", () => {
  const chunks = [
    delta({ reasoning: "Let me" }),
    delta({ reasoning: " see" }),
    calls("a", "b"),
    delta({}, "tool_calls"),
  ];
  expect(gathered(chunks)).toMatchObject([{ reasoning: "Let me see", firstCall: "a", text: "" }]);
});

test("reasoning and calls in the text are gathered as the client gets them", () => {
  const text = `<think>\nLet me see\n</think>\n\n<tool_call>{"name":"noargs"}</tool_call>`;
  const chunks = [...text].map((content) => delta({ content }));
  const firstCall = expect.stringMatching(/^call_[0-9a-f]{24}$/);
  expect(gathered([...chunks, delta({}, "stop")])).toMatchObject([{ reasoning: "Let me see", firstCall, text }]);
});

test("choices are kept apart", () => {
  const of = (index: number, part: Fields, finish: string | null = null) => ({
    choices: [{ index, delta: part, finish_reason: finish }],
  });
  const thoughts = [of(0, { reasoning: "one" }), of(1, { reasoning: "two" }), of(1, {}, "stop"), of(0, {}, "stop")];
  expect(gathered(thoughts).map(({ reasoning, firstCall }) => [reasoning, firstCall])).toEqual([
    ["two", undefined],
    ["one", undefined],
  ]);
});

test("a choice that broke off is not handed over", () => {
  expect(gathered([delta({ reasoning: "Let me" }), calls("a")], { cut: true })).toEqual([]);
});

test("a thought without end is gathered until it is longer than 256 Ki code units", () => {
  const chunks = Array.from({ length: 300 }, () => delta({ reasoning: "x".repeat(1024) }));
  const [choice] = gathered([...chunks, delta({}, "stop")]);
  expect(choice?.reasoning).toHaveLength(257 * 1024);
});
