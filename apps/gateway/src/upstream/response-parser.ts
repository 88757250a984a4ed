import { TransportError } from "@signalbox/protocol";

/** Head of a response, in bytes. */
const MAX_HEAD_BYTES = 32 * 1024;
/** A chunk's size line with its extensions, and a trailer line, in bytes. */
const MAX_LINE_BYTES = 1024;

const CR = 0x0d;
const LF = 0x0a;
const NOTHING = Buffer.alloc(0);

export type Headers = Record<string, string | string[] | undefined>;

/** Who is told what a parser finds. */
export interface ResponseSink {
  onHead(status: number, headers: Headers): void;
  /** A piece of the body: its own memory, not the reader's. */
  onBody(piece: Buffer): void;
  /** The response is whole; the connection may serve again if `reusable`. */
  onComplete(reusable: boolean): void;
}

type State = "head" | "length" | "until_close" | "chunk_size" | "chunk_data" | "chunk_end" | "trailer" | "done";

/**
 * Parses one HTTP/1.1 response, pushed in pieces of any size (RFC 9112). What is in doubt is refused rather than guessed:
 * two lengths, a length beside chunks, bad chunk sizes, bytes behind the end.
 */
export class ResponseParser {
  readonly #sink: ResponseSink;
  #state: State = "head";
  /** Bytes of an unfinished head or line. */
  #carry = NOTHING;
  #left = 0;
  #keepAlive = true;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** Any byte of a response has come. */
  get begun(): boolean {
    return this.#state !== "head" || this.#carry.length > 0;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /**
   * Takes `length` bytes of `bytes`, which may be overwritten afterwards.
   * @throws TransportError `malformed`.
   */
  push(bytes: Buffer, length: number): void {
    let at = 0;
    while (at < length) {
      switch (this.#state) {
        case "head":
          at = this.#takeHead(bytes, at, length);
          break;
        case "length":
          at = this.#takeBody(bytes, at, length);
          break;
        case "until_close":
          this.#sink.onBody(Buffer.from(bytes.subarray(at, length)));
          return;
        case "done":
          throw malformed("bytes behind the end of the response");
        default:
          at = this.#takeChunks(bytes, at, length);
      }
    }
  }

  /** The connection was closed by the other side. True = that was the end of the response; false = it is cut. */
  close(): boolean {
    if (this.#state === "until_close") this.#complete(false);
    return this.#state === "done";
  }

  #complete(reusable: boolean): void {
    this.#state = "done";
    this.#sink.onComplete(reusable && this.#keepAlive);
  }

  #takeHead(bytes: Buffer, at: number, length: number): number {
    let block = bytes;
    let start = at;
    let blockEnd = length;
    if (this.#carry.length > 0) {
      block = Buffer.concat([this.#carry, bytes.subarray(at, length)]);
      start = 0;
      blockEnd = block.length;
    }
    const end = headEnd(block, start, blockEnd);
    if (end < 0 || end - start > MAX_HEAD_BYTES) {
      if (blockEnd - start > MAX_HEAD_BYTES) throw malformed(`a head of more than ${MAX_HEAD_BYTES} bytes`);
      this.#carry = Buffer.from(block.subarray(start, blockEnd));
      return length;
    }
    const carried = this.#carry.length;
    this.#carry = NOTHING;
    this.#readHead(block.toString("latin1", start, end - 4));
    return carried > 0 ? at + end - carried : end;
  }

  #readHead(text: string): void {
    const lineEnd = text.indexOf("\r\n");
    const line = lineEnd < 0 ? text : text.slice(0, lineEnd);
    const match = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(line);
    if (match === null) throw malformed("no HTTP/1.1 status line");
    const status = Number(match[2]);
    const headers = lineEnd < 0 ? {} : readHeaders(text, lineEnd + 2);
    if (status < 200) {
      if (status === 101) throw malformed("a change of protocol that nobody asked for");
      return;
    }
    const connection = String(headers.connection ?? "").toLowerCase();
    this.#keepAlive = match[1] === "1" ? !connection.includes("close") : connection.includes("keep-alive");
    this.#frame(status, headers);
    this.#sink.onHead(status, headers);
    if (this.#state === "length" && this.#left === 0) this.#complete(true);
  }

  /** How the body ends (RFC 9112, section 6.3). */
  #frame(status: number, headers: Headers): void {
    const { "transfer-encoding": encoding, "content-length": contentLength } = headers;
    this.#state = "length";
    this.#left = 0;
    if (status === 204 || status === 304) return;
    if (encoding !== undefined) {
      if (contentLength !== undefined) throw malformed("both a content-length and a transfer-encoding");
      if (String(encoding).toLowerCase() !== "chunked") throw malformed(`transfer-encoding «${String(encoding).slice(0, 40)}»`);
      this.#state = "chunk_size";
    } else if (contentLength === undefined) {
      this.#state = "until_close";
    } else {
      if (typeof contentLength !== "string" || !/^\d{1,15}$/.test(contentLength)) throw malformed("a content-length that is no number");
      this.#left = Number(contentLength);
    }
  }

  #takeBody(bytes: Buffer, at: number, length: number): number {
    const take = Math.min(this.#left, length - at);
    this.#left -= take;
    this.#sink.onBody(Buffer.from(bytes.subarray(at, at + take)));
    if (this.#left === 0) this.#complete(true);
    return at + take;
  }

  /** All chunks of these bytes; their data goes on as one piece. */
  #takeChunks(bytes: Buffer, from: number, length: number): number {
    const data = Buffer.allocUnsafe(length - from);
    let filled = 0;
    let at = from;
    while (at < length && this.#state !== "done") {
      if (this.#state === "chunk_data") {
        const take = Math.min(this.#left, length - at);
        filled += bytes.copy(data, filled, at, at + take);
        this.#left -= take;
        at += take;
        if (this.#left === 0) this.#state = "chunk_end";
        continue;
      }
      const end = bytes.indexOf(LF, at);
      const lineEnd = end < 0 || end >= length ? length : end + 1;
      const line = this.#line(bytes, at, lineEnd, lineEnd > at && bytes[lineEnd - 1] === LF);
      at = lineEnd;
      if (line === undefined) break;
      if (this.#state === "trailer" && line === "" && filled > 0) {
        this.#sink.onBody(data.subarray(0, filled));
        filled = 0;
      }
      this.#takeLine(line);
    }
    if (filled > 0) this.#sink.onBody(data.subarray(0, filled));
    return at;
  }

  /** The line that ends here, without CR LF; undefined = it goes on in the next bytes. */
  #line(bytes: Buffer, at: number, end: number, whole: boolean): string | undefined {
    if (this.#carry.length + end - at > MAX_LINE_BYTES) throw malformed("a chunk header that is too long");
    if (!whole) {
      this.#carry = Buffer.concat([this.#carry, bytes.subarray(at, end)]);
      return undefined;
    }
    const text = this.#carry.toString("latin1") + bytes.toString("latin1", at, end);
    this.#carry = NOTHING;
    if (text.charCodeAt(text.length - 2) !== CR) throw malformed("a line of a chunk that ends without CR");
    return text.slice(0, -2);
  }

  #takeLine(line: string): void {
    switch (this.#state) {
      case "chunk_size": {
        const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1];
        if (size === undefined) throw malformed("a chunk without a size");
        this.#left = Number.parseInt(size, 16);
        this.#state = this.#left === 0 ? "trailer" : "chunk_data";
        break;
      }
      case "chunk_end":
        if (line !== "") throw malformed("a chunk that is longer than its size");
        this.#state = "chunk_size";
        break;
      default:
        if (line === "") this.#complete(true);
    }
  }
}

function malformed(what: string): TransportError {
  return new TransportError("malformed", `not a valid HTTP response: ${what}`);
}

/** Index behind the blank line that ends a head; -1 when it is not there yet. */
function headEnd(bytes: Buffer, start: number, end: number): number {
  for (let at = bytes.indexOf("\r\n\r\n", start, "latin1"); at >= 0; ) return at + 4 <= end ? at + 4 : -1;
  return -1;
}

/** Names in lower case; a name that comes twice is a list. */
function readHeaders(text: string, from: number): Headers {
  const headers: Headers = Object.create(null) as Headers;
  for (let at = from; at < text.length; ) {
    let end = text.indexOf("\r\n", at);
    if (end < 0) end = text.length;
    const colon = text.indexOf(":", at);
    if (colon <= at || colon >= end) throw malformed("a header line without a name");
    const name = text.slice(at, colon).toLowerCase();
    if (name.includes(" ") || name.includes("\n")) throw malformed("a header line without a name");
    const value = text.slice(colon + 1, end).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    at = end + 2;
  }
  return headers;
}
