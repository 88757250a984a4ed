import { endOfString } from "./json/call-objects.ts";
import { isJsonNumber, repairJson, skipSpace } from "./json/repair-json.ts";

/** Objects and arrays inside each other; what is nested deeper is refused. */
const maxDepth = 512;

const bareKey = /[\p{L}\p{N}_$.-]+/uy;

interface Reader {
  readonly text: string;
  readonly quote: string;
  at: number;
  depth: number;
  /** By the quote: the end of a quoted string that was looked for last; -1 = there is none. */
  readonly ends: Map<string, { readonly from: number; readonly at: number }>;
}

/** What ends the members or elements that are being read; `undefined` = the end of the text. */
type Closer = "}" | "]" | undefined;

/**
 * The arguments of a Gemma call as JSON text, from what stands between its outer braces: `k:<|"|>text<|"|>,n:3,a:[true]`.
 * Strings stand between two `quote` tokens or apostrophes, or are JSON's; a bare word that is no literal is a string up to the comma before
 * the next member. The last of a repeated key wins. undefined = not of this kind, or nested more than 512 deep.
 * @param quote `<|"|>` for Gemma 4, `<escape>` for FunctionGemma
 */
export function readGemmaArguments(text: string, quote: string): string | undefined {
  return readObject({ text, quote, at: 0, depth: 0, ends: new Map() }, undefined);
}

function readObject(reader: Reader, closer: Closer): string | undefined {
  const members = new Map<string, string>();
  const isRead = readItems(reader, closer, () => {
    const key = readKey(reader);
    if (key === undefined) return false;
    const value = readValue(reader, closer);
    if (value === undefined) return false;
    members.set(key, value);
    return true;
  });
  return isRead ? `{${Array.from(members, ([key, json]) => `${JSON.stringify(key)}:${json}`).join(",")}}` : undefined;
}

function readArray(reader: Reader): string | undefined {
  const elements: string[] = [];
  const isRead = readItems(reader, "]", () => {
    const value = readValue(reader, "]");
    if (value !== undefined) elements.push(value);
    return value !== undefined;
  });
  return isRead ? `[${elements.join(",")}]` : undefined;
}

/** Reads items up to the closer and past it; a comma before it is no fault. */
function readItems(reader: Reader, closer: Closer, readItem: () => boolean): boolean {
  if (++reader.depth > maxDepth) return false;
  for (let isFirst = true; !isAtCloser(reader, closer); isFirst = false) {
    if (!isFirst && reader.text[reader.at++] !== ",") return false;
    if (!isFirst && isAtCloser(reader, closer)) break;
    if (!readItem()) return false;
  }
  reader.depth--;
  reader.at++;
  return true;
}

function isAtCloser(reader: Reader, closer: Closer): boolean {
  reader.at = skipSpace(reader.text, reader.at);
  return reader.text[reader.at] === closer;
}

/** Reads a key and its colon. */
function readKey(reader: Reader): string | undefined {
  const { text, at } = reader;
  let key: string | undefined;
  bareKey.lastIndex = at;
  if (bareKey.test(text)) {
    reader.at = bareKey.lastIndex;
    key = text.slice(at, reader.at);
  } else {
    const json = readString(reader);
    if (json !== undefined) key = JSON.parse(json) as string;
  }
  reader.at = skipSpace(text, reader.at);
  return text[reader.at++] === ":" ? key : undefined;
}

function readValue(reader: Reader, closer: Closer): string | undefined {
  reader.at = skipSpace(reader.text, reader.at);
  const { text, at } = reader;
  if (text[at] === "{" || text[at] === "[") {
    reader.at++;
    return text[at] === "{" ? readObject(reader, "}") : readArray(reader);
  }
  const string = readString(reader);
  if (string !== undefined) {
    reader.at = skipSpace(text, reader.at);
    if (text[reader.at] === "," || text[reader.at] === closer) return string;
    reader.at = at;
  }
  return readBare(reader, closer);
}

/** Reads a string that begins here, as JSON; undefined = none does, and nothing is read. */
function readString(reader: Reader): string | undefined {
  const { text, at } = reader;
  const quote = [reader.quote, "'"].find((one) => text.startsWith(one, at));
  if (quote !== undefined) {
    const from = at + quote.length;
    const end = endOfQuoted(reader, quote, from);
    if (end < 0) return undefined;
    reader.at = end + quote.length;
    return JSON.stringify(text.slice(from, end));
  }
  if (text[at] !== '"') return undefined;
  const end = endOfString(text, at);
  const json = repairJson(text.slice(at, end));
  if (json !== undefined) reader.at = end;
  return json;
}

/** A quote token ends a string where the string may be over: it may stand in the text, too. */
function endOfQuoted({ text, ends }: Reader, quote: string, from: number): number {
  const end = ends.get(quote);
  if (end !== undefined && end.from <= from && (end.at < 0 || end.at >= from)) return end.at;
  const at = findEnd(text, quote, from);
  ends.set(quote, { from, at });
  return at;
}

function findEnd(text: string, quote: string, from: number): number {
  for (let at = text.indexOf(quote, from); at >= 0; at = text.indexOf(quote, at + quote.length)) {
    const next = text[skipSpace(text, at + quote.length)];
    if (next === undefined || ",:}])".includes(next)) return at;
  }
  return -1;
}

function readBare(reader: Reader, closer: Closer): string | undefined {
  const { text, at } = reader;
  while (reader.at < text.length && text[reader.at] !== closer) {
    if (text[reader.at] === "," && (closer === "]" || isItemAhead(reader, closer))) break;
    reader.at++;
  }
  const bare = text.slice(at, reader.at).trim();
  const quoteAt = bare.indexOf(reader.quote);
  // The opening token is left out now and then.
  if (quoteAt > 0 && quoteAt === bare.length - reader.quote.length) return JSON.stringify(bare.slice(0, quoteAt));
  if (quoteAt >= 0) return undefined;
  const isLiteral = bare === "true" || bare === "false" || bare === "null" || isJsonNumber(bare);
  return isLiteral ? bare : JSON.stringify(bare);
}

/** Whether the comma here ends a bare value: a member comes next, or none does. */
function isItemAhead(reader: Reader, closer: Closer): boolean {
  const { at } = reader;
  reader.at++;
  const isAhead = isAtCloser(reader, closer) || readKey(reader) !== undefined;
  reader.at = at;
  return isAhead;
}
