import type { Cursor } from "../cursor.ts";
import { type Answer, MORE, stopsAt, YES } from "../cursor.ts";
import type { Block } from "../dialect.ts";
import { readArguments } from "../json/call-objects.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import { jsonArguments } from "./json-arguments.ts";
import { take } from "./steps.ts";
import type { Body } from "./tagged.ts";

const MAX_NAME = 256;
const nameEnd = stopsAt("<");

interface Named {
  readonly name: string;
  readonly id?: string | undefined;
}

/** How a call is written whose name stands in front of its JSON arguments. */
interface Headed {
  /** What a call begins with. */
  readonly starts: readonly string[];
  /** What ends the name. */
  readonly heads: readonly string[];
  /** What ends the call; none = its arguments do. */
  readonly ends: readonly string[];
  /** Name and id, from what stands first and behind each literal of `heads`, trimmed; undefined = it names nothing. */
  read(first: string, behind: ReadonlyMap<string, string>): Named | undefined;
}

/** What no name begins with. */
const noName = stopsAt("[]{}()<>\"'");

/** Calls whose name stands in front of their JSON arguments. */
export function headedJson({ starts, heads, ends, read: readHead }: Headed): Body {
  const stops = stopsAt(`{"\`${heads.map((head) => head[0]).join("")}`);
  const begin = LiteralSet.of(...starts);
  const between = LiteralSet.of(...heads);
  const closes = LiteralSet.of(...ends);
  return {
    starts,
    mayBegin: (code) => noName[code] !== 1,
    *read(read, block) {
      let start = read.peek(begin);
      for (; start === PARTIAL; start = read.peek(begin)) yield;
      if (start !== undefined) read.skip(start.literal.length);
      const parts = yield* headOf(read, stops, between, closes);
      const head = parts === undefined ? undefined : readHead(parts.first, parts.behind);
      if (head === undefined || !block.accepts(head.name)) return false;
      // A name alone at the end calls a tool that is declared.
      if (read.atEnd && !(block.repairs && parts!.behind.size === 0 && block.tools.has(head.name))) return false;
      const value = yield* argumentsValue(read, closes);
      if (value === undefined) return false;
      const closed = ends.length === 0 || (yield* closesHere(read, closes));
      if (!closed && read.atEnd && !block.repairs) return false;
      block.call(head.name, value.json, { id: head.id, repaired: value.repaired || !closed });
      block.commit();
      return true;
    },
  };
}

/** Steps over the closing literal, if it is next. */
function* closesHere(read: Cursor, closes: LiteralSet<string>): Generator<undefined, boolean, undefined> {
  while (read.space() === MORE) yield;
  let end = read.peek(closes);
  for (; end === PARTIAL; end = read.peek(closes)) yield;
  if (end !== undefined) read.skip(end.literal.length);
  return end !== undefined;
}

/** A brace, a quotation mark or a tick: what arguments begin with. */
const begins = new Set([0x7b, 0x22, 0x60]);

interface Parts {
  readonly first: string;
  /** By the literal in front of each. */
  readonly behind: Map<string, string>;
}

/** What stands in front of the arguments. */
function* headOf(
  read: Cursor,
  stops: Uint8Array,
  between: LiteralSet<string>,
  closes: LiteralSet<string>,
): Generator<undefined, Parts | undefined, undefined> {
  const behind = new Map<string, string>();
  let first: string | undefined;
  for (let literal = ""; ; ) {
    read.mark();
    while (read.until(stops, MAX_NAME) === MORE) yield;
    const part = read.marked().trim();
    if (first === undefined) first = part;
    else behind.set(literal, part);
    if (begins.has(read.code())) return { first, behind };
    let next = read.peek(between);
    for (; next === PARTIAL; next = read.peek(between)) yield;
    if (next === undefined) {
      // The call ends without arguments, or the text does.
      let end = read.peek(closes);
      for (; end === PARTIAL; end = read.peek(closes)) yield;
      return end === undefined && !(read.atEnd && closes.isEmpty) ? undefined : { first, behind };
    }
    literal = next.literal;
    read.skip(literal.length);
  }
}

/** JSON arguments, as they are or in a fence. */
function* argumentsValue(
  read: Cursor,
  closes: LiteralSet<string>,
): Generator<undefined, { json: string; repaired: boolean } | undefined, undefined> {
  if (read.atEnd || read.peek(closes) !== undefined) return readArguments("");
  const fence: Answer = yield* take(read, "```");
  if (fence !== YES) return yield* jsonArguments(read, closes);
  yield* take(read, "json");
  while (read.space() === MORE) yield;
  const value = yield* jsonArguments(read, fenceEnd);
  while (read.space() === MORE) yield;
  yield* take(read, "```");
  return value;
}

const fenceEnd = LiteralSet.of("```");

/** `<name>N</name><arguments>{}</arguments>`, as hosted MiniMax models write it. */
export const nameArguments: Body = {
  starts: ["<name>", "<tool_name>"],
  *read(read: Cursor, block: Block) {
    const close = (yield* take(read, "<name>")) === YES ? "</name>" : "</tool_name>";
    if (close === "</tool_name>") yield* take(read, "<tool_name>");
    read.mark();
    while (read.until(nameEnd, MAX_NAME) === MORE) yield;
    const name = read.marked().trim();
    if ((yield* take(read, close)) !== YES || !block.accepts(name)) return false;
    while (read.space() === MORE) yield;
    for (const tag of ["arguments", "parameters", "args"]) {
      if ((yield* take(read, `<${tag}>`)) !== YES) continue;
      while (read.space() === MORE) yield;
      const end = `</${tag}>`;
      const isEmpty = read.code() === 0x3c;
      const json = isEmpty ? readArguments("") : yield* jsonArguments(read, LiteralSet.of(end));
      if (json === undefined) return false;
      while (read.space() === MORE) yield;
      const closed = yield* take(read, end);
      if (closed !== YES && !(read.atEnd && block.repairs)) return false;
      block.call(name, json.json, { repaired: json.repaired || closed !== YES });
      return true;
    }
    block.call(name, "{}");
    return true;
  },
};
