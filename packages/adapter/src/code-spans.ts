import { isSpace } from "./cursor.ts";
import { LiteralSet } from "./literals.ts";

const TICK = 0x60;
const TILDE = 0x7e;
const NEWLINE = 0x0a;

/** Where a text is: in prose, in inline code, or in a fence (in its first line, or below it). */
type Place = "prose" | "inline" | "info" | "fence";

/** What a reader of code spans stops at. Made by `stopsFor`. */
export interface Stops {
  /** By ASCII code unit: 1 where a literal may begin, 2 for what code spans are made of. */
  readonly table: Uint8Array;
  readonly literals: LiteralSet<unknown>;
}

/** Stops at the literals of a set. */
export function stopsFor(literals: LiteralSet<unknown>): Stops {
  const table = Uint8Array.from(literals.firsts);
  for (const code of [TICK, TILDE, NEWLINE]) table[code] = 2;
  return { table, literals };
}

/** For a reader that goes to the end of its text. */
export const nowhere: Stops = stopsFor(new LiteralSet([]));

/** The first code unit from `from` on at which a literal may begin, or that code spans are made of. */
function nextStop(text: string, from: number, to: number, { table, literals }: Stops): number {
  let at = from;
  for (; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code < 128 ? table[code] === 0 : !literals.hasWide) continue;
    if (table[code] === 2 || at + 1 === to || literals.mayBegin(code, text.charCodeAt(at + 1))) break;
  }
  return at;
}

function isBlank(text: string, from: number, to: number): boolean {
  for (let at = to - 1; at >= from; at--) if (text.charCodeAt(at) !== 0x20) return false;
  return true;
}

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

  /** The place where reading stopped is inside code. */
  get inCode(): boolean {
    return this.#place !== "prose";
  }

  /** The text goes on behind something that is not part of it, in the middle of a line. */
  step(): void {
    this.#blank = false;
  }

  /** Reads `text` from `from` up to `to`, and stops in front of the first place where a literal may begin. Answers where it stopped. */
  read(text: string, from: number, to: number, stops: Stops): number {
    let at = from;
    let line = from;
    for (;;) {
      if (this.#run === 0) at = nextStop(text, at, to, stops);
      if (at === to) break;
      const code = text.charCodeAt(at);
      if (code === TICK || code === TILDE) {
        if (this.#run > 0 && this.#runOf !== code) this.#endRun(code);
        if (this.#run === 0) this.#runBeginsLine = this.#blank && isBlank(text, line, at);
        this.#runOf = code;
        this.#run++;
        at++;
      } else if (this.#run > 0) {
        this.#endRun(code);
      } else if (code === NEWLINE) {
        this.#endLine();
        line = ++at;
      } else break;
    }
    this.#blank = this.#blank && isBlank(text, line, at);
    return at;
  }

  #endLine(): void {
    this.#blank = true;
    if (this.#place === "inline") this.#place = "prose";
    else if (this.#place === "info") this.#place = "fence";
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
        if (isFence && this.#runOf === this.#opener && run >= this.#opened && isSpace(next)) this.#place = "prose";
    }
  }
}
