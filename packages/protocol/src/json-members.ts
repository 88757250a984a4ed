import { isUtf8 } from "node:buffer";
import { GatewayError } from "./errors.ts";

/** Where a JSON value stands in the bytes: `valueEnd` is the index after its last byte. */
export interface JsonSpan {
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** One member of a JSON object: where its key and value stand in the bytes. */
export interface JsonMember extends JsonSpan {
  readonly key: string;
  readonly keyStart: number;
}

export interface JsonCaps {
  /** Objects and arrays inside each other. */
  readonly maxDepth: number;
  /** Keys in the whole document. */
  readonly maxKeys: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Strings up to this length are walked in JavaScript; a native search costs more than it saves below it. */
const NATIVE_SEARCH_FROM = 48;
/** From so many members on they are looked up by key. */
const MANY_MEMBERS = 24;

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Index of the quote that closes the string whose opening quote is at `start`; -1 when there is none. */
function closingQuote(bytes: Buffer, start: number): number {
  let index = start + 1;
  const near = Math.min(bytes.length, index + NATIVE_SEARCH_FROM);
  while (index < near) {
    const byte = bytes[index];
    if (byte === QUOTE) return index;
    index += byte === BACKSLASH ? 2 : 1;
  }
  for (;;) {
    const quote = bytes.indexOf(QUOTE, index);
    if (quote < 0) return -1;
    let slashes = quote;
    while (slashes > index && bytes[slashes - 1] === BACKSLASH) slashes--;
    if ((quote - slashes) % 2 === 0) return quote;
    index = quote + 1;
  }
}

function readKey(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString("utf8", start + 1, end);
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    throw new GatewayError("invalid_json", `the request body is not JSON: bad escape in the key at byte ${start}`);
  }
}

/** A name as requests have them; what else stands in a key's place may be anything, and is not repeated. */
const plainName = /^[a-z_]{1,32}$/;

function refuseDuplicate(key: string, first: number, second: number): never {
  const where = `twice, at bytes ${first} and ${second}`;
  if (!plainName.test(key)) throw new GatewayError("duplicate_key", `the request body has a key ${where}`);
  throw new GatewayError("duplicate_key", `the request body has the key «${key}» ${where}`, { param: key });
}

/**
 * The members of the JSON object in `bytes`, found in one linear pass without parsing; guards the parser that comes next.
 * Grammar is JSON.parse's business: what is returned for text that is not JSON has no meaning.
 * @throws GatewayError `invalid_json` (not UTF-8, not an object), `json_too_deep`, `json_too_many_keys`, `duplicate_key`
 * (a key of the outermost object twice: two parsers could read two different requests).
 */
export function scanMembers(bytes: Buffer, caps: JsonCaps): JsonMember[] {
  if (!isUtf8(bytes)) throw new GatewayError("invalid_json", "the request body is not valid UTF-8");
  return scanObject(bytes, 0, caps);
}

/** The members of the JSON object that begins at `start`, inside bytes that were scanned and parsed before. */
export function scanMembersAt(bytes: Buffer, start: number): JsonMember[] {
  return scanObject(bytes, start, { maxDepth: Number.POSITIVE_INFINITY, maxKeys: Number.POSITIVE_INFINITY });
}

function scanObject(bytes: Buffer, start: number, caps: JsonCaps): JsonMember[] {
  const members: JsonMember[] = [];
  /** Only once there are many: looking through a few costs less than a Map. */
  let seen: Map<string, number> | undefined;
  const length = bytes.length;
  let depth = 0;
  let keys = 0;
  let key: string | undefined;
  let keyStart = 0;
  let valueStart = -1;

  const closeMember = (end: number): void => {
    if (key === undefined || valueStart < 0) return;
    let valueEnd = end;
    while (valueEnd > valueStart && isSpace(bytes[valueEnd - 1])) valueEnd--;
    if (members.length === MANY_MEMBERS) seen = new Map(members.map((member) => [member.key, member.keyStart]));
    const before = seen !== undefined ? seen.get(key) : members.find((member) => member.key === key)?.keyStart;
    if (before !== undefined) refuseDuplicate(key, before, keyStart);
    seen?.set(key, keyStart);
    members.push({ key, keyStart, valueStart, valueEnd });
    key = undefined;
    valueStart = -1;
  };

  for (let index = start; index < length; index++) {
    switch (bytes[index]) {
      case QUOTE: {
        const close = closingQuote(bytes, index);
        if (close < 0)
          throw new GatewayError(
            "invalid_json",
            `the request body is not JSON: the string at byte ${index} does not end`,
          );
        if (depth === 1 && key === undefined) {
          key = readKey(bytes, index, close);
          keyStart = index;
        }
        index = close;
        break;
      }
      case COLON:
        if (++keys > caps.maxKeys) {
          throw new GatewayError("json_too_many_keys", `the request body has more than ${caps.maxKeys} keys`);
        }
        if (depth === 1) {
          valueStart = index + 1;
          while (isSpace(bytes[valueStart])) valueStart++;
        }
        break;
      case COMMA:
        if (depth === 1) closeMember(index);
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (depth === 0 && bytes[index] === OPEN_BRACKET) {
          throw new GatewayError("invalid_json", "the request body must be a JSON object, not an array");
        }
        if (++depth > caps.maxDepth) {
          throw new GatewayError(
            "json_too_deep",
            `the request body is nested more than ${caps.maxDepth} deep, at byte ${index}`,
          );
        }
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (depth === 1) closeMember(index);
        // What follows the object is the parser's to refuse.
        if (--depth === 0) return members;
        break;
    }
  }
  return members;
}

/** The elements of the JSON array that begins at `start`, inside bytes that were scanned and parsed before. */
export function scanElements(bytes: Buffer, start: number): JsonSpan[] {
  const elements: JsonSpan[] = [];
  let depth = 0;
  let valueStart = start + 1;
  const closeElement = (end: number): void => {
    let valueEnd = end;
    while (isSpace(bytes[valueStart])) valueStart++;
    while (valueEnd > valueStart && isSpace(bytes[valueEnd - 1])) valueEnd--;
    if (valueEnd > valueStart) elements.push({ valueStart, valueEnd });
    valueStart = end + 1;
  };
  for (let index = start; index < bytes.length; index++) {
    switch (bytes[index]) {
      case QUOTE:
        index = closingQuote(bytes, index);
        if (index < 0) return elements;
        break;
      case COMMA:
        if (depth === 1) closeElement(index);
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth++;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (--depth > 0) break;
        closeElement(index);
        return elements;
    }
  }
  return elements;
}

/** What becomes of members: key -> its new value as JSON, or undefined to remove it. What is not named stays. */
type MemberEdits = Readonly<Record<string, string | Buffer | undefined>>;

/**
 * The same JSON object with some members changed; the values of all others keep their bytes, so that a 64-bit
 * seed or an unusual number survives. `object`: where it stands; all of `bytes` unless given.
 */
export function spliceMembers(
  bytes: Buffer,
  members: readonly JsonMember[],
  edits: MemberEdits,
  object: JsonSpan = { valueStart: 0, valueEnd: bytes.length },
): Buffer {
  const pieces: Buffer[] = [];
  let from = object.valueStart;
  let pending = Object.keys(edits).length;
  for (const member of members) {
    if (pending === 0) break;
    if (!Object.hasOwn(edits, member.key)) continue;
    pending--;
    const value = edits[member.key];
    if (value === undefined) return rebuild(bytes, members, edits);
    pieces.push(bytes.subarray(from, member.valueStart), asBytes(value));
    from = member.valueEnd;
  }
  if (pending > 0) return rebuild(bytes, members, edits);
  pieces.push(bytes.subarray(from, object.valueEnd));
  return Buffer.concat(pieces);
}

function asBytes(text: string | Buffer): Buffer {
  return typeof text === "string" ? Buffer.from(text) : text;
}

/** Members come or go: the kept ones, byte for byte, and the new ones behind them. */
function rebuild(bytes: Buffer, members: readonly JsonMember[], edits: MemberEdits): Buffer {
  const pieces: Buffer[] = [];
  const seen = new Set<string>();
  const begin = (): void => {
    pieces.push(Buffer.from(pieces.length === 0 ? "{" : ","));
  };
  for (const { key, keyStart, valueStart, valueEnd } of members) {
    seen.add(key);
    const kept = !Object.hasOwn(edits, key);
    const value = kept ? bytes.subarray(valueStart, valueEnd) : edits[key];
    if (value === undefined) continue;
    begin();
    pieces.push(bytes.subarray(keyStart, valueStart), asBytes(value));
  }
  for (const [key, value] of Object.entries(edits)) {
    if (value === undefined || seen.has(key)) continue;
    begin();
    pieces.push(Buffer.from(`${JSON.stringify(key)}:`), asBytes(value));
  }
  pieces.push(Buffer.from(pieces.length === 0 ? "{}" : "}"));
  return Buffer.concat(pieces);
}

/** The same JSON array with some elements changed; all others keep their bytes. `edits`: index -> new value as JSON. */
export function spliceElements(
  bytes: Buffer,
  array: JsonSpan,
  elements: readonly JsonSpan[],
  edits: ReadonlyMap<number, Buffer>,
): Buffer {
  const pieces: Buffer[] = [];
  let from = array.valueStart;
  for (const [index, { valueStart, valueEnd }] of elements.entries()) {
    const value = edits.get(index);
    if (value === undefined) continue;
    pieces.push(bytes.subarray(from, valueStart), value);
    from = valueEnd;
  }
  pieces.push(bytes.subarray(from, array.valueEnd));
  return Buffer.concat(pieces);
}
