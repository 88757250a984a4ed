import { isUtf8 } from "node:buffer";
import { GatewayError } from "./errors.ts";

/** One member of the outermost JSON object: where its key and value stand in the bytes. */
export interface JsonMember {
  readonly key: string;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
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

function refuseDuplicate(key: string, first: number, second: number): never {
  const shown = key.slice(0, 64);
  throw new GatewayError(
    "duplicate_key",
    `the request body has the key «${shown}» twice, at bytes ${first} and ${second}`,
    {
      param: shown,
    },
  );
}

/**
 * The members of the JSON object in `bytes`, found in one linear pass without parsing; guards the parser that comes next.
 * Grammar is JSON.parse's business: what is returned for text that is not JSON has no meaning.
 * @throws GatewayError `invalid_json` (not UTF-8, not an object), `json_too_deep`, `json_too_many_keys`, `duplicate_key`
 * (a key of the outermost object twice: two parsers could read two different requests).
 */
export function scanMembers(bytes: Buffer, caps: JsonCaps): JsonMember[] {
  if (!isUtf8(bytes)) throw new GatewayError("invalid_json", "the request body is not valid UTF-8");
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

  for (let index = 0; index < length; index++) {
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
        depth--;
        break;
    }
  }
  return members;
}

/**
 * The same JSON object with some top-level members changed; the values of all others keep their bytes, so that a 64-bit
 * seed or an unusual number survives. `edits`: key -> new value as JSON text, or undefined to remove the member.
 */
export function spliceMembers(
  bytes: Buffer,
  members: readonly JsonMember[],
  edits: Readonly<Record<string, string | undefined>>,
): Buffer {
  const pieces: Buffer[] = [];
  let from = 0;
  let pending = Object.keys(edits).length;
  for (const member of members) {
    if (pending === 0) break;
    if (!Object.hasOwn(edits, member.key)) continue;
    pending--;
    const value = edits[member.key];
    if (value === undefined) return rebuild(bytes, members, edits);
    pieces.push(bytes.subarray(from, member.valueStart), Buffer.from(value));
    from = member.valueEnd;
  }
  if (pending > 0) return rebuild(bytes, members, edits);
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}

/** Members come or go: the kept ones, byte for byte, and the new ones behind them. */
function rebuild(
  bytes: Buffer,
  members: readonly JsonMember[],
  edits: Readonly<Record<string, string | undefined>>,
): Buffer {
  const pieces: (Buffer | string)[] = [];
  const seen = new Set<string>();
  for (const { key, keyStart, valueStart, valueEnd } of members) {
    seen.add(key);
    if (!Object.hasOwn(edits, key)) pieces.push(bytes.subarray(keyStart, valueEnd));
    else if (edits[key] !== undefined) pieces.push(`${bytes.toString("utf8", keyStart, valueStart)}${edits[key]}`);
  }
  for (const [key, value] of Object.entries(edits)) {
    if (value !== undefined && !seen.has(key)) pieces.push(`${JSON.stringify(key)}:${value}`);
  }
  const whole: Buffer[] = [];
  for (const [index, piece] of pieces.entries()) {
    whole.push(Buffer.from(index === 0 ? "{" : ","), typeof piece === "string" ? Buffer.from(piece) : piece);
  }
  whole.push(Buffer.from(pieces.length === 0 ? "{}" : "}"));
  return Buffer.concat(whole);
}
