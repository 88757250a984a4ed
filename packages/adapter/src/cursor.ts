import { type Entry, type LiteralSet, PARTIAL } from "./literals.ts";

/** Answers of a cursor's steps. `MORE`: it depends on input that has not come yet. */
export const MORE = -1;
export const NO = 0;
export const YES = 1;
export type Answer = typeof MORE | typeof NO | typeof YES;

/** No character is here: the input is over, or has not come yet (`ended` tells which). */
export const NONE = -1;

/** No limit to how far a cursor moves: more than any block has. */
const ANYWHERE = 2 ** 29;

/** What is read stays in pieces of this many code units, so that a rope never gets deep. */
const PIECE = 16 * 1024;

/** Space, tab, CR and LF: what counts as whitespace around calls. */
export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/**
 * The text of one block, read forwards as it comes. No step looks back and none copies what was read, so that a block
 * costs the same per character however it is cut. A step that answers `MORE` has not moved past anything that matters:
 * it is asked again after the next `feed`.
 */
export class Cursor {
  /** No more input will come. */
  ended = false;
  /** What is not read yet begins at `#at` of it. */
  #window = "";
  #at = 0;
  /** Code units of the block in front of the window. */
  #base = 0;
  #pieces: string[] = [];
  #piece = "";
  /** Where the mark is, in code units of the block. */
  #marked = 0;
  /** Once the mark is not in the window: the piece that it is in, and where in there. */
  #markedPiece = 0;
  #markedAt = 0;
  /** A place to come back to, in code units of the block. */
  #held = 0;

  /** Begins a block: `text` is its first part. */
  begin(text: string): void {
    this.#window = text;
    this.#at = 0;
    this.#base = 0;
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#piece = "";
    this.#marked = 0;
  }

  feed(text: string): void {
    if (this.#at > 0) this.#keep();
    this.#window = this.#window === "" ? text : this.#window + text;
  }

  /** Moves what was read out of the window. */
  #keep(): void {
    const at = this.#at;
    const marked = this.#marked - this.#base;
    if (marked >= 0 && marked < at) {
      // The mark begins a piece, or nearly: what is asked for later is cut from few others.
      if (this.#piece !== "") this.#endPiece();
      this.#markedPiece = this.#pieces.length;
      this.#markedAt = marked;
    }
    const whole = at === this.#window.length;
    this.#piece += whole ? this.#window : this.#window.slice(0, at);
    if (this.#piece.length > PIECE) this.#endPiece();
    this.#base += at;
    this.#window = whole ? "" : this.#window.slice(at);
    this.#at = 0;
  }

  #endPiece(): void {
    // Reading a character flattens the rope that was built so far.
    this.#piece.charCodeAt(0);
    this.#pieces.push(this.#piece);
    this.#piece = "";
  }

  /** Remembers this place, to come `back` to; for looking ahead. One place at a time. */
  hold(): void {
    this.#held = this.#base + this.#at;
  }

  /** What was read since the place that was held. */
  held(): string {
    return this.#behind(this.#held) + this.#window.slice(Math.max(0, this.#held - this.#base), this.#at);
  }

  /** Returns to the place that was held. */
  back(): void {
    const held = this.#held;
    if (held < this.#base) this.#unkeep(held);
    this.#at = held - this.#base;
  }

  /** What was moved out of the window from a place on. */
  #behind(place: number): string {
    let from = this.#base - this.#piece.length;
    let text = this.#piece;
    for (let index = this.#pieces.length - 1; from > place; index--) {
      text = this.#pieces[index]! + text;
      from -= this.#pieces[index]!.length;
    }
    return place < this.#base ? text.slice(place - from) : "";
  }

  /** Moves what was read from a place on into the window again. */
  #unkeep(place: number): void {
    const text = this.#behind(place);
    let drop = text.length;
    while (drop > this.#piece.length) {
      drop -= this.#piece.length;
      this.#piece = this.#pieces.pop()!;
    }
    this.#piece = this.#piece.slice(0, this.#piece.length - drop);
    this.#window = text + this.#window;
    this.#base = place;
  }

  /** Sets the mark here: offsets count from it, and `marked` is what was read since. */
  mark(): void {
    this.#marked = this.#base + this.#at;
  }

  /** What was read since the mark. Costs its length: ask once per call. */
  marked(): string {
    const inWindow = this.#marked - this.#base;
    if (inWindow >= 0) return this.#window.slice(inWindow, this.#at);
    return this.#from(this.#markedPiece).slice(this.#markedAt);
  }

  /** What was read, from a piece on. */
  #from(piece: number): string {
    const read = this.#piece + this.#window.slice(0, this.#at);
    return piece === this.#pieces.length ? read : this.#pieces.slice(piece).join("") + read;
  }

  /** Where the cursor is, in code units from the mark. */
  get offset(): number {
    return this.#base - this.#marked + this.#at;
  }

  /** All code units that have come, read or not. */
  get length(): number {
    return this.#base + this.#window.length;
  }

  /** The code unit here, or `NONE`. */
  code(): number {
    return this.#at < this.#window.length ? this.#window.charCodeAt(this.#at) : NONE;
  }

  /** At the end of an input that is over. */
  get atEnd(): boolean {
    return this.ended && this.#at >= this.#window.length;
  }

  /** What has not been read. */
  rest(): string {
    return this.#window.slice(this.#at);
  }

  /** All of the block that was read. Costs its length. */
  text(): string {
    return this.#base === 0 ? this.#window.slice(0, this.#at) : this.#from(0);
  }

  /** Forgets what was read: offsets count from here. */
  drop(): void {
    this.begin(this.rest());
  }

  /** Steps over `count` code units that are known to be there. */
  skip(count: number): void {
    this.#at += count;
  }

  /** Steps over whitespace. `MORE` where more of it may come; `YES` at another character or at the end. */
  space(): Answer {
    const window = this.#window;
    let at = this.#at;
    while (at < window.length && isSpace(window.charCodeAt(at))) at++;
    this.#at = at;
    return at < window.length || this.ended ? YES : MORE;
  }

  /** Steps over `literal`, if it is here. */
  take(literal: string): Answer {
    const answer = this.at(literal);
    if (answer === YES) this.#at += literal.length;
    return answer;
  }

  /** Is `literal` here? */
  at(literal: string): Answer {
    const window = this.#window;
    const at = this.#at;
    const there = window.length - at;
    if (there === 0) return this.ended ? NO : MORE;
    if (window.charCodeAt(at) !== literal.charCodeAt(0)) return NO;
    if (there >= literal.length) return window.startsWith(literal, at) ? YES : NO;
    return !this.ended && literal.startsWith(window.slice(at)) ? MORE : NO;
  }

  /** Which literal of `set` is here? Its entry, undefined for none, or `PARTIAL`. */
  peek<T>(set: LiteralSet<T>): Entry<T> | typeof PARTIAL | undefined {
    if (this.#at < this.#window.length) return set.match(this.#window, this.#at, this.ended);
    return this.ended ? undefined : PARTIAL;
  }

  /**
   * Moves to the next literal of `set`, and stops in front of it. Undefined at the end, or where none is within `most` code
   * units from the mark: then it has moved that far, in whatever pieces the text came.
   */
  seek<T>(set: LiteralSet<T>, most = ANYWHERE): Entry<T> | typeof PARTIAL | undefined {
    const window = this.#window;
    const { firsts, hasWide } = set;
    const limit = this.#limit(most);
    let at = this.#at;
    for (; at < window.length && at < limit; at++) {
      const code = window.charCodeAt(at);
      if (code < 128 ? firsts[code] === 0 : !hasWide) continue;
      const found = set.match(window, at, this.ended);
      if (found === undefined) continue;
      this.#at = at;
      return found;
    }
    this.#at = at;
    return this.ended || at >= limit ? undefined : PARTIAL;
  }

  /** Where in the window a place is, `most` code units from the mark. */
  #limit(most: number): number {
    return Math.max(this.#at, this.#marked - this.#base + most);
  }

  /** Moves to the next `literal`, and stops in front of it. `NO` at the end. */
  find(literal: string): Answer {
    const window = this.#window;
    const found = window.indexOf(literal, this.#at);
    if (found >= 0) {
      this.#at = found;
      return YES;
    }
    if (this.ended) {
      this.#at = window.length;
      return NO;
    }
    this.#at = Math.max(this.#at, window.length - partialAtEnd(window, literal));
    return MORE;
  }

  /**
   * Moves to the next code unit that is one of `stops` (ASCII), and stops in front of it. `NO` at the end, or where none is
   * within `most` code units from the mark: then it has moved that far, in whatever pieces the text came.
   */
  until(stops: Uint8Array, most = ANYWHERE): Answer {
    const window = this.#window;
    const limit = this.#limit(most);
    const end = Math.min(window.length, limit);
    let at = this.#at;
    for (; at < end; at++) {
      const code = window.charCodeAt(at);
      if (code < 128 && stops[code] === 1) break;
    }
    this.#at = at;
    if (at < end) return YES;
    // What stands at the limit must be there, too: it tells how the name ends.
    return this.ended || at < window.length ? NO : MORE;
  }

  /** Lets `step` read the window from here; it answers where it stopped. */
  scan(step: (window: string, from: number) => number): void {
    this.#at = step(this.#window, this.#at);
  }
}

/** How many code units at the end of `text` are the beginning of `literal`. */
function partialAtEnd(text: string, literal: string): number {
  for (let length = Math.min(text.length, literal.length - 1); length > 0; length--) {
    if (text.charCodeAt(text.length - length) === literal.charCodeAt(0) && literal.startsWith(text.slice(-length)))
      return length;
  }
  return 0;
}

/** A table for `Cursor.until`. */
export function stopsAt(characters: string): Uint8Array {
  const table = new Uint8Array(128);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}
