/** The tail is written down in bytes only this often, so that short pieces cost next to nothing. */
const LONG = 4096;

/** A text that comes in pieces and is kept in little more than its own UTF-8 bytes, however short the pieces are. */
export class KeptText {
  /** False once a piece held half of a surrogate pair: the bytes do not say the text any more. */
  isWellFormed = true;
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #tail = "";

  /** Bytes so far; of the last piece at least its code units. */
  get size(): number {
    return this.#bytes + this.#tail.length;
  }

  add(piece: string): void {
    this.#tail += piece;
    if (this.#tail.length > LONG) this.#write();
  }

  text(): string {
    this.#write();
    return Buffer.concat(this.#parts).toString("utf8");
  }

  #write(): void {
    if (!this.#tail.isWellFormed()) this.isWellFormed = false;
    const part = Buffer.from(this.#tail);
    this.#parts.push(part);
    this.#bytes += part.length;
    this.#tail = "";
  }
}
