import { ReplyEvent } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import { dialects } from "./dialects.ts";
import type { DialectName } from "./index.ts";
import { Normaliser } from "./normaliser.ts";
import { delta, type Fields, tools } from "./normaliser-replies.ts";

const create = (dialect: DialectName) =>
  new Normaliser({
    dialect,
    tools,
    toolChoice: undefined,
    reasoningFirst: false,
    engineParses: false,
    streamed: true,
    includeUsage: false,
    watch: { call() {}, failed() {} },
  });

/** The text and the calls that a normaliser makes of these deltas, without the calls' ids. */
function read(normaliser: Normaliser, parts: readonly Fields[]): { text: string; calls: string } {
  const out: ReplyEvent[] = [];
  for (const part of parts) normaliser.push(ReplyEvent.ofJson(part), out);
  const deltas = out.flatMap(({ json }) => (json as { choices: { delta: Fields }[] }).choices.map((one) => one.delta));
  const calls = deltas.flatMap(({ tool_calls = [] }) => tool_calls as { function: unknown }[]);
  return {
    text: deltas.map(({ content }) => content ?? "").join(""),
    calls: JSON.stringify(calls.map((c) => c.function)),
  };
}

const texts = [
  "Plain text, and no more of it than this.",
  'Some code: { "a": [1, 2] } and <b>tags</b>, then [brackets].',
  'First words.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>',
  'It ends: {"name": "get_weather", "parameters": {"city": "Paris"}}',
];

describe.each(Object.keys(dialects) as DialectName[])("a reply in %s that was cut and is gone on with", (dialect) => {
  test.each(texts)("reads as if one engine had written «%s»", (text) => {
    const finish = delta({}, "stop");
    const whole = read(create(dialect), [delta({ role: "assistant", content: text }), finish]);
    let resumed = 0;
    for (let at = 1; at < text.length; at++) {
      const begun = text.slice(0, at);
      if (begun !== begun.trimEnd()) continue;
      const normaliser = create(dialect);
      if (!normaliser.resume(begun)) continue;
      resumed++;
      expect(normaliser.sent).toBe(false);
      const rest = read(normaliser, [
        delta({ role: "assistant", content: "" }),
        delta({ content: text.slice(at) }),
        finish,
      ]);
      expect({ ...rest, text: begun + rest.text }, begun).toEqual(whole);
    }
    expect(resumed).toBeGreaterThan(5);
  });
});
