import type { Cursor } from "../cursor.ts";
import { MORE, stopsAt, YES } from "../cursor.ts";
import { type Block, defineEnvelope, type Envelope } from "../dialect.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import { bareCall, bareCalls } from "./json-calls.ts";
import { onlyTurnEnds } from "./turn-ends.ts";

/** JSON calls as the whole content. The opening bracket belongs to the value. */
export const bareJson: Envelope = defineEnvelope({
  about: "JSON that is the whole content",
  where: "start",
  weak: true,
  lookahead: (text, at) => (text[at] === "{" || text[at] === "[" ? YES : 0),
  grammar: bareCalls,
});

/** Special tokens that an engine leaves at the end of a reply: gone, if nothing follows. */
export function endTokens(tokens: readonly string[], where: Envelope["where"] = "anywhere"): Envelope {
  const set = LiteralSet.of(...tokens);
  return defineEnvelope({
    opens: tokens,
    where,
    always: where === "anywhere",
    endsThought: where === "anywhere",
    *grammar(read) {
      for (;;) {
        while (read.space() === MORE) yield;
        if (read.atEnd) return true;
        let token = read.peek(set);
        for (; token === PARTIAL; token = read.peek(set)) yield;
        if (token === undefined) return false;
        read.skip(token.literal.length);
      }
    },
  });
}

/** Tags around text that is content: they go at its edges, and the whitespace inside them, too. */
export function framed(open: string, close: string, ...others: readonly string[]): readonly Envelope[] {
  const end = endTokens([close, ...others]);
  return [
    defineEnvelope({
      opens: [open],
      where: "edge",
      always: true,
      *grammar(read) {
        while (read.space() === MORE) yield;
        return true;
      },
    }),
    defineEnvelope({
      opens: [close],
      always: true,
      *grammar(read, block) {
        const isEnd = yield* end.grammar(read, block);
        if (isEnd) block.trim();
        return isEnd;
      },
    }),
  ];
}

const lineEnd = stopsAt("\n`");
const MAX_INFO = 32;

/** What a fence begins with. */
export const fences: readonly string[] = ["```", "~~~"];

/** Calls in a fence that is the whole content. With anything else around it, the fence shows an example. */
export function fenced(envelopes: readonly Envelope[]): Envelope {
  const inner = new LiteralSet(
    envelopes.flatMap((envelope) => envelope.opens.map((open) => [open, envelope] as const)),
  );
  return defineEnvelope({
    opens: fences,
    where: "start",
    *grammar(read, outer) {
      const block = holding(outer);
      const fence = fences.find((one) => read.text() === one)!;
      while (read.until(lineEnd, MAX_INFO) === MORE) yield;
      if (read.code() !== 0x0a) return false;
      for (;;) {
        while (read.space() === MORE) yield;
        if (read.atEnd) return block.hasCalls && outer.repairs;
        let answer = read.take(fence);
        for (; answer === MORE; answer = read.take(fence)) yield;
        if (answer === YES) return block.hasCalls && (yield* onlyTurnEnds(read));
        if (!(yield* oneBlock(read, block, inner)) || block.hasText) return false;
      }
    },
  });
}

function* oneBlock(
  read: Cursor,
  block: Holding,
  inner: LiteralSet<Envelope>,
): Generator<undefined, boolean, undefined> {
  let open = read.peek(inner);
  for (; open === PARTIAL; open = read.peek(inner)) yield;
  const lookahead = open?.value.lookahead;
  if (open !== undefined && lookahead !== undefined) {
    const behind = open.literal.length;
    let answer = lookahead(read.rest(), 0, block.tools, read.ended, behind);
    for (; answer === MORE; answer = lookahead(read.rest(), 0, block.tools, read.ended, behind)) yield;
    if (answer !== YES) open = undefined;
  }
  block.weak = open?.value.weak ?? true;
  if (open === undefined) return (read.code() === 0x7b || read.code() === 0x5b) && (yield* bareCall(read, block));
  read.skip(open.literal.length);
  return yield* open.value.grammar(read, block);
}

interface Holding extends Block {
  weak: boolean;
  hasCalls: boolean;
  /** Not all in it was calls. */
  hasText: boolean;
}

/** The block inside a fence: what it finds waits until the fence has proved to be the whole content. */
function holding(outer: Block): Holding {
  return {
    tools: outer.tools,
    weak: false,
    hasCalls: false,
    hasText: false,
    get repairs() {
      return outer.repairs;
    },
    accepts(name) {
      return (!this.weak || outer.tools.has(name)) && outer.accepts(name);
    },
    call(name, json, how) {
      this.hasCalls = true;
      outer.call(name, json, how);
    },
    commit() {},
    content() {
      this.hasText = true;
    },
    reasoning() {
      this.hasText = true;
    },
    trim() {},
  };
}
