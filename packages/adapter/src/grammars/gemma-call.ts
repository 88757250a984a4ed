import type { Cursor } from "../cursor.ts";
import { MORE, NO, stopsAt, YES } from "../cursor.ts";
import type { Block, Envelope, Lookahead } from "../dialect.ts";
import { readGemmaArguments } from "../gemma-literal.ts";
import { quotedString } from "./quoted.ts";
import { take } from "./steps.ts";
import { type Body, tagged } from "./tagged.ts";

const nameStops = stopsAt("{( \n<");
const MAX_NAME = 256;
const START = "call:";
const MAX_DEPTH = 256;
const structure = stopsAt("{}()[],:");
const behindString = stopsAt(",:}])");

/** `call:N{k:<quote>text<quote>,n:3}`, also with parentheses, or without the word; strings stand between quote tokens. */
export function gemmaCall(quote: string): Body {
  return {
    starts: [START, ":"],
    *read(read: Cursor, block: Block) {
      read.skip(read.code() === 0x3a ? 1 : START.length);
      read.mark();
      while (read.until(nameStops, MAX_NAME) === MORE) yield;
      const name = read.marked().trim();
      if ((read.code() !== 0x7b && read.code() !== 0x28) || !block.accepts(name)) return false;
      read.mark();
      if (!(yield* balanced(read, quote))) return false;
      const body = read.marked().slice(1, -1).trim();
      // `call:N({...})`: the braces stand inside the parentheses.
      const json = readGemmaArguments(body.startsWith("{") && body.endsWith("}") ? body.slice(1, -1) : body, quote);
      if (json === undefined) return false;
      block.call(name, json);
      return true;
    },
  };
}

/** The begin token was eaten: a call of a declared tool all the same. */
export function eatenGemma(quote: string, closes: readonly string[]): Envelope {
  return tagged({
    about: "`call:N{`, its begin token eaten",
    opens: [],
    closes,
    bodies: [gemmaCall(quote)],
    where: "edge",
    weak: true,
    lookahead: isEatenCall,
  });
}

/** `call:`, a declared name, and a bracket. */
const isEatenCall: Lookahead = (text, at, tools, ended) => {
  const from = at + START.length;
  if (!text.startsWith(START, at)) return !ended && START.startsWith(text.slice(at)) ? MORE : NO;
  let end = from;
  while (end < text.length && end - from <= MAX_NAME && nameStops[text.charCodeAt(end)] !== 1) end++;
  if (end === text.length && !ended && end - from <= MAX_NAME) return MORE;
  return (text[end] === "{" || text[end] === "(") && tools.has(text.slice(from, end)) ? YES : NO;
};

/** Reads up to the bracket that closes the one that stands here. Strings begin where a key or a value may. */
function* balanced(read: Cursor, quote: string): Generator<undefined, boolean, undefined> {
  for (let depth = 0; ; ) {
    while (read.until(structure) === MORE) yield;
    if (read.atEnd) return false;
    const code = read.code();
    read.skip(1);
    if (code === 0x7d || code === 0x29 || code === 0x5d) {
      if (--depth === 0) return true;
      continue;
    }
    if (code !== 0x2c && code !== 0x3a && ++depth > MAX_DEPTH) return false;
    while (read.space() === MORE) yield;
    if (read.code() === 0x22) {
      if (!(yield* quotedString(read))) return false;
    } else if ((yield* take(read, quote)) === YES && !(yield* restOfString(read, quote))) return false;
  }
}

/** A quote token ends a string where the string may be over: it may stand in the text, too. */
function* restOfString(read: Cursor, quote: string): Generator<undefined, boolean, undefined> {
  for (;;) {
    for (let found = read.find(quote); found !== YES; found = read.find(quote)) {
      if (found !== MORE) return false;
      yield;
    }
    read.skip(quote.length);
    while (read.space() === MORE) yield;
    const code = read.code();
    if (code >= 0 && code < 128 && behindString[code] === 1) return true;
  }
}
