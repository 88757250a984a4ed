import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ReplyEvent } from "@signalbox/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExpectedText, TextMismatch } from "./expected-text.ts";
import { Seam } from "./seam.ts";
import { MAX_SENT_BYTES, SentReply, type Stretch } from "./sent-reply.ts";

type Fields = Record<string, unknown>;
const chunk = (delta: Fields, finish_reason: string | null = null, id = "one") =>
  ReplyEvent.ofJson({ id, created: 1, model: "m", choices: [{ index: 0, delta, finish_reason }] });

/** The stretches of a reply, cut into deltas as `cuts` says. */
function deltas(stretches: readonly Stretch[], cuts: readonly number[]): ReplyEvent[] {
  let next = 0;
  return stretches.flatMap(({ kind, text }) => {
    const events: ReplyEvent[] = [];
    for (let at = 0; at < text.length; ) {
      const length = 1 + (cuts[next++ % cuts.length] ?? 0);
      const piece = text.slice(at, at + length);
      events.push(chunk(kind === "content" ? { content: piece } : { reasoning_content: piece }, null, "two"));
      at += length;
    }
    return events;
  });
}

function said(events: readonly ReplyEvent[]): Stretch[] {
  const reply = new SentReply();
  reply.take(events);
  return [...reply.stretches()];
}

const anyText = fc.string({ unit: fc.constantFrom("a", "b", " ", "\n", "é", "世"), minLength: 1, maxLength: 20 });
const anyCuts = fc.array(fc.nat(6), { minLength: 1, maxLength: 8 });

test("whatever was sent, and however it comes again: all of it once, in one reply", () => {
  fc.assert(
    fc.property(anyText, anyText, fc.nat(40), anyCuts, anyCuts, (thought, text, share, cutsBefore, cutsAfter) => {
      const whole: Stretch[] = [
        { kind: "reasoning", text: thought },
        { kind: "content", text },
      ];
      const before = deltas(whole, cutsBefore);
      const sent = new SentReply();
      const had = before.slice(0, share % (before.length + 1));
      sent.take(had);
      const seam = new Seam({
        identity: sent.identity,
        expected: new ExpectedText(sent.stretches()),
        before: undefined,
      });
      const rest = seam.sew([chunk({ role: "assistant", content: "" }, null, "three"), ...deltas(whole, cutsAfter)]);
      expect(seam.complete).toBe(true);
      expect(said([...had, ...rest])).toEqual(whole);
      const ids = new Set([...had, ...rest].map(({ json }) => (json as Fields).id));
      expect(ids.size).toBe(1);
    }),
    { numRuns: 500 },
  );
});

test("another text is refused at the first place where it differs, and nothing of it leaves", () => {
  fc.assert(
    fc.property(anyText, fc.nat(), anyCuts, (text, place, cuts) => {
      const at = place % text.length;
      const other = `${text.slice(0, at)}#${text.slice(at + 1)} and more`;
      const seam = new Seam({
        identity: undefined,
        expected: new ExpectedText([{ kind: "content", text }]),
        before: undefined,
      });
      expect(() => seam.sew(deltas([{ kind: "content", text: other }], cuts))).toThrow(TextMismatch);
    }),
  );
});

describe("a reply is another one", () => {
  const expecting = (...stretches: Stretch[]) =>
    new Seam({ identity: undefined, expected: new ExpectedText(stretches), before: undefined });
  const content = (text: string): Stretch => ({ kind: "content", text });
  const thought = (text: string): Stretch => ({ kind: "reasoning", text });

  test.each([
    ["when it ends early", expecting(content("one two")), [chunk({ content: "one" }), chunk({}, "stop")]],
    ["when it calls early", expecting(content("one two")), [chunk({ content: "one" }), chunk({ tool_calls: [{}] })]],
    ["when it thinks where it spoke", expecting(content("one")), [chunk({ reasoning_content: "one" })]],
    ["when it thinks longer", expecting(thought("Hm"), content("one")), [chunk({ reasoning_content: "Hm, so" })]],
  ])("%s", (_what, seam, events) => {
    expect(() => seam.sew(events)).toThrow(TextMismatch);
  });

  test("when a continuation thinks, be it late", () => {
    const before = { promptTokens: 1, completionTokens: 1 };
    const seam = new Seam({ identity: undefined, expected: new ExpectedText([]), before });
    expect(seam.sew([chunk({ content: "a" })])).toHaveLength(1);
    expect(() => seam.sew([chunk({ reasoning_content: "Hm" })])).toThrow(TextMismatch);
  });
});

test("usage of a continuation is that of the whole reply: the client's prompt, and the tokens of both parts", () => {
  const before = { promptTokens: 10, completionTokens: 5 };
  const seam = new Seam({ identity: undefined, expected: new ExpectedText([]), before });
  const usage = {
    prompt_tokens: 15,
    completion_tokens: 7,
    total_tokens: 22,
    prompt_tokens_details: { cached_tokens: 15 },
  };
  const [event] = seam.sew([ReplyEvent.ofJson({ id: "x", choices: [], usage })]);
  expect((event!.json as Fields).usage).toEqual({ prompt_tokens: 10, completion_tokens: 12, total_tokens: 22 });
});

describe("what was sent is not recovered", () => {
  const several = ReplyEvent.ofJson({ choices: [{ index: 1, delta: { content: "a" } }] });
  const priced = ReplyEvent.ofJson({ choices: [{ index: 0, delta: { content: "a" }, logprobs: { content: [] } }] });
  test.each([
    ["several_choices", [several]],
    ["logprobs", [priced]],
    ["tool_call", [chunk({ tool_calls: [{ index: 0 }] })]],
    ["other_output", [chunk({ refusal: "no" })]],
    ["other_output", [chunk({ content: [{ type: "text" }] })]],
    ["finished", [chunk({ content: "a" }, "stop")]],
    ["too_long", [chunk({ content: "a".repeat(MAX_SENT_BYTES) }), chunk({ content: "a" })]],
    ["broken_text", [chunk({ content: "\ud83d" }), chunk({ content: "a" })]],
  ] as const)("%s", (why, events) => {
    const reply = new SentReply();
    reply.take(events);
    reply.stretches();
    expect(reply.unfit).toBe(why);
    expect(reply.stretches()).toEqual([]);
  });
});

test("a text of many short pieces is kept in little more than its bytes", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const held = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const sent = new SentReply();
  const events = Array.from({ length: 26 }, (_, i) => chunk({ content: `${String.fromCharCode(97 + i)}b ` }));
  const before = held();
  for (let i = 0; i < 10_000; i++) sent.take(events);
  expect(held() - before).toBeLessThan(2 * 780_000);
  expect(sent.stretches()[0]?.text.length).toBe(780_000);
});
