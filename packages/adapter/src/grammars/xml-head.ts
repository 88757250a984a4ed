import type { Cursor } from "../cursor.ts";
import { MORE, NO, stopsAt, YES } from "../cursor.ts";
import type { Lookahead } from "../dialect.ts";

const headStops = stopsAt("<>\n");
const MAX_HEAD = 512;

/** Reads the rest of a tag up to and with its `>`, at most 512 code units. Undefined when this is no tag. */
export function* tagHead(read: Cursor): Generator<undefined, string | undefined, undefined> {
  const most = read.offset + MAX_HEAD;
  read.hold();
  while (read.until(headStops, most) === MORE) yield;
  if (read.code() !== 0x3e) return undefined;
  const head = read.held();
  read.skip(1);
  return head;
}

/** Is the rest of a tag behind `behind`, and does it name a declared tool? */
export const isDeclaredHead: Lookahead = (text, _at, tools, ended, behind) => {
  const most = behind + MAX_HEAD;
  let end = behind;
  while (end < text.length && end < most && headStops[text.charCodeAt(end)] !== 1) end++;
  if (end === text.length && !ended) return MORE;
  return text[end] === ">" && tools.has(nameOf(text.slice(behind, end))) ? YES : NO;
};

const namePattern = /^[\s=]*(?:name\s*=\s*)?(?:"([^"]*)"|'([^']*)'|([^\s"'=<>/]+))/;

/** The name that a tag's head gives: ` name="N"`, ` name='N'`, `=N`, ` N`, with quotes or without. */
export function nameOf(head: string): string {
  const bare = head.replace(/^\s*=/, "").trim();
  // Nothing else is in the tag: the name may have spaces.
  if (!/["'=<>]/.test(bare)) return bare.endsWith("/") ? bare.slice(0, -1).trimEnd() : bare;
  const found = namePattern.exec(head);
  return (found?.[1] ?? found?.[2] ?? found?.[3] ?? "").trim();
}
