import type { Cursor } from "../cursor.ts";
import { MORE, stopsAt, YES } from "../cursor.ts";
import type { Block } from "../dialect.ts";
import { readGemmaArguments } from "../gemma-literal.ts";
import { take } from "./headed-json.ts";
import type { Body } from "./tagged.ts";

const nameStops = stopsAt("{( \n<");
const MAX_NAME = 256;
const MAX_DEPTH = 256;
const structure = stopsAt("{}()[]<\"'");
const quotationMark = stopsAt('"\\');

/** `call:N{k:<quote>text<quote>,n:3}`, also with parentheses; strings stand between quote tokens. */
export function gemmaCall(quote: string): Body {
  return {
    starts: ["call:"],
    *read(read: Cursor, block: Block) {
      read.skip("call:".length);
      read.mark();
      while (read.until(nameStops) === MORE) {
        if (read.offset > MAX_NAME) return false;
        yield;
      }
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

function* balanced(read: Cursor, quote: string): Generator<undefined, boolean, undefined> {
  for (let depth = 0; ; ) {
    while (read.until(structure) === MORE) yield;
    if (read.atEnd) return false;
    const code = read.code();
    if (code === 0x3c) {
      if ((yield* take(read, quote)) !== YES) {
        read.skip(1);
        continue;
      }
      for (let found = read.find(quote); found !== YES; found = read.find(quote)) {
        if (found !== MORE) return false;
        yield;
      }
      read.skip(quote.length);
      continue;
    }
    read.skip(1);
    if (code === 0x22) {
      if (!(yield* quoted(read))) return false;
    } else if (code !== 0x27) {
      depth += code === 0x7b || code === 0x28 || code === 0x5b ? 1 : -1;
      if (depth === 0) return true;
      if (depth > MAX_DEPTH) return false;
    }
  }
}

function* quoted(read: Cursor): Generator<undefined, boolean, undefined> {
  for (;;) {
    while (read.until(quotationMark) === MORE) yield;
    if (read.atEnd) return false;
    const escaped = read.code() === 0x5c;
    read.skip(1);
    if (!escaped) return true;
    while (read.code() < 0 && !read.ended) yield;
    if (read.atEnd) return false;
    read.skip(1);
  }
}
