import type { Cursor } from "../cursor.ts";
import { type Answer, isSpace, MORE, NO, stopsAt, YES } from "../cursor.ts";
import { type Block, defineEnvelope, type Envelope, type Lookahead } from "../dialect.ts";
import { readPythonCall } from "../python-calls.ts";
import { jsonCalls } from "./json-calls.ts";
import type { Body } from "./tagged.ts";
import { onlyTurnEnds } from "./turn-ends.ts";

const nameStops = stopsAt(" \t\r\n()[]{}<>=,;:'\"`\\/!?*&^%$#@~|+");
const structure = stopsAt("()[]{}'\"");
const MAX_NAME = 256;
const MAX_DEPTH = 256;
const MAX_INDENT = 16;

/** Reads `name(...)`, from the name to the closing parenthesis. */
function* pythonCall(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
  read.mark();
  while (read.until(nameStops, MAX_NAME) === MORE) yield;
  const name = read.marked();
  if (read.code() !== 0x28 || !block.accepts(name)) return false;
  for (let depth = 0; ; ) {
    while (read.until(structure) === MORE) yield;
    const code = read.code();
    if (read.atEnd) return false;
    if (code === 0x27 || code === 0x22) {
      if (!(yield* pythonString(read, code))) return false;
      continue;
    }
    read.skip(1);
    depth += code === 0x28 || code === 0x5b || code === 0x7b ? 1 : -1;
    if (depth > MAX_DEPTH) return false;
    if (depth === 0) break;
  }
  const call = readPythonCall(read.marked());
  if (call === undefined) return false;
  block.call(call.name, call.arguments);
  return true;
}

/** Steps over a string literal, with one quote or three. */
function* pythonString(read: Cursor, quote: number): Generator<undefined, boolean, undefined> {
  const one = String.fromCharCode(quote);
  const three = one.repeat(3);
  let triple = read.take(three);
  for (; triple === MORE; triple = read.take(three)) yield;
  const close = triple === YES ? three : one;
  if (triple !== YES) read.skip(1);
  const stops = quote === 0x27 ? apostrophe : quotationMark;
  for (;;) {
    while (read.until(stops) === MORE) yield;
    if (read.atEnd) return false;
    if (read.code() === 0x5c) {
      read.skip(1);
      while (read.code() < 0 && !read.ended) yield;
      if (read.atEnd) return false;
      read.skip(1);
      continue;
    }
    let end = read.take(close);
    for (; end === MORE; end = read.take(close)) yield;
    if (end === YES) return true;
    read.skip(1);
  }
}

const apostrophe = stopsAt("'\\");
const quotationMark = stopsAt('"\\');

/** `[f(a=1), g()]`, or an array of JSON calls. */
function* listOrJson(...[read, block, around]: Parameters<Body["read"]>): Generator<undefined, boolean, undefined> {
  read.hold();
  read.skip(1);
  while (read.space() === MORE) yield;
  const isJson = read.code() === 0x7b;
  if (isJson) read.back();
  return isJson ? yield* jsonCalls.read(read, block, around) : yield* pythonList(read, block);
}

/** The calls of a list, behind its opening bracket. */
function* pythonList(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
  for (let count = 0; ; count++) {
    while (read.space() === MORE) yield;
    if (count > 0 && read.code() === 0x2c) {
      read.skip(1);
      while (read.space() === MORE) yield;
    } else if (count > 0 && read.code() !== 0x5d) return block.repairs && (yield* onlyTurnEnds(read));
    if (count > 0 && read.code() === 0x5d) {
      read.skip(1);
      return true;
    }
    // The calls in front of this one stand, whatever becomes of it; without a token around it, the list may be text.
    if (count > 0 && !block.weak) block.commit();
    if (!(yield* pythonCall(read, block))) return false;
  }
}

/** A list of Python calls inside an envelope. */
export const pythonicCalls: Body = { starts: ["["], read: listOrJson };

/** Python calls without brackets, one after the other. */
export const pythonLines: Body = { starts: [], read: pythonCall };

/** May a list of calls begin here: a bracket, the name of a declared tool, a parenthesis? */
const isPythonList: Lookahead = (text, at, tools, ended): Answer => {
  let from = at + 1;
  while (from < at + MAX_INDENT && isSpace(text.charCodeAt(from))) from++;
  let end = from;
  while (end < text.length && end - from <= MAX_NAME && !(nameStops[text.charCodeAt(end)] === 1)) end++;
  if (end === text.length && !ended && end - from <= MAX_NAME) {
    const begun = text.slice(from);
    for (const name of tools.keys()) if (name.startsWith(begun)) return MORE;
    return NO;
  }
  return end > from && text.charCodeAt(end) === 0x28 && tools.has(text.slice(from, end)) ? YES : NO;
};

/** A list of Python calls in the text: only declared names. */
export const barePythonic: Envelope = defineEnvelope({
  about: "`[N(`",
  opens: ["["],
  weak: true,
  lookahead: isPythonList,
  follows: nameStops.map((stops, code) => (stops === 0 || isSpace(code) ? 1 : 0)),
  grammar: pythonList,
});
