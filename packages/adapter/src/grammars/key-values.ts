import { argumentsOfTexts } from "../coerce.ts";
import type { Cursor } from "../cursor.ts";
import { MORE, stopsAt, YES } from "../cursor.ts";
import type { Block } from "../dialect.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import { take } from "./headed-json.ts";
import type { Body, Surroundings } from "./tagged.ts";

const nameStops = stopsAt("<\n\r\t {}[]()\"'`,;\\");
const MAX_NAME = 256;
const NOISE = "\\n";

interface Place {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The tags of one variant: some tokenizers add a suffix to each. */
interface Tags {
  readonly inside: LiteralSet<"key" | "separator">;
  readonly endKey: string;
  readonly value: string;
  readonly endValue: string;
}

function tagsOf(suffix: string): Tags {
  return {
    inside: new LiteralSet([
      [`<arg_key${suffix}>`, "key"],
      [`<tool_sep${suffix}>`, "separator"],
    ]),
    endKey: `</arg_key${suffix}>`,
    value: `<arg_value${suffix}>`,
    endValue: `</arg_value${suffix}>`,
  };
}

/**
 * `N <arg_key>K</arg_key> <arg_value>V</arg_value> ...`, up to the envelope's closing tag. `declaredOnly`: a name without
 * arguments must be declared, because the envelope's tag alone may be text.
 */
export function keyValueCalls({ declaredOnly }: { readonly declaredOnly: boolean }): Body {
  const tags = tagsOf("");
  return { starts: [], read: (read, block, around) => keyValueCall(read, block, around, tags, declaredOnly) };
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
  while (read.until(nameStops) === MORE) {
    if (read.offset > MAX_NAME) return false;
    yield;
  }
  const name = read.marked();
  if (name === "" || name.length > MAX_NAME) return false;
  const places: Place[] = [];
  for (;;) {
    yield* noise(read);
    let next = read.peek(tags.inside);
    for (; next === PARTIAL; next = read.peek(tags.inside)) yield;
    if (next === undefined) break;
    read.skip(next.literal.length);
    if (next.value === "separator") continue;
    const place = yield* readPair(read, block, around, tags);
    if (place === undefined) return false;
    places.push(place);
  }
  let close = read.peek(around.closes);
  for (; close === PARTIAL; close = read.peek(around.closes)) yield;
  if (close === undefined && !(read.atEnd && block.repairs)) return false;
  if (places.length === 0 && declaredOnly && !block.tools.has(name)) return false;
  if (!block.accepts(name)) return false;
  const text = read.marked();
  const texts = places.map((place) => ({ name: place.name, text: text.slice(place.from, place.to) }));
  const { json, coerced } = argumentsOfTexts(texts, block.tools.get(name));
  block.call(name, json, { coerced, repaired: close === undefined });
  return true;
}

/** Whitespace between tags; some engines write a newline as backslash and n. */
function* noise(read: Cursor): Generator<undefined, void, undefined> {
  do while (read.space() === MORE) yield;
  while ((yield* take(read, NOISE)) === YES);
}

function* readPair(
  read: Cursor,
  block: Block,
  { closes }: Surroundings,
  { inside, endKey, value, endValue }: Tags,
): Generator<undefined, Place | undefined, undefined> {
  const keyFrom = read.offset;
  if (!(yield* findNext(read, endKey))) return undefined;
  const name = read.marked().slice(keyFrom).trim();
  read.skip(endKey.length);
  yield* noise(read);
  if ((yield* take(read, value)) !== YES) return undefined;
  const from = read.offset;
  for (;;) {
    if (!(yield* findNext(read, endValue))) return undefined;
    const to = read.offset;
    read.skip(endValue.length);
    yield* noise(read);
    if (read.atEnd) return block.repairs ? { name, from, to } : undefined;
    let next: unknown = read.peek(inside);
    for (; next === PARTIAL; next = read.peek(inside)) yield;
    if (next === undefined) for (next = read.peek(closes); next === PARTIAL; next = read.peek(closes)) yield;
    if (next !== undefined) return { name, from, to };
  }
}

function* findNext(read: Cursor, literal: string): Generator<undefined, boolean, undefined> {
  for (let found = read.find(literal); found !== YES; found = read.find(literal)) {
    if (found !== MORE) return false;
    yield;
  }
  return true;
}
