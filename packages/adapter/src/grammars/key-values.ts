import { argumentsOfTexts } from "../coerce.ts";
import type { Cursor } from "../cursor.ts";
import { MORE, stopsAt, YES } from "../cursor.ts";
import type { Block } from "../dialect.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import { jsonArguments } from "./json-arguments.ts";
import { noise, take } from "./steps.ts";
import type { Body, Surroundings } from "./tagged.ts";
import { isCutOff, onlyTurnEnds } from "./turn-ends.ts";

const nameStops = stopsAt("<\n\r\t {}[]()\"'`,;\\");
const MAX_NAME = 256;

interface Place {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The tags of one variant: some tokenizers add a suffix to each. */
interface Tags {
  readonly inside: LiteralSet<"key" | "separator">;
  readonly key: string;
  readonly endKey: string;
  /** What may stand behind a key: its closing tag, or a tag that shows it has none. */
  readonly keyEnds: LiteralSet<"end" | "other">;
  readonly value: string;
  readonly endValue: string;
  /** What may end a value. */
  readonly marks: LiteralSet<"key" | "end">;
}

function tagsOf(suffix: string): Tags {
  return {
    inside: new LiteralSet([
      [`<arg_key${suffix}>`, "key"],
      [`<tool_sep${suffix}>`, "separator"],
    ]),
    key: `<arg_key${suffix}>`,
    endKey: `</arg_key${suffix}>`,
    keyEnds: new LiteralSet([
      [`</arg_key${suffix}>`, "end"],
      [`<arg_key${suffix}>`, "other"],
      [`<arg_value${suffix}>`, "other"],
      [`</arg_value${suffix}>`, "other"],
    ]),
    value: `<arg_value${suffix}>`,
    endValue: `</arg_value${suffix}>`,
    marks: new LiteralSet([
      [`<arg_key${suffix}>`, "key"],
      [`</arg_value${suffix}>`, "end"],
    ]),
  };
}

/**
 * `N <arg_key>K</arg_key> <arg_value>V</arg_value> ...`, up to the envelope's closing tag. `declaredOnly`: a name without
 * arguments must be declared, because the envelope's tag alone may be text.
 */
export function keyValueCalls({ declaredOnly }: { readonly declaredOnly: boolean }): Body {
  const tags = tagsOf("");
  return {
    starts: [],
    mayBegin: (code) => nameStops[code] !== 1,
    read: (read, block, around) => keyValueCall(read, block, around, tags, declaredOnly),
  };
}

/** The same, each call in a tag of its own, inside the envelope. */
export function hunyuanCalls(suffix: string): Body {
  const tags = tagsOf(suffix);
  const open = `<tool_call${suffix}>`;
  const close = `</tool_call${suffix}>`;
  return {
    starts: [open],
    *read(read, block, { closes }) {
      read.skip(open.length);
      while (read.space() === MORE) yield;
      const own = { closes: new LiteralSet<"close" | "next">([[close, "close"], [open, "next"], ...closes.entries]) };
      if (!(yield* keyValueCall(read, block, own, tags, false))) return false;
      yield* take(read, close);
      block.commit();
      return true;
    },
  };
}

function* keyValueCall(
  read: Cursor,
  block: Block,
  around: Surroundings,
  tags: Tags,
  declaredOnly: boolean,
): Generator<undefined, boolean, undefined> {
  read.mark();
  while (read.until(nameStops, MAX_NAME) === MORE) yield;
  const name = read.marked();
  if (name === "") return false;
  const places: Place[] = [];
  let repaired = false;
  for (;;) {
    yield* noise(read);
    let next = read.peek(tags.inside);
    for (; next === PARTIAL; next = read.peek(tags.inside)) yield;
    if (next === undefined) break;
    read.skip(next.literal.length);
    if (next.value === "separator") continue;
    const place = yield* readPair(read, block, around, tags);
    if (place === undefined) return false;
    if (place === VALUELESS) repaired = true;
    else places.push(place);
  }
  // Some models write the arguments as JSON behind the name.
  const whole = places.length === 0 && read.code() === 0x7b ? yield* jsonArguments(read) : undefined;
  if (whole !== undefined) yield* noise(read);
  let close = read.peek(around.closes);
  for (; close === PARTIAL; close = read.peek(around.closes)) yield;
  if (close === undefined && !(yield* isOver(read, block, around))) return false;
  // A name alone may be text, or the beginning of a longer one.
  const isSure = places.length > 0 || (!declaredOnly && close !== undefined);
  if (!isSure && !block.tools.has(name)) return false;
  if (!block.accepts(name)) return false;
  repaired ||= close === undefined;
  if (whole !== undefined) {
    block.call(name, whole.json, { repaired: repaired || whole.repaired });
    return true;
  }
  const text = places.length === 0 ? "" : read.marked();
  const texts = places.map((place) => ({ name: place.name, text: text.slice(place.from, place.to) }));
  const { json, coerced } = argumentsOfTexts(texts, block.tools.get(name));
  block.call(name, json, { coerced, repaired });
  return true;
}

/** Nothing more comes, and missing closing tags may be put right. */
function* isOver(read: Cursor, block: Block, { closes }: Surroundings): Generator<undefined, boolean, undefined> {
  read.hold();
  const isEnd = yield* onlyTurnEnds(read);
  if (isEnd) read.back();
  return block.repairs && (isEnd || isCutOff(read, tagsIn(closes)));
}

function tagsIn(closes: Surroundings["closes"]): readonly string[] {
  return closes.entries.filter(([, kind]) => kind === "close").map(([tag]) => tag);
}

/** A key that no value follows. */
const VALUELESS = "valueless";

function* readPair(
  read: Cursor,
  block: Block,
  around: Surroundings,
  tags: Tags,
): Generator<undefined, Place | typeof VALUELESS | undefined, undefined> {
  const { keyEnds, value, endValue, marks } = tags;
  const name = yield* keyName(read, keyEnds);
  if (name === undefined) return undefined;
  yield* noise(read);
  if ((yield* take(read, value)) !== YES && (yield* isNextAhead(read, around, tags))) return VALUELESS;
  const from = read.offset;
  for (;;) {
    let found = read.seek(marks);
    for (; found === PARTIAL; found = read.seek(marks)) yield;
    if (found === undefined) return undefined;
    const to = read.offset;
    if (found.value === "key") {
      if (yield* isPair(read, tags)) return { name, from, to };
      continue;
    }
    read.skip(endValue.length);
    yield* noise(read);
    if ((yield* isNextAhead(read, around, tags)) || (yield* isOver(read, block, around))) return { name, from, to };
  }
}

/** Does the next key stand here, or what ends the call? */
function* isNextAhead(
  read: Cursor,
  { closes }: Surroundings,
  { inside }: Tags,
): Generator<undefined, boolean, undefined> {
  let next: unknown = read.peek(inside);
  for (; next === PARTIAL; next = read.peek(inside)) yield;
  if (next === undefined) for (next = read.peek(closes); next === PARTIAL; next = read.peek(closes)) yield;
  return next !== undefined;
}

/** Reads a key up to and with its closing tag. Undefined when it has none; the cursor stands behind what was read. */
function* keyName(read: Cursor, ends: Tags["keyEnds"]): Generator<undefined, string | undefined, undefined> {
  const most = read.offset + MAX_NAME;
  read.hold();
  let end = read.seek(ends, most);
  for (; end === PARTIAL; end = read.seek(ends, most)) yield;
  if (end?.value !== "end") return undefined;
  const name = read.held().trim();
  read.skip(end.literal.length);
  return name;
}

/** A key inside a value: does a value follow it, so that the one in front of it was not closed? Stays here if so, else behind the tag. */
function* isPair(read: Cursor, { key, endKey, value }: Tags): Generator<undefined, boolean, undefined> {
  const most = read.offset + MAX_NAME;
  read.hold();
  read.skip(key.length);
  while (read.until(keyStops, most) === MORE) yield;
  let isPair = (yield* take(read, endKey)) === YES;
  if (isPair) {
    yield* noise(read);
    isPair = (yield* take(read, value)) === YES;
  }
  read.back();
  if (!isPair) read.skip(key.length);
  return isPair;
}

const keyStops = stopsAt("<");
