import { argumentsOfTexts } from "../coerce.ts";
import type { Cursor } from "../cursor.ts";
import { MORE, YES } from "../cursor.ts";
import { type Block, defineEnvelope, type Envelope } from "../dialect.ts";
import { NOISE, noise, take } from "./steps.ts";
import { nameOf, tagHead } from "./xml-head.ts";

const MAX_NOISE = 64;

/** Backslash-n behind the block goes with it; other whitespace stays. */
function* trailingNoise(read: Cursor): Generator<undefined, void, undefined> {
  for (;;) {
    const from = read.offset;
    read.hold();
    while (read.space() === MORE && read.offset - from < MAX_NOISE) yield;
    const isNoise = read.offset - from < MAX_NOISE && (yield* take(read, NOISE)) === YES;
    if (isNoise) continue;
    read.back();
    return;
  }
}

function* toolTag(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
  read.mark();
  yield* noise(read);
  if ((yield* take(read, "<")) !== YES) return false;
  const tool = nameOf((yield* tagHead(read)) ?? "");
  if (!block.accepts(tool)) return false;
  const places: { name: string; from: number; to: number }[] = [];
  for (;;) {
    yield* noise(read);
    if (read.atEnd) {
      if (!block.repairs) return false;
      break;
    }
    if ((yield* take(read, "</")) === YES) {
      if (nameOf((yield* tagHead(read)) ?? "") !== tool) return false;
      yield* noise(read);
      yield* take(read, "</invoke>");
      break;
    }
    if ((yield* take(read, "<")) !== YES) return false;
    const name = nameOf((yield* tagHead(read)) ?? "");
    if (name === "") return false;
    const from = read.offset;
    const to = yield* childEnd(read, `</${name}>`);
    if (to === undefined) return false;
    places.push({ name, from, to });
  }
  const text = read.marked();
  const texts = places.map(({ name, from, to }) => ({ name, text: text.slice(from, to) }));
  const { json, coerced } = argumentsOfTexts(texts, block.tools.get(tool));
  block.call(tool, json, { coerced });
  block.commit();
  yield* trailingNoise(read);
  return true;
}

/** A child ends at its closing tag, where another tag follows. */
function* childEnd(read: Cursor, close: string): Generator<undefined, number | undefined, undefined> {
  for (;;) {
    for (let found = read.find(close); found !== YES; found = read.find(close)) {
      if (found !== MORE) return undefined;
      yield;
    }
    const to = read.offset;
    read.skip(close.length);
    yield* noise(read);
    if (read.atEnd || read.code() === 0x3c) return to;
  }
}

/** `<invoke><TOOL><K>V</K></TOOL></invoke>`, as hosted MiniMax models write it: the tool and its arguments are tags. */
export const toolAsTag: Envelope = defineEnvelope({ opens: ["<invoke>"], weak: true, grammar: toolTag });
