import type { Cursor } from "../cursor.ts";
import { MORE, NO, YES } from "../cursor.ts";
import { type Block, defineEnvelope, type Envelope, type Lookahead } from "../dialect.ts";
import { readArguments } from "../json/call-objects.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";
import { jsonArguments } from "./json-arguments.ts";
import { take } from "./steps.ts";

/** What ends a header: its message, or (it is none) the end of another one. */
const headEnds = new LiteralSet<"message" | "end">([
  ["<|message|>", "message"],
  ["<|call|>", "end"],
  ["<|end|>", "end"],
  ["<|return|>", "end"],
]);
const MAX_HEADER = 512;

/** What ends a message: `end` belongs to it, `next` begins the one behind it. */
const ends = new LiteralSet<"end" | "next">([
  ["<|call|>", "end"],
  ["<|end|>", "end"],
  ["<|return|>", "end"],
  ["<|start|>", "next"],
  ["<|channel|>", "next"],
]);

const headerWords = new Set([
  "assistant",
  "user",
  "system",
  "developer",
  "tool",
  "analysis",
  "commentary",
  "final",
  "code",
  "json",
]);

/** Headers have few words; with others among them it is text, and must not be lost. */
function isHeader(header: string): boolean {
  const words = header
    .replaceAll(/<\|constrain\|>\s*\w+|<\|(?:start|channel|constrain)\|>|\bto=[^\s<]+/g, " ")
    .split(/\s+/);
  return words.every((word) => word === "" || headerWords.has(word) || /^functions\.[\w.-]+$/.test(word));
}

function* message(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
  let found = read.seek(headEnds, MAX_HEADER);
  for (; found === PARTIAL; found = read.seek(headEnds, MAX_HEADER)) yield;
  if (found?.value !== "message") return false;
  const header = read.marked();
  if (!isHeader(header)) return false;
  read.skip(found.literal.length);
  // A header may be begun anew in its midst: the last channel and recipient count.
  const recipient = [...header.matchAll(/\bto=([^\s<]+)/g)].at(-1)?.[1];
  if (recipient !== undefined && recipient !== "assistant" && recipient !== "user")
    return yield* call(read, block, recipient.replace(/^functions\./, ""));
  const [, space, channel] = [...header.matchAll(/<\|channel\|>(\s*)(\w+)/g)].at(-1) ?? [];
  // Some models write a space behind every token.
  if (space === " ") yield* take(read, " ");
  return yield* text(read, channel === "analysis" ? (part) => block.reasoning(part) : (part) => block.content(part));
}

function* text(read: Cursor, emit: (text: string) => void): Generator<undefined, boolean, undefined> {
  for (;;) {
    read.mark();
    const found = read.seek(ends);
    emit(read.marked());
    if (found === undefined) return true;
    if (found !== PARTIAL) {
      if (found.value === "end") read.skip(found.literal.length);
      return true;
    }
    yield;
  }
}

function* call(read: Cursor, block: Block, name: string): Generator<undefined, boolean, undefined> {
  if (!block.accepts(name)) return false;
  while (read.space() === MORE) yield;
  const isEmpty = read.atEnd || read.code() === 0x3c;
  const json = isEmpty ? readArguments("") : yield* jsonArguments(read, ends);
  if (json === undefined) return false;
  while (read.space() === MORE) yield;
  let end = read.peek(ends);
  for (; end === PARTIAL; end = read.peek(ends)) yield;
  if (end === undefined && !(read.atEnd && block.repairs)) return false;
  if (end?.value === "end") read.skip(end.literal.length);
  block.call(name, json.json, { repaired: json.repaired });
  return true;
}

const headerTokens = LiteralSet.of("<|start|>", "<|channel|>");

/** A word of a header is text unless a token of one is right behind it. */
const isHeaderWord: Lookahead = (text, _at, _tools, ended, behind) => {
  if (behind >= text.length) return ended ? NO : MORE;
  const found = headerTokens.match(text, behind, ended);
  return found === PARTIAL ? MORE : found === undefined ? NO : YES;
};

/** Messages in channels: analysis is reasoning, a recipient makes a call, the rest is content. */
export const harmonyMessages: readonly Envelope[] = [
  defineEnvelope({
    about: "`<|channel|>` with `to=functions.N`",
    opens: ["<|start|>", "<|channel|>"],
    always: true,
    grammar: message,
  }),
  // Behind a message the model may write a role or a channel without the token in front of it.
  defineEnvelope({
    about: "a role or a channel in front of it",
    opens: ["assistant", "analysis", "commentary", "final"],
    where: "edge",
    always: true,
    lookahead: isHeaderWord,
    grammar: message,
  }),
  // The prompt ends with the role, so that the first header may begin with the recipient.
  defineEnvelope({ opens: ["to=functions."], where: "start", always: true, grammar: message }),
];
