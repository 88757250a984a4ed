/** Objects and arrays inside each other; what is nested deeper is refused. */
const maxDepth = 512;

// Each matches at `lastIndex` alone and takes every character once.
const plainInDouble = /[ !#-[\]-\uffff]*/y;
const plainInSingle = /[ !#-&(-[\]-\uffff]*/y;
const identifier = /[\p{L}_$][\p{L}\p{N}_$-]*/uy;
const numberLike = /[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?/y;
const jsonNumber = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

const words: Readonly<Record<string, string>> = {
  true: "true",
  false: "false",
  null: "null",
  True: "true",
  False: "false",
  None: "null",
};

const asciiEscapes = Array.from({ length: 128 }, (_, code) => JSON.stringify(String.fromCharCode(code)).slice(1, -1));

/** One pass over a text; only what has to change is written anew. */
interface Reader {
  readonly text: string;
  /** Adjacent strings join, sets are arrays, and a backslash at the end of a line goes. */
  readonly python: boolean;
  /** Closers that are missing at the end are added. */
  readonly close: boolean;
  at: number;
  depth: number;
  readonly pieces: string[];
  /** Up to here the text is in `pieces`. */
  written: number;
}

/**
 * JSON text made of what is nearly JSON: trailing commas, Python literals, bare keys, raw control characters in strings,
 * escapes that JSON has not. Numbers and strings that are valid keep their spelling; valid JSON comes back trimmed, else unchanged.
 * undefined = not nearly JSON, or nested more than 512 deep.
 * @param options `close`: adds brackets and braces that are missing at the end; a string or a member is never completed.
 */
export function repairJson(text: string, options: { readonly close?: boolean } = {}): string | undefined {
  const trimmed = text.trim();
  const reader = createReader(trimmed, 0, false, options.close ?? false);
  return readValue(reader) && reader.at === trimmed.length ? jsonOf(reader, 0) : undefined;
}

/** The JSON text of the Python (or JSON) literal that begins at `from`, and the index after it; undefined when none does. */
export function readPythonLiteral(text: string, from: number): { json: string; end: number } | undefined {
  const reader = createReader(text, from, true, false);
  return readValue(reader) ? { json: jsonOf(reader, from), end: reader.at } : undefined;
}

/** Whether the text is a number as JSON spells it. */
export function isJsonNumber(text: string): boolean {
  return jsonNumber.test(text);
}

/** A number as JSON spells it, of one that has a plus, zeros in front, or no digit beside its point; undefined = it is none. */
export function jsonNumberOf(text: string): string | undefined {
  if (isJsonNumber(text)) return text;
  const spelled = text
    .replace(/^\+/, "")
    .replace(/^(-?)0+(?=[0-9])/, "$1")
    .replace(/^(-?)\./, "$10.")
    .replace(/\.(?=[eE]|$)/, ".0");
  return /^[+-]?\.?[0-9]/.test(text) && isJsonNumber(spelled) ? spelled : undefined;
}

/** The index of the first character from `from` on that is no JSON white space. */
export function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}

function createReader(text: string, from: number, python: boolean, close: boolean): Reader {
  return { text, python, close, at: from, depth: 0, pieces: [], written: from };
}

function jsonOf(reader: Reader, from: number): string {
  const { text, at, pieces, written } = reader;
  return pieces.length === 0 ? text.slice(from, at) : pieces.join("") + text.slice(written, at);
}

/** Writes `by` in place of the text between two indices, none before those of the last edit. */
function edit(reader: Reader, from: number, to: number, by: string): void {
  reader.pieces.push(reader.text.slice(reader.written, from), by);
  reader.written = to;
}

function readValue(reader: Reader): boolean {
  reader.at = skipSpace(reader.text, reader.at);
  switch (reader.text[reader.at]) {
    case "{":
      return nested(reader, readObject);
    case "[":
      return nested(reader, readArray);
    case "(":
      return nested(reader, readParentheses);
    default:
      return startsString(reader.text, reader.at) ? readString(reader) : readNumber(reader) || readWord(reader);
  }
}

function nested(reader: Reader, read: (reader: Reader) => boolean): boolean {
  if (++reader.depth > maxDepth || !read(reader)) return false;
  reader.depth--;
  return true;
}

function readObject(reader: Reader): boolean {
  if (!reader.python || beginsWithMember(reader)) {
    reader.at++;
    return readItems(reader, "}", "}", readMember) !== undefined;
  }
  edit(reader, reader.at, ++reader.at, "[");
  return readItems(reader, "}", "]", readValue) !== undefined;
}

function readArray(reader: Reader): boolean {
  reader.at++;
  return readItems(reader, "]", "]", readValue) !== undefined;
}

function readParentheses(reader: Reader): boolean {
  const opener = reader.pieces.length + 1;
  edit(reader, reader.at, ++reader.at, "[");
  const items = readItems(reader, ")", "]", readValue);
  if (items === "single") {
    reader.pieces[opener] = "";
    reader.pieces[reader.pieces.length - 1] = "";
  }
  return items !== undefined;
}

/** Reads items up to their closer, which is written as `by`; a comma before it goes. `single`: one item and no comma. */
function readItems(
  reader: Reader,
  closer: string,
  by: string,
  readItem: (reader: Reader) => boolean,
): "single" | "list" | undefined {
  const { text } = reader;
  let count = 0;
  let comma = -1;
  for (;;) {
    reader.at = skipSpace(text, reader.at);
    const isMissing = reader.at === text.length && reader.close && closer !== ")";
    if (text[reader.at] === closer || isMissing) {
      if (comma >= 0) edit(reader, comma, comma + 1, "");
      const from = reader.at;
      if (!isMissing) reader.at++;
      if (isMissing || by !== closer) edit(reader, from, reader.at, by);
      return count === 1 && comma < 0 ? "single" : "list";
    }
    if ((count > 0 && comma < 0) || !readItem(reader)) return undefined;
    count++;
    reader.at = skipSpace(text, reader.at);
    comma = text[reader.at] === "," ? reader.at++ : -1;
  }
}

function readMember(reader: Reader): boolean {
  if (!readKey(reader)) return false;
  reader.at = skipSpace(reader.text, reader.at);
  if (reader.text[reader.at] !== ":") return false;
  reader.at++;
  return readValue(reader);
}

/** Tells a Python dictionary from a set; a key has nothing nested in it, so that reading it twice stays linear. */
function beginsWithMember(reader: Reader): boolean {
  const ahead = createReader(reader.text, skipSpace(reader.text, reader.at + 1), true, false);
  if (ahead.text[ahead.at] === "}") return true;
  return readKey(ahead) && ahead.text[skipSpace(ahead.text, ahead.at)] === ":";
}

function readKey(reader: Reader): boolean {
  const from = reader.at;
  if (startsString(reader.text, from)) return readString(reader);
  identifier.lastIndex = from;
  if (identifier.test(reader.text)) reader.at = identifier.lastIndex;
  else if (!readNumber(reader)) return false;
  const isWritten = reader.written > from;
  const key = isWritten ? reader.pieces.pop() : reader.text.slice(from, reader.at);
  edit(reader, isWritten ? reader.written : from, reader.at, `"${key}"`);
  return true;
}

function readWord(reader: Reader): boolean {
  identifier.lastIndex = reader.at;
  if (!identifier.test(reader.text)) return false;
  const from = reader.at;
  const end = identifier.lastIndex;
  const word = reader.text.slice(from, end);
  if (end - from > 5 || !Object.hasOwn(words, word)) return false;
  reader.at = end;
  const json = words[word]!;
  if (json !== word) edit(reader, from, end, json);
  return true;
}

/** Digits keep their spelling; `+1`, `.5` and `1.` are written as JSON has them. */
function readNumber(reader: Reader): boolean {
  const from = reader.at;
  numberLike.lastIndex = from;
  numberLike.test(reader.text);
  const end = numberLike.lastIndex;
  if (end === from) return false;
  const token = reader.text.slice(from, end);
  if (isJsonNumber(token)) {
    reader.at = end;
    return true;
  }
  // A number that breaks off at the end may go on.
  if (reader.close && end === reader.text.length) return false;
  // In JSON it may be anything: an octal number, a code, a part of a telephone number.
  if (!reader.python && /^[+-]?0[0-9]/.test(token)) return false;
  const spelled = jsonNumberOf(token);
  if (spelled === undefined) return false;
  reader.at = end;
  edit(reader, from, end, spelled);
  return true;
}

function startsString(text: string, at: number): boolean {
  const char = text[at];
  if (char === '"' || char === "'") return true;
  const next = text[at + 1];
  return (char === "u" || char === "r" || char === "U" || char === "R") && (next === '"' || next === "'");
}

function readString(reader: Reader): boolean {
  const { text } = reader;
  let from = reader.at;
  for (let isFirst = true; ; isFirst = false) {
    const prefix = text[reader.at]!;
    const isPrefixed = prefix !== '"' && prefix !== "'";
    const open = reader.at + (isPrefixed ? 1 : 0);
    const quote = text[open]!;
    const width = text[open + 1] === quote && text[open + 2] === quote ? 3 : 1;
    const isJson = quote === '"' && width === 1;
    if (!isFirst || isPrefixed || !isJson) edit(reader, from, open + width, isFirst ? '"' : "");
    reader.at = open + width;
    if (!readStringBody(reader, quote, width, isPrefixed && prefix.toLowerCase() === "r")) return false;
    from = reader.at;
    reader.at += width;
    const next = reader.python ? skipSpace(text, reader.at) : text.length;
    if (!startsString(text, next)) {
      if (!isJson) edit(reader, from, reader.at, '"');
      return true;
    }
    reader.at = next;
  }
}

/** Reads up to the closing quote, which is not taken. */
function readStringBody(reader: Reader, quote: string, width: number, raw: boolean): boolean {
  const { text } = reader;
  const closer = quote.repeat(width);
  const plain = quote === '"' ? plainInDouble : plainInSingle;
  for (;;) {
    plain.lastIndex = reader.at;
    plain.test(text);
    reader.at = plain.lastIndex;
    if (reader.at === text.length) return false;
    const char = text[reader.at]!;
    if (char === quote && text.startsWith(closer, reader.at)) return true;
    if (char === "\\") readEscape(reader, reader.python || quote === "'", raw);
    else if (char === "'") reader.at++;
    else edit(reader, reader.at, ++reader.at, escaped(char));
  }
}

/** Escapes that JSON lacks are put as it has them; a backslash before anything else is one that the text means. */
function readEscape(reader: Reader, python: boolean, raw: boolean): void {
  const from = reader.at;
  const next = reader.text[from + 1] ?? "";
  const digits = next === "u" ? 4 : next === "x" ? 2 : next === "U" ? 8 : 0;
  const end = from + 2 + digits;
  const code = digits > 0 ? hexadecimal(reader.text.slice(from + 2, end), digits) : undefined;
  const replace = (to: number, by: string): void => {
    reader.at = to;
    edit(reader, from, to, by);
  };
  if (raw) {
    const isPair = next === "\\" || next === '"' || next === "'";
    replace(from + (isPair ? 2 : 1), isPair ? `\\\\${escaped(next)}` : "\\\\");
  } else if (next === "u" && code !== undefined) reader.at = end;
  else if (code !== undefined) replace(end, escaped(String.fromCodePoint(code)));
  else if (next === "'") replace(from + 2, "'");
  else if (python && (next === "\n" || next === "\r")) {
    replace(from + (reader.text.startsWith("\r\n", from + 1) ? 3 : 2), "");
  } else if (next !== "" && '"\\bfnrt'.includes(next)) reader.at += 2;
  else if (next === "/" && !python) reader.at += 2;
  else replace(from + 1, "\\\\");
}

function hexadecimal(text: string, digits: number): number | undefined {
  if (text.length !== digits || !/^[0-9a-fA-F]+$/.test(text)) return undefined;
  const code = Number.parseInt(text, 16);
  return code <= 0x10ffff ? code : undefined;
}

/** A character as it stands inside a JSON string. */
function escaped(char: string): string {
  return asciiEscapes[char.charCodeAt(0)] ?? JSON.stringify(char).slice(1, -1);
}
