import { isSpace } from "./cursor.ts";
import { type Entry, LiteralSet, type PARTIAL } from "./literals.ts";

const TICK = 0x60;
const TILDE = 0x7e;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const LESS = 0x3c;
const ASCII = 128;

/** Where a text is: in prose, in inline code, or in a fence (in its first line, or below it). */
type Place = "prose" | "inline" | "info" | "fence";

/** What a reader stops at in one kind of place. */
interface Finder {
  readonly literals: LiteralSet<unknown>;
  /** By ASCII code unit: 0 = nothing, 1 = what code spans are made of, else a literal may begin: 2 + its row in `pairs`. */
  readonly table: Uint8Array;
  /** By row and second code unit: 1 = a literal may begin so. */
  readonly pairs: Uint8Array;
}

const SPAN = 1;
const ROWS = 2;

function finderOf(literals: LiteralSet<unknown>, spans: readonly number[]): Finder {
  const table = new Uint8Array(ASCII);
  const pairs: number[] = [];
  for (let first = 0; first < ASCII; first++) {
    if (literals.firsts[first] === 0) continue;
    table[first] = ROWS + pairs.length / ASCII;
    for (let second = 0; second < ASCII; second++) pairs.push(literals.mayBegin(first, second) ? 1 : 0);
  }
  for (const code of spans) table[code] = SPAN;
  return { literals, table, pairs: Uint8Array.from(pairs) };
}

/** What a reader of code spans stops at. Made by `stopsFor`. */
export interface Stops {
  readonly prose: Finder;
  readonly code: Finder;
}

/** Stops at the literals of `prose`, and inside code at those of `code`. */
export function stopsFor(prose: LiteralSet<unknown>, code: LiteralSet<unknown> = new LiteralSet([])): Stops {
  return { prose: finderOf(prose, [TICK, TILDE]), code: finderOf(code, [TICK, TILDE, NEWLINE]) };
}

/** For a reader that goes to the end of its text. */
export const nowhere: Stops = stopsFor(new LiteralSet([]));

/**
 * Follows Markdown's code spans through a text that comes in pieces: whether a place is inside inline code or a fence.
 * Inline code ends at the end of its line at the latest, so that one stray tick does not make code of all that follows.
 */
export class CodeSpans {
  #place: Place = "prose";
  /** What opened the span: how many ticks or tildes. */
  #opened = 0;
  #opener = TICK;
  /** Ticks or tildes at the end of what was read: how many make the run is not known yet. */
  #run = 0;
  #runOf = TICK;
  #runBeginsLine = false;
  /** The line has only spaces so far. */
  #blank = true;

  /** The literal where reading stopped, or `PARTIAL`; undefined at the end of the text. */
  found: Entry<unknown> | typeof PARTIAL | undefined;

  /** The place where reading stopped is inside code. */
  get inCode(): boolean {
    return this.#place !== "prose";
  }

  /** The text goes on behind something that is not part of it, in the middle of a line. */
  step(): void {
    this.#blank = false;
  }

  /** Reads `text` from `from` up to `to`, and stops in front of the first literal, or what may become one. Answers where it stopped. */
  read(text: string, from: number, to: number, stops: Stops): number {
    let at = from;
    for (;;) {
      if (this.#run === 0) at = this.#nextStop(text, at, to, this.#place === "prose" ? stops.prose : stops.code);
      if (at === to) break;
      const code = text.charCodeAt(at);
      if (code === TICK || code === TILDE) {
        if (this.#run > 0 && this.#runOf !== code) this.#endRun(code);
        if (this.#run === 0) this.#runBeginsLine = this.#isBlankAt(text, from, at);
        this.#runOf = code;
        this.#run++;
        at++;
      } else if (this.#run > 0) {
        this.#endRun(code);
      } else if (code === NEWLINE) {
        this.#place = this.#place === "info" || this.#place === "fence" ? "fence" : "prose";
        at++;
      } else break;
    }
    this.#blank = this.#isBlankAt(text, from, at);
    return at;
  }

  /** The first place from `from` on where a literal is, or what code spans are made of. */
  #nextStop(text: string, from: number, to: number, { literals, table, pairs }: Finder): number {
    let at = from;
    this.found = undefined;
    for (; at < to; at++) {
      const code = text.charCodeAt(at);
      if (code < ASCII) {
        const kind = table[code]!;
        if (kind === 0) continue;
        if (kind === SPAN) break;
        const second = at + 1 < to ? text.charCodeAt(at + 1) : ASCII;
        if (second < ASCII && pairs[(kind - ROWS) * ASCII + second] === 0) continue;
      } else if (!literals.hasWide) continue;
      this.found = literals.match(text, at, false);
      if (this.found !== undefined) break;
    }
    return at;
  }

  /** Are there only spaces in front of `at` in its line? What is in front of `from` was read before. */
  #isBlankAt(text: string, from: number, at: number): boolean {
    for (let before = at - 1; before >= from; before--) {
      const code = text.charCodeAt(before);
      if (code !== SPACE) return code === NEWLINE;
    }
    return this.#blank;
  }

  #endRun(next: number): void {
    const run = this.#run;
    const isFence = this.#runBeginsLine && run >= 3;
    this.#run = 0;
    switch (this.#place) {
      case "prose":
        if (!isFence && this.#runOf === TILDE) return;
        this.#place = isFence ? "info" : "inline";
        this.#opened = run;
        this.#opener = this.#runOf;
        return;
      case "inline":
        if (this.#runOf === TICK && run === this.#opened) this.#place = "prose";
        return;
      case "fence":
        // Models write a token right behind the fence of a call's arguments.
        if (!isSpace(next) && next !== LESS) return;
        if (isFence && this.#runOf === this.#opener && run >= this.#opened) this.#place = "prose";
    }
  }
}
