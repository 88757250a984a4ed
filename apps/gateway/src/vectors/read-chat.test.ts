import { expect, test } from "vitest";
import { readStream, readWhole } from "./read-chat.ts";

const call = (index: number | undefined, name: string | undefined = "f", id = `id-${index}`) => ({
  ...(index === undefined ? {} : { index }),
  id,
  type: "function",
  function: { name, arguments: "{}" },
});
const chunk = (delta: object, finish_reason: string | null = null): string =>
  `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
const first = chunk({ role: "assistant", content: "" });
const last = chunk({}, "stop");
const done = "data: [DONE]\n\n";
const whole = (message: object): string =>
  JSON.stringify({ object: "chat.completion", choices: [{ index: 0, message, finish_reason: "stop" }] });

test("puts a stream together", () => {
  const text = `${first}: a comment\n\n${chunk({ reasoning_content: "t" })}${chunk({ content: "a" })}${chunk({ tool_calls: [call(0), call(1)] })}${last}${done}`;
  expect(readStream(text)).toEqual({
    content: "a",
    reasoning: "t",
    calls: [
      { id: "id-0", name: "f", arguments: "{}" },
      { id: "id-1", name: "f", arguments: "{}" },
    ],
    finish: "stop",
  });
});

test.each([
  ["no end", first + last],
  ["no finish_reason", first + done],
  ["two of them", first + last + last + done],
  ["a role that is not told", chunk({ content: "a" }) + last + done],
  ["a role that is told twice", first + first + last + done],
  ["a null", first + chunk({ content: null }) + last + done],
  ["a field of another shape", first + chunk({ reasoning: "t" }) + last + done],
  ["a call in pieces", first + chunk({ tool_calls: [call(0)] }) + chunk({ tool_calls: [call(0)] }) + last + done],
  ["an index that is left out", first + chunk({ tool_calls: [call(1)] }) + last + done],
  ["the same id twice", first + chunk({ tool_calls: [call(0), call(1, "f", "id-0")] }) + last + done],
  ["something behind the end", first + last + done + chunk({ content: "a" })],
])("complains of a stream with %s", (_what, text) => {
  expect(() => readStream(text)).toThrow();
});

test.each([
  ["an index", { role: "assistant", content: null, tool_calls: [call(0)] }],
  ["an empty id", { role: "assistant", content: null, tool_calls: [call(undefined, "f", "")] }],
  ["an empty list of calls", { role: "assistant", content: "a", tool_calls: [] }],
  ["no role", { content: "a" }],
])("complains of a whole reply with %s", (_what, message) => {
  expect(() => readWhole(whole(message))).toThrow();
  expect(readWhole(whole({ role: "assistant", content: "a" })).content).toBe("a");
});
