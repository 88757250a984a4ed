import type { Cursor } from "../cursor.ts";
import { isSpace, MORE, NO, YES } from "../cursor.ts";
import { type Block, defineEnvelope, type Envelope, type Lookahead } from "../dialect.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import { isCutOff, turnEnd } from "./turn-ends.ts";

/** What stands around the calls of an envelope. */
export interface Surroundings {
  /** What ends the envelope: its closing tag, or what is not part of it any more. */
  readonly closes: LiteralSet<"close" | "next">;
}

/** One form of call inside an envelope. */
export interface Body {
  /** What it begins with; none = tried when no other body begins here. */
  readonly starts: readonly string[];
  /** Where nothing is in `starts`: may it begin with this code unit? Anything may, unless told. */
  mayBegin?(code: number): boolean;
  /** Reads one call or more, from its start literal on (the cursor stands in front of it). */
  read(read: Cursor, block: Block, around: Surroundings): Generator<undefined, boolean, undefined>;
}

interface Tagged extends Partial<Omit<Envelope, "opens" | "grammar">> {
  readonly opens: readonly string[];
  readonly closes: readonly string[];
  readonly bodies: readonly Body[];
  /** It has no closing tag of its own: one value is all. */
  readonly single?: boolean;
}

const separators = new Set([0x2c, 0x3b, 0x7d, 0x5d]);

/** An envelope of an opening tag, calls in any of the bodies' forms, and a closing tag. */
export function tagged({ opens, closes, bodies, single = false, ...rest }: Tagged): Envelope {
  const around: Surroundings = {
    closes: new LiteralSet([
      ...closes.map((close) => [close, "close"] as const),
      // The model begins anew: the closing tag was forgotten.
      ...opens.map((open) => [open, "next"] as const),
    ]),
  };
  const starts = new LiteralSet(bodies.flatMap((body) => body.starts.map((start) => [start, body] as const)));
  const otherwise = bodies.find(({ starts: none }) => none.length === 0);
  function* grammar(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
    for (let count = 0; ; ) {
      const from = read.offset;
      while (read.space() === MORE) yield;
      if (read.atEnd) return count > 0 && block.repairs;
      let close = read.peek(around.closes);
      for (; close === PARTIAL; close = read.peek(around.closes)) yield;
      // Speculative decoding doubles a line with the opening tag now and then, and Mistral 7B the token.
      const isDoubled = close?.value === "next" && count === 0 && (single || read.offset > from);
      if (close !== undefined && (close.value === "close" || isDoubled)) read.skip(close.literal.length);
      if (isDoubled) continue;
      if (close !== undefined) return count > 0;
      if (count > 0) {
        let end = read.peek(turnEnd);
        for (; end === PARTIAL; end = read.peek(turnEnd)) yield;
        if (end !== undefined) return true;
        if (block.repairs && isCutOff(read, closes)) return true;
        if (separators.has(read.code())) {
          read.skip(1);
          continue;
        }
      }
      let start = read.peek(starts);
      for (; start === PARTIAL; start = read.peek(starts)) yield;
      const body = start === undefined ? otherwise : start.value;
      if (body === undefined) return false;
      // The calls in front of this one stand, whatever becomes of it.
      if (count > 0) block.commit();
      if (!(yield* body.read(read, block, around))) return false;
      if (single) return true;
      count++;
    }
  }
  const lookahead = opens.length > 0 ? isFollowed(starts, otherwise) : undefined;
  return defineEnvelope({ lookahead, ...rest, opens, grammar });
}

/** A tag that no call stands behind is text: that is seen without reading on. */
function isFollowed(starts: LiteralSet<Body>, otherwise: Body | undefined): Lookahead | undefined {
  if (otherwise !== undefined && otherwise.mayBegin === undefined) return undefined;
  return (text, _at, _tools, ended, behind) => {
    if (behind >= text.length) return ended ? YES : MORE;
    const code = text.charCodeAt(behind);
    if (isSpace(code) || otherwise?.mayBegin?.(code)) return YES;
    const found = starts.match(text, behind, ended);
    return found === PARTIAL ? MORE : found === undefined ? NO : YES;
  };
}

/** Closing tags whose opening was lost, right behind a block: they are part of it. */
export function strays(...literals: readonly string[]): Envelope {
  return defineEnvelope({
    opens: literals,
    where: "after",
    isCloser: true,
    // biome-ignore lint/correctness/useYield: the literal is all there is to read
    *grammar() {
      return true;
    },
  });
}
