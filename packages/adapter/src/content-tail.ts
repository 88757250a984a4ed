/** More than the longest closing tag, with whitespace behind it. */
const KEPT = 256;
/** The tail is cut to size only this often, so that short pieces cost next to nothing. */
const LONG = 4096;

/** The end of a content that comes in pieces. */
export class ContentTail {
  #text = "";

  add(text: string): void {
    this.#text += text;
    if (this.#text.length > LONG) this.#text = this.#text.slice(-KEPT);
  }

  /** Does it end with one of these texts, whitespace apart? */
  endsWith(ends: readonly string[]): boolean {
    const text = this.#text.slice(-KEPT).trimEnd();
    return ends.some((end) => text.endsWith(end));
  }
}
