/** Writes protocol buffers: fields one after the other, a message inside another as what a function writes. */
export class ProtobufWriter {
  #bytes: Buffer;
  #length = 0;

  /** `room`: bytes that it begins with; it grows as it has to. */
  constructor(room: number = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafe(room);
  }

  /** What was written so far. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A `double`. */
  double(field: number, value: number): void {
    this.#key(field, 1);
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** A `uint64`, `uint32` or enum: a whole number of at least 0, below 2^53. */
  uint(field: number, value: number): void {
    this.#key(field, 0);
    this.#varint(value);
  }

  /** A `sint32` or `sint64`. */
  sint(field: number, value: number): void {
    this.uint(field, zigzag(value));
  }

  string(field: number, value: string): void {
    this.#key(field, 2);
    const length = Buffer.byteLength(value);
    this.#varint(length);
    this.#reserve(length);
    this.#length += this.#bytes.write(value, this.#length);
  }

  /** A packed list of `sint64`. */
  sints(field: number, values: readonly number[]): void {
    this.message(field, () => {
      for (const value of values) this.#varint(zigzag(value));
    });
  }

  /** A message in a field: what `write` writes until it returns. */
  message(field: number, write: () => void): void {
    this.#key(field, 2);
    this.delimited(write);
  }

  /** A message behind its length. */
  delimited(write: () => void): void {
    this.#reserve(1);
    const start = ++this.#length;
    write();
    const length = this.#length - start;
    // Most lengths fit into the byte that was left for them; else the message is moved up.
    const more = varintBytes(length) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(start + more, start, start + length);
    }
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
  }

  /** What another writer has written. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #key(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #varint(value: number): void {
    this.#reserve(10);
    if (value < 128) {
      this.#bytes[this.#length++] = value;
      return;
    }
    let rest = value;
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
