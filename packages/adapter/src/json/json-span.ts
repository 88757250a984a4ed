import { isSpace } from "../cursor.ts";

/** Brackets deeper than this are not JSON that anyone means. */
const MAX_DEPTH = 512;
/** Keys and names longer than this are of no interest. */
const MAX_TOKEN = 256;

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

type Expects = "value" | "key" | "colon" | "end";

/** Judges what stands in the outermost objects, as soon as it is read; false = this is not a call. */
export interface SpanJudge {
  key(key: string): boolean;
  /** The value of `name`, when it is a string. */
  name(name: string): boolean;
}

/** 1 for what a number, a word or an unquoted key is made of. */
const wordTable = new Uint8Array(128);
for (const character of "+-.0123456789_$ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  wordTable[character.charCodeAt(0)] = 1;

/**
 * Finds the end of one JSON object or array that comes in pieces: what is nearly JSON passes as well (single quotes,
 * words, trailing commas), so that it can be repaired when it is complete; anything else is a fault at once.
 */
export class JsonSpan {
  state: "open" | "done" | "bad" = "open";
  depth = 0;
  /** Keys that were read in the outermost objects. */
  keys = 0;
  readonly #judge: SpanJudge | undefined;
  /** One character per open bracket, `{` or `[`. */
  readonly #stack: number[] = [];
  #expects: Expects = "value";
  /** The string that is being read ends with this; 0 = none is. */
  #quote = 0;
  #escaped = false;
  #inWord = false;
  /** The key or name that is being read, as far as it goes. */
  #token: string | undefined;
  #tokenIsKey = false;
  #key = "";

  constructor(judge?: SpanJudge) {
    this.#judge = judge;
  }

  /** All that is missing are closing brackets. */
  get lacksOnlyClosers(): boolean {
    const { length } = this.#stack;
    if (length === 0 || this.#quote !== 0 || this.#inWord) return false;
    return this.#expects === "end" || (this.#expects === "key" && this.keys > 0);
  }

  /** Reads `text` from `from`, and answers where it stopped: behind the value, at the fault, or at the end of `text`. */
  readonly read = (text: string, from: number): number => {
    let at = from;
    while (at < text.length && this.state === "open") {
      if (this.#quote !== 0) at = this.#string(text, at);
      else if (this.#inWord) at = this.#word(text, at);
      else at = this.#structure(text, at);
    }
    return at;
  };

  #string(text: string, from: number): number {
    const quote = this.#quote;
    let at = from;
    if (this.#escaped) {
      this.#escaped = false;
      at++;
    }
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === quote) {
        this.#take(text, from, at);
        this.#quote = 0;
        this.#endToken(true);
        return at + 1;
      }
      if (code === BACKSLASH && ++at === text.length) this.#escaped = true;
    }
    this.#take(text, from, text.length);
    return text.length;
  }

  #word(text: string, from: number): number {
    let at = from;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code >= 128 || wordTable[code] === 0) {
        this.#take(text, from, at);
        this.#inWord = false;
        this.#endToken(false);
        return at;
      }
    }
    this.#take(text, from, at);
    return at;
  }

  #take(text: string, from: number, to: number): void {
    if (this.#token === undefined) return;
    this.#token = this.#token.length > MAX_TOKEN ? undefined : this.#token + text.slice(from, to);
  }

  #endToken(quoted: boolean): void {
    const isKey = this.#tokenIsKey;
    const token = this.#token;
    this.#token = undefined;
    this.#expects = isKey ? "colon" : "end";
    if (!this.#isOutermost) return;
    if (isKey) {
      this.keys++;
      this.#key = token ?? "";
      if (this.#judge?.key(this.#key) === false) this.state = "bad";
    } else if (quoted && isNameKey(this.#key) && this.#judge?.name(token ?? "") === false) this.state = "bad";
  }

  /** In an object that would be a call: the outermost one, or one of those in the outermost array. */
  get #isOutermost(): boolean {
    const { length } = this.#stack;
    return (
      this.#stack[length - 1] === OPEN_BRACE && (length === 1 || (length === 2 && this.#stack[0] === OPEN_BRACKET))
    );
  }

  /** In the outermost array of what is judged: its elements are calls, or this is an answer. */
  get #isList(): boolean {
    return this.#judge !== undefined && this.#stack.length === 1 && this.#stack[0] === OPEN_BRACKET;
  }

  #structure(text: string, from: number): number {
    const code = text.charCodeAt(from);
    if (isSpace(code)) return from + 1;
    const next = this.#accept(code);
    if (!next) {
      this.state = "bad";
      return from;
    }
    // A word's first character belongs to it.
    return this.#inWord ? from : from + 1;
  }

  #accept(code: number): boolean {
    switch (code) {
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (this.#expects !== "value" || this.#stack.length === MAX_DEPTH) return false;
        if (code === OPEN_BRACKET && this.#isList) return false;
        this.#stack.push(code);
        this.depth++;
        this.#expects = code === OPEN_BRACE ? "key" : "value";
        return true;
      case 0x7d:
        return this.#expects !== "value" && this.#expects !== "colon" && this.#pop(OPEN_BRACE);
      case 0x5d:
        return this.#expects !== "key" && this.#expects !== "colon" && this.#pop(OPEN_BRACKET);
      case 0x2c:
        if (this.#expects !== "end") return false;
        this.#expects = this.#stack.at(-1) === OPEN_BRACE ? "key" : "value";
        return true;
      case 0x3a:
        if (this.#expects !== "colon") return false;
        this.#expects = "value";
        return true;
      default:
        return this.#begin(code);
    }
  }

  #pop(bracket: number): boolean {
    if (this.#stack.at(-1) !== bracket) return false;
    this.#stack.pop();
    this.depth--;
    this.#expects = "end";
    if (this.depth === 0) this.state = "done";
    return true;
  }

  #begin(code: number): boolean {
    const isKey = this.#expects === "key";
    if ((!isKey && this.#expects !== "value") || this.#stack.length === 0 || this.#isList) return false;
    if (code === QUOTE || code === APOSTROPHE) this.#quote = code;
    else if (code < 128 && wordTable[code] === 1) this.#inWord = true;
    else return false;
    this.#tokenIsKey = isKey;
    const wanted = this.#judge !== undefined && this.#isOutermost && (isKey || isNameKey(this.#key));
    this.#token = wanted ? "" : undefined;
    return true;
  }
}

function isNameKey(key: string): boolean {
  return key === "name" || key === "tool" || key === "tool_name" || key === "function";
}
