import { argumentsOfTexts } from "../coerce.ts";
import type { Cursor } from "../cursor.ts";
import { MORE, stopsAt, YES } from "../cursor.ts";
import type { Block } from "../dialect.ts";
import { jsonCalls } from "./json-calls.ts";
import { quotedString } from "./quoted.ts";
import { take } from "./steps.ts";
import type { Body, Surroundings } from "./tagged.ts";

const structure = stopsAt('{}"');
const callPattern = /^\{\s*tool\s*=>\s*"([^"]+)"\s*,?\s*(?:args\s*=>\s*\{([\s\S]*)\}\s*)?\}$/;
const between = /[\s,]*/y;
const argumentPattern = /--([\w.-]+)[ \t]*(?:"((?:[^"\\]|\\[\s\S])*)"|([^\n]*))/y;

/** `{tool => "N", args => { --k "v" }}`; and JSON, when it is that. */
export const arrowCalls: Body = {
  starts: ["{", "["],
  *read(read: Cursor, block: Block, around: Surroundings) {
    read.hold();
    read.skip(1);
    while (read.space() === MORE) yield;
    let isArrow = (yield* take(read, "tool")) === YES;
    if (isArrow) {
      while (read.space() === MORE) yield;
      isArrow = (yield* take(read, "=>")) === YES;
    }
    read.back();
    if (!isArrow) return yield* jsonCalls.read(read, block, around);
    read.mark();
    if (!(yield* balanced(read))) return false;
    const [, name, body = ""] = callPattern.exec(read.marked()) ?? [];
    const texts = name === undefined ? undefined : readArguments(body);
    if (name === undefined || texts === undefined || !block.accepts(name)) return false;
    const { json, coerced } = argumentsOfTexts(texts, block.tools.get(name));
    block.call(name, json, { coerced });
    return true;
  },
};

function* balanced(read: Cursor): Generator<undefined, boolean, undefined> {
  for (let depth = 0; ; ) {
    while (read.until(structure) === MORE) yield;
    if (read.atEnd) return false;
    const code = read.code();
    if (code === 0x22) {
      if (!(yield* quotedString(read))) return false;
      continue;
    }
    read.skip(1);
    depth += code === 0x7b ? 1 : -1;
    if (depth === 0) return true;
  }
}

function readArguments(body: string): { name: string; text: string }[] | undefined {
  const texts: { name: string; text: string }[] = [];
  let at = 0;
  for (;;) {
    between.lastIndex = at;
    between.test(body);
    at = between.lastIndex;
    if (at === body.length) return texts;
    argumentPattern.lastIndex = at;
    const found = argumentPattern.exec(body);
    if (found === null) return undefined;
    const [whole, name, quoted, bare = ""] = found;
    texts.push({ name: name!, text: quoted === undefined ? bare.trim() : unescaped(quoted) });
    at += whole.length;
  }
}

function unescaped(quoted: string): string {
  try {
    return JSON.parse(`"${quoted.replaceAll("\n", "\\n")}"`) as string;
  } catch {
    return quoted;
  }
}
