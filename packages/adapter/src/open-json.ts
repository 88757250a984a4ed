const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Follows the brackets and strings of a JSON text that comes in pieces, with one look at each piece. Grammar is JSON.parse's business. */
export class OpenJson {
  #depth = 0;
  #begun = false;
  #inString = false;
  #escaped = false;
  /** Objects and arrays inside each other, at the deepest place so far. */
  deepest = 0;

  push(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.#inString) this.#inside(code);
      else this.#between(code);
    }
  }

  #inside(code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === BACKSLASH) this.#escaped = true;
    else if (code === QUOTE) this.#inString = false;
  }

  #between(code: number): void {
    if (code > 0x20) this.#begun = true;
    if (code === QUOTE) this.#inString = true;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) this.deepest = Math.max(this.deepest, ++this.#depth);
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) this.#depth--;
  }

  /** A value has begun, and nothing of it is open. */
  get isComplete(): boolean {
    return this.#begun && !this.#inString && this.#depth <= 0;
  }
}
