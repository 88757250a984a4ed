import type { Cursor } from "../cursor.ts";
import { isSpace, MORE, NONE } from "../cursor.ts";
import type { Block } from "../dialect.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import type { Surroundings } from "./tagged.ts";
import { isCutOff, onlyTurnEnds, turnEnd } from "./turn-ends.ts";

/** Where the value of a parameter ends, and what around it is not part of it. */
export interface ValueRules {
  /** The parameter's tag up to the name, and its closing tag. */
  readonly parameters: readonly { readonly open: string; readonly close: string }[];
  readonly endCalls: readonly string[];
  /** The next call's tag, where calls follow each other without one that ends them. */
  readonly calls: readonly string[];
  /** Newlines next to the tags: stripped `each` for itself, only if there is a `pair` of them, or not. */
  readonly newlines: "each" | "pair" | "none";
  /** Models forget the parameter's closing tag: the next parameter or the end of the call closes it as well. */
  readonly forgets: boolean;
}

const kept = new WeakMap<ValueRules, LiteralSet<"next" | "end">>();

function followersOf(rules: ValueRules): LiteralSet<"next" | "end"> {
  let set = kept.get(rules);
  if (set === undefined) {
    set = new LiteralSet([
      ...rules.parameters.map(({ open }) => [open, "next"] as const),
      ...rules.endCalls.map((end) => [end, "end"] as const),
      ...rules.calls.map((call) => [call, "end"] as const),
    ]);
    kept.set(rules, set);
  }
  return set;
}

/** Where a value ends, from the mark; and, where all after it was closed but text followed, where that begins. */
export interface ValueEnd {
  readonly to: number;
  readonly rest?: number;
}

/**
 * Reads the value of a parameter. Its closing tag counts only where the next parameter or the end of the call follows:
 * values may hold the tag as text. Answers where the value ends, from the mark; undefined when it has no end.
 */
export function* parameterValue(
  read: Cursor,
  block: Block,
  rules: ValueRules,
  around: Surroundings,
  close: string,
): Generator<undefined, ValueEnd | undefined, undefined> {
  if (rules.forgets) return yield* forgetfulValue(read, block, rules, around, close);
  const marks = marksOf(rules, around, close);
  for (let isCallOver = false; ; ) {
    let mark = read.seek(marks);
    for (; mark === PARTIAL; mark = read.seek(marks)) yield;
    // Another call begins behind the end of this one: the value was never closed, and must not take that call along.
    if (mark === undefined || (mark.value === "again" && isCallOver)) return undefined;
    const to = read.offset;
    read.skip(mark.literal.length);
    if (mark.value === "close" && !isText(read, rules, around) && (yield* isFollowed(read, block, rules, around)))
      return { to };
    if (mark.value === "end" && !isCallOver) isCallOver = yield* isBoundary(read, rules, around);
  }
}

/** Does the call or its envelope end here, or another parameter or call begin? */
function* isBoundary(
  read: Cursor,
  rules: ValueRules,
  { closes }: Surroundings,
): Generator<undefined, boolean, undefined> {
  while (read.space() === MORE) yield;
  const followers = followersOf(rules);
  let next: unknown = read.peek(followers);
  for (; next === PARTIAL; next = read.peek(followers)) yield;
  if (next === undefined) for (next = read.peek(closes); next === PARTIAL; next = read.peek(closes)) yield;
  return next !== undefined;
}

const CDATA = "<![CDATA[";

/** Takes the newlines away that belong to the tags; a CDATA section that is the whole value is unwrapped. */
export function stripNewlines(value: string, newlines: ValueRules["newlines"]): string {
  const cdata = value.trim();
  if (cdata.startsWith(CDATA) && cdata.endsWith("]]>") && cdata.indexOf("]]>") === cdata.length - 3)
    return cdata.slice(CDATA.length, -3);
  if (newlines === "none") return value;
  const front = value.startsWith("\n") ? 1 : value.startsWith("\r\n") ? 2 : 0;
  const rest = value.length - front;
  const back = rest > 0 && value.endsWith("\r\n") && rest > 1 ? 2 : rest > 0 && value.endsWith("\n") ? 1 : 0;
  if (newlines === "pair" && (front === 0 || back === 0)) return value;
  return value.slice(front, value.length - back);
}

/** Is it plain at once that no closing tag was meant? That is said without a look ahead: values may be full of tags. */
function isText(read: Cursor, rules: ValueRules, { closes }: Surroundings): boolean {
  const code = read.code();
  if (code === NONE || isSpace(code) || read.ended) return false;
  return (
    read.peek(followersOf(rules)) === undefined && read.peek(closes) === undefined && read.peek(turnEnd) === undefined
  );
}

/** Behind a closing tag: does what follows say that it was meant? */
function* isFollowed(
  read: Cursor,
  block: Block,
  rules: ValueRules,
  around: Surroundings,
): Generator<undefined, boolean, undefined> {
  if (yield* isBoundary(read, rules, around)) return true;
  read.hold();
  const isOver = isCutOff(read, rules.endCalls) || (yield* onlyTurnEnds(read));
  if (isOver) read.back();
  return isOver && block.repairs;
}

/** A call's end may be this far from the end of its envelope. */
const MAX_AHEAD = 64;

type Mark = "close" | "next" | "end" | "again";

const keptMarks = new WeakMap<Surroundings, Map<ValueRules, Map<string, LiteralSet<Mark>>>>();

function marksOf(rules: ValueRules, around: Surroundings, close: string): LiteralSet<Mark> {
  const byRules = keptMarks.get(around) ?? new Map<ValueRules, Map<string, LiteralSet<Mark>>>();
  const byClose = byRules.get(rules) ?? new Map<string, LiteralSet<Mark>>();
  const set = byClose.get(close) ?? createMarks(rules, around, close);
  keptMarks.set(around, byRules.set(rules, byClose.set(close, set)));
  return set;
}

function createMarks(rules: ValueRules, { closes }: Surroundings, close: string): LiteralSet<Mark> {
  const opens = closes.entries.filter(([, what]) => what === "next").map(([open]) => open);
  return new LiteralSet<Mark>([
    [close, "close"],
    ...rules.endCalls.map((end) => [end, "end"] as const),
    ...(rules.forgets ? opens : [...opens, ...rules.calls]).map((open) => [open, "again"] as const),
    ...(rules.forgets ? rules.parameters : []).map(({ open }) => [`\n${open}`, "next"] as const),
  ]);
}

/**
 * The value of a model that forgets closing tags. The call's end ends the value only where nothing but the envelope's
 * end, another call or the end of the input is behind it: values may hold that tag, too. If the value turns out to have
 * no other end, the first such place is it.
 */
function* forgetfulValue(
  read: Cursor,
  block: Block,
  rules: ValueRules,
  around: Surroundings,
  close: string,
): Generator<undefined, ValueEnd | undefined, undefined> {
  const marks = marksOf(rules, around, close);
  let last: ValueEnd | undefined;
  for (;;) {
    let mark = read.seek(marks);
    for (; mark === PARTIAL; mark = read.seek(marks)) yield;
    if (mark === undefined) return block.repairs ? last : undefined;
    const to = read.offset;
    if (mark.value === "next") {
      read.skip(1);
      return { to };
    }
    if (mark.value === "again") {
      // Another block begins behind what may have been the end of this one: it was.
      if (last !== undefined) return last;
      read.skip(mark.literal.length);
      continue;
    }
    if (mark.value === "close") {
      read.skip(mark.literal.length);
      if (!isText(read, rules, around) && (yield* isFollowed(read, block, rules, around))) return { to };
      continue;
    }
    read.hold();
    read.skip(mark.literal.length);
    const behind = yield* closesAll(read, block, rules, around);
    if (behind === true) read.back();
    if (behind === true) return { to };
    if (behind !== false) last ??= { to, rest: behind };
  }
}

/** Behind the end of a call: true = all is closed, or goes on with a call; an offset = all is closed, but text follows there. */
function* closesAll(
  read: Cursor,
  block: Block,
  rules: ValueRules,
  { closes }: Surroundings,
): Generator<undefined, boolean | number, undefined> {
  const from = read.offset;
  for (let closed = closes.isEmpty; ; closed = true) {
    const rest = read.offset;
    while (read.space() === MORE && read.offset - from < MAX_AHEAD) yield;
    if (read.offset - from >= MAX_AHEAD) return false;
    let next = read.peek(followersOf(rules));
    for (; next === PARTIAL; next = read.peek(followersOf(rules))) yield;
    if (next !== undefined) return next.value === "end";
    if (closed && !closes.isEmpty) return (yield* onlyTurnEnds(read)) ? block.repairs : rest;
    let end = read.peek(closes);
    for (; end === PARTIAL; end = read.peek(closes)) yield;
    if (end === undefined) return (yield* onlyTurnEnds(read)) && block.repairs;
    if (end.value === "next") return true;
    read.skip(end.literal.length);
  }
}
