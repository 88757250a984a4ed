import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dialects } from "./dialects.ts";
import { readSeeds } from "./fuzz/seeds.ts";
import { openingsOf } from "./openings.ts";
import { MAX_BLOCK, Parser, type Sink } from "./parser.ts";
import { readTools } from "./tools.ts";
import { parserOf, playParser, type Reply } from "./vectors/play-parser.ts";

const tools = readTools([
  { function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } },
  { function: { name: "exec", parameters: { type: "object", properties: { cmd: { type: "string" } } } } },
]);

const replyOf = (input: string, more: Partial<Reply> = {}): Reply => ({
  dialect: "auto",
  reasoning_first: false,
  upstream_finish: "stop",
  input,
  ...more,
});

function recorder(): Sink & { content_: string; reasoning_: string; calls: number; failures: number } {
  return {
    content_: "",
    reasoning_: "",
    calls: 0,
    failures: 0,
    content(text) {
      this.content_ += text;
    },
    reasoning(text) {
      this.reasoning_ += text;
    },
    call() {
      this.calls++;
    },
    failed() {
      this.failures++;
    },
  };
}

const names = Object.keys(dialects) as (keyof typeof dialects)[];
/** The longest thing that may open a block: nothing else holds prose back. */
const longest = Math.max(
  ...Object.values(dialects).flatMap(({ envelopes, thinks }) => [
    ...envelopes.flatMap(({ opens }) => opens.map((open) => open.length)),
    ...thinks.flatMap(({ open, close }) => [open.length, close.length]),
  ]),
);

const piece = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 4 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[
        "<tool_call>",
        "</tool_call>",
        '{"name": "exec", "arguments": {"cmd": "ls"}}',
        "<think>",
        "</think>",
        "```\n",
      ],
      ...[
        "<invoke name=",
        '<parameter name="cmd">',
        "</parameter>",
        "</invoke>",
        "[TOOL_CALLS]",
        "\u2028",
        "\u0000",
        "\ud800",
      ],
      ...["[exec(cmd='ls')]", "<|channel|>analysis<|message|>", "<|end|>", "\n\n", "functools[", "]<]minimax[>[", "`"],
    ),
  },
);

describe("for any text", () => {
  const pieces = fc.array(piece, { maxLength: 14 });
  const dialect = fc.constantFrom(...names);
  const finish = fc.constantFrom("stop", "length", "tool_calls");

  test("the cuts make no difference", () => {
    fc.assert(
      fc.property(pieces, dialect, fc.boolean(), finish, (parts, name, reasoning_first, upstream_finish) => {
        const reply = replyOf(parts.join(""), { dialect: name, reasoning_first, upstream_finish });
        const withoutIds = ({ calls, ...rest }: ReturnType<typeof playParser>) => ({
          ...rest,
          calls: calls.map(({ name: tool, arguments: json }) => [tool, json]),
        });
        const whole = withoutIds(playParser(reply, tools, [reply.input]));
        expect(withoutIds(playParser(reply, tools, parts))).toEqual(whole);
        expect(withoutIds(playParser(reply, tools, reply.input.split("")))).toEqual(whole);
      }),
      { numRuns: 1500 },
    );
  });

  test("without calls and thoughts, all of it is content", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), dialect, (text, name) => {
        const sink = recorder();
        const parser = parserOf(replyOf(text, { dialect: name }), tools, sink);
        parser.push(text);
        parser.end("stop");
        expect(sink.content_).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  test("what comes out is no call when it comes in again", () => {
    const again: string[] = [];
    for (const { reply, tools: own } of readSeeds()) {
      const { content, finish: made } = playParser(reply, own, [reply.input]);
      if (!content || made === "length") continue;
      // Behind a call or a thought text stands elsewhere than at the start, where more may be a call.
      const text = `Text.\n${content}`;
      const { calls } = playParser({ ...reply, reasoning_first: false, input: text }, own, [text]);
      if (calls.length > 0) again.push(`${reply.dialect}: ${JSON.stringify(reply.input)}`);
    }
    expect(again).toEqual([]);
  });
});

describe("plain text", () => {
  const prose = "If a < b, then [it] is `so` and {that} too; 1 << 2, f(x) -> y. Für Äpfel: 3|4 ".repeat(3);

  test.each(names)("leaves at once with %s, but for the length of a tag", (name) => {
    const sink = recorder();
    const parser = new Parser(
      {
        openings: openingsOf(dialects[name], true),
        tools,
        reasoningFirst: false,
        leaks: false,
        dialect: name,
        createId: () => "",
      },
      sink,
    );
    for (const [index, character] of prose.split("").entries()) {
      parser.push(character);
      expect(index + 1 - sink.content_.length).toBeLessThanOrEqual(longest);
    }
    parser.end("stop");
    expect(sink.content_).toBe(prose);
  });

  test("an array of anything but calls is not waited for", () => {
    const sink = recorder();
    const parser = parserOf(replyOf(""), tools, sink);
    parser.push("[1, 2, 3, ");
    expect(sink.content_).toBe("[1, 2, 3,");
  });

  test("endless whitespace flows, whatever pieces it comes in", () => {
    const text = `a${"\n".repeat(30_000)}`;
    const outputs = [1, 7, 4096, 30_001].map((size) => {
      const sink = recorder();
      const parser = parserOf(replyOf(text), tools, sink);
      for (let at = 0; at < text.length; at += size) parser.push(text.slice(at, at + size));
      const before = sink.content_.length;
      parser.push('<tool_call>{"name": "exec", "arguments": {}}</tool_call>');
      parser.end("stop");
      expect(sink.calls).toBe(1);
      expect(sink.content_.length).toBe(before);
      return before;
    });
    expect(new Set(outputs).size).toBe(1);
    expect(outputs[0]).toBeGreaterThan(text.length - 2 * 4096);
  });
});

describe("an open call", () => {
  test("that is longer than a block may be is text, and counts as failed", () => {
    const text = `<tool_call>{"name": "exec", "arguments": {"cmd": "${"x".repeat(MAX_BLOCK)}"}}</tool_call> and more`;
    for (const size of [text.length, 100_000]) {
      const sink = recorder();
      const parser = parserOf(replyOf(text, { dialect: "minimax_m2" }), tools, sink);
      for (let at = 0; at < text.length; at += size) parser.push(text.slice(at, at + size));
      parser.end("stop");
      expect(sink.content_).toBe(text);
      expect(sink.calls).toBe(0);
      expect(sink.failures).toBe(1);
    }
  });

  test("is held back as a whole, and says so", () => {
    const sink = recorder();
    const parser = parserOf(replyOf("", { dialect: "hermes" }), tools, sink);
    parser.push("Hi.");
    expect(parser.holding).toBe(false);
    parser.push("<tool_");
    expect(parser.holding).toBe(true);
    parser.push('call>{"name": "exec"');
    expect(parser.holding).toBe(true);
    expect(sink.content_).toBe("Hi.");
    parser.push("}</tool_call>");
    expect(parser.holding).toBe(false);
    expect(sink.calls).toBe(1);
  });
});
