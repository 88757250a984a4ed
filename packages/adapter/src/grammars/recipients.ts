import type { Cursor } from "../cursor.ts";
import { type Answer, MORE, NO, stopsAt, YES } from "../cursor.ts";
import { type Block, defineEnvelope, type Envelope, type Lookahead } from "../dialect.ts";
import { LiteralSet } from "../literals.ts";
import { jsonArguments } from "./json-arguments.ts";
import { turnEnd } from "./turn-ends.ts";

/** The next recipient, or the end of the turn. */
const ends = LiteralSet.of(">>>", ...turnEnd.entries.map(([token]) => token));
const lineEnd = stopsAt("\n");
const MAX_NAME = 256;
/** The recipient of text for the user. */
const EVERYONE = "all";

function* segment(read: Cursor, block: Block): Generator<undefined, boolean, undefined> {
  read.mark();
  while (read.until(lineEnd, MAX_NAME) === MORE) yield;
  const name = read.marked().trim();
  if (name === EVERYONE && (read.atEnd || read.code() === 0x0a)) {
    if (!read.atEnd) read.skip(1);
    return true;
  }
  if (read.code() !== 0x0a || !block.accepts(name)) return false;
  while (read.space() === MORE) yield;
  const json = yield* jsonArguments(read, ends);
  if (json === undefined) return false;
  block.call(name, json.json, { repaired: json.repaired });
  return true;
}

/** The prompt ends with `>>>`: the first recipient stands alone on its line. */
const isTool: Lookahead = (text, at, tools, ended): Answer => {
  const end = text.indexOf("\n", at);
  const word = text.slice(at, end < 0 ? text.length : end);
  if (end >= 0) {
    if (!tools.has(word)) return NO;
    return end + 1 === text.length && !ended ? MORE : text[end + 1] === "\n" ? NO : YES;
  }
  if (ended) return NO;
  for (const name of tools.keys()) if (name.startsWith(word)) return MORE;
  return NO;
};

/** `>>>name` and arguments, or `>>>all` and text. */
export const recipients: readonly Envelope[] = [
  defineEnvelope({ opens: [">>>"], weak: true, grammar: segment }),
  defineEnvelope({
    about: "a name on the first line",
    where: "start",
    weak: true,
    lookahead: isTool,
    grammar: segment,
  }),
];

const FOR_ALL = `${EVERYONE}\n`;

/** The first line says that the text is for the user. Only where the dialect is known: it may be an answer's first word. */
export const forEveryone: Envelope = defineEnvelope({
  about: `\`${EVERYONE}\` on the first line`,
  where: "start",
  weak: true,
  lookahead(text, at, _tools, ended) {
    if (text.startsWith(FOR_ALL, at)) return YES;
    return !ended && FOR_ALL.startsWith(text.slice(at, at + FOR_ALL.length)) ? MORE : NO;
  },
  grammar: segment,
});
