import { isSpace } from "./cursor.ts";

const TICK = 0x60;
const TILDE = 0x7e;
const NEWLINE = 0x0a;

/** Where a text is: in prose, in inline code, or in a fence (in its first line, or below it). */
type Place = "prose" | "inline" | "info" | "fence";

/** 1 where a reader stops, 2 for what code spans are made of. Made by `stopsFor`. */
export type Stops = Uint8Array;

/** The table for a reader that stops at code units for which `firsts` is 1. */
export function stopsFor(firsts: Uint8Array): Stops {
  const stops = Uint8Array.from(firsts);
  stops[TICK] = 2;
  stops[TILDE] = 2;
  stops[NEWLINE] = 2;
  return stops;
}

function skipPlain(text: string, from: number, to: number, stops: Stops): number {
  let at = from;
  for (; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code < 128 && stops[code] !== 0) break;
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
  /** How many ticks or tildes opened the span, and which of the two. */
  #opened = 0;
  #opener = TICK;
  /** Ticks or tildes at the end of what was read: how many make the run is not known yet. */
  #run = 0;
  #runOf = TICK;
  #runBeginsLine = false;
  /** The line has only spaces so far. */
  #blank = true;

  /** The text goes on behind something that is not part of it, in the middle of a line. */
  step(): void {
    this.#blank = false;
  }

  /** Reads `text` from `from` up to `to`, and stops in front of the first code unit in prose that `stops` marks with 1. Answers where it stopped. */
  read(text: string, from: number, to: number, stops: Stops): number {
    let at = from;
    let line = from;
    for (; at < to; at++) {
      if (this.#place === "prose" && this.#run === 0) at = skipPlain(text, at, to, stops);
      if (at === to) break;
      const code = text.charCodeAt(at);
      if (code === TICK || code === TILDE) {
        if (this.#run > 0 && code !== this.#runOf) this.#endRun(code);
        if (this.#run === 0) this.#runBeginsLine = this.#blank && isBlank(text, line, at);
        this.#runOf = code;
        this.#run++;
        continue;
      }
      if (this.#run > 0) this.#endRun(code);
      if (code === NEWLINE) {
        this.#endLine();
        line = at + 1;
      } else if (this.#place === "prose" && code < 128 && stops[code] === 1) break;
    }
    this.#blank = this.#blank && isBlank(text, line, at);
    return at;
  }

  /** Is the next place, where `next` stands, inside code? */
  isCode(next: number): boolean {
    if (this.#run > 0) this.#endRun(next);
    return this.#place !== "prose";
  }

  #endLine(): void {
    this.#blank = true;
    if (this.#place === "inline") this.#place = "prose";
    else if (this.#place === "info") this.#place = "fence";
  }

  #endRun(next: number): void {
    const run = this.#run;
    this.#run = 0;
    if (this.#place !== "prose") {
      if (this.#runOf !== this.#opener) return;
      if (this.#place === "inline" && run === this.#opened) this.#place = "prose";
      if (this.#place === "fence" && this.#runBeginsLine && run >= this.#opened && isSpace(next)) this.#place = "prose";
      return;
    }
    const isFence = this.#runBeginsLine && run >= 3;
    if (!isFence && this.#runOf === TILDE) return;
    this.#place = isFence ? "info" : "inline";
    this.#opened = run;
    this.#opener = this.#runOf;
  }
}
