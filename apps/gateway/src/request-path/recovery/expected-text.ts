import type { Stretch, TextKind } from "./sent-reply.ts";

/** A reply was to begin with what the client has already, and does not. */
export class TextMismatch extends Error {
  override readonly name = "TextMismatch";
}

/** What a reply must begin with, byte for byte: taken off it as it comes. */
export class ExpectedText {
  readonly #stretches: readonly Stretch[];
  #place = 0;
  #at = 0;

  constructor(stretches: readonly Stretch[]) {
    this.#stretches = stretches.filter(({ text }) => text !== "");
  }

  /** All of it has come: what comes now is new. */
  get complete(): boolean {
    return this.#place === this.#stretches.length;
  }

  /**
   * Of a piece of the reply, what the client does not have yet.
   * @throws TextMismatch
   */
  takeOff(kind: TextKind, piece: string): string {
    if (piece === "") return "";
    const expected = this.#stretches[this.#place];
    if (expected === undefined) return piece;
    const left = expected.text.length - this.#at;
    if (expected.kind !== kind) throw new TextMismatch("a text of another kind");
    const common = Math.min(left, piece.length);
    if (!expected.text.startsWith(piece.slice(0, common), this.#at)) throw new TextMismatch("another text");
    this.#at += common;
    if (common === left) {
      this.#place++;
      this.#at = 0;
    }
    if (common === piece.length) return "";
    // The text goes on where the other kind is due.
    if (!this.complete) throw new TextMismatch("more text of one kind");
    return piece.slice(common);
  }
}
