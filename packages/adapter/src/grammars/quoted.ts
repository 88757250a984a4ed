import type { Cursor } from "../cursor.ts";
import { MORE, stopsAt } from "../cursor.ts";

const quotationMark = stopsAt('"\\');
const apostrophe = stopsAt("'\\");

/** Steps over a string that begins here, with backslashes as escapes. False when it has no end. */
export function* quotedString(read: Cursor): Generator<undefined, boolean, undefined> {
  const quote = read.code();
  const stops = quote === 0x27 ? apostrophe : quotationMark;
  read.skip(1);
  for (;;) {
    while (read.until(stops) === MORE) yield;
    if (read.atEnd) return false;
    const isEnd = read.code() === quote;
    read.skip(1);
    if (isEnd) return true;
    while (read.code() < 0 && !read.ended) yield;
    if (read.atEnd) return false;
    read.skip(1);
  }
}
