import { TransportError } from "@signalbox/protocol";

/** Head of a response, and all of its trailers, in bytes. */
const MAX_HEAD_BYTES = 32 * 1024;
/** A chunk's size line with its extensions, and a trailer line, in bytes. */
const MAX_LINE_BYTES = 1024;

const CR = 0x0d;
const LF = 0x0a;
const NOTHING = Buffer.alloc(0);
/** What every head begins with: other protocols are known by their first bytes. */
const OPENING = "HTTP/1.";

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
 * two lengths, a length beside chunks, bad chunk sizes, lines that end without CR, bytes behind the end.
 */
export class ResponseParser {
  readonly #sink: ResponseSink;
  #state: State = "head";
  /** Bytes of an unfinished head or line: the first `#carried` of these. */
  #carry = NOTHING;
  #carried = 0;
  /** An interim response (100, 103) has come. */
  #interim = false;
  #left = 0;
  #trailerBytes = 0;
  #keepAlive = true;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** Any byte of a response has come. */
  get begun(): boolean {
    return this.#state !== "head" || this.#carried > 0 || this.#interim;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /**
   * Takes `length` bytes of `bytes`, which may be overwritten afterwards.
   * @throws TransportError `malformed`; what was good before the fault has been handed on.
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

  /** Keeps bytes for the next push. Room is doubled, so that a head that trickles in costs no more than one that comes at once. */
  #keep(bytes: Buffer, at: number, end: number): void {
    const needed = this.#carried + end - at;
    if (needed > this.#carry.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(256, needed, this.#carry.length * 2));
      this.#carry.copy(larger, 0, 0, this.#carried);
      this.#carry = larger;
    }
    bytes.copy(this.#carry, this.#carried, at, end);
    this.#carried = needed;
  }

  #takeHead(bytes: Buffer, at: number, length: number): number {
    const before = this.#carried;
    if (before === 0) {
      const end = headEnd(bytes, at, length);
      if (end >= 0) {
        if (end - at > MAX_HEAD_BYTES) throw headTooLong();
        this.#readHead(bytes.toString("latin1", at, end - 4));
        return end;
      }
    }
    const room = MAX_HEAD_BYTES - before;
    const until = Math.min(length, at + room);
    this.#keep(bytes, at, until);
    const end = before === 0 ? -1 : headEnd(this.#carry, Math.max(0, before - 3), this.#carried);
    if (end < 0) {
      const opening = this.#carry.toString("latin1", 0, Math.min(this.#carried, OPENING.length));
      if (!OPENING.startsWith(opening)) throw noStatusLine();
      if (until < length || this.#carried === MAX_HEAD_BYTES) throw headTooLong();
      return length;
    }
    const text = this.#carry.toString("latin1", 0, end - 4);
    this.#drop();
    this.#readHead(text);
    return at + end - before;
  }

  #drop(): void {
    this.#carry = NOTHING;
    this.#carried = 0;
  }

  #readHead(text: string): void {
    const lineEnd = text.indexOf("\r\n");
    const line = lineEnd < 0 ? text : text.slice(0, lineEnd);
    const match = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\0\r\n]*)?$/.exec(line);
    if (match === null) throw noStatusLine();
    const status = Number(match[2]);
    const headers = readHeaders(text, lineEnd < 0 ? text.length : lineEnd + 2);
    if (status < 200) {
      if (status === 101) throw malformed("a change of protocol that nobody asked for");
      this.#interim = true;
      return;
    }
    const connection = String(headers.connection ?? "").toLowerCase();
    this.#keepAlive = match[1] === "1" ? !connection.includes("close") : connection.includes("keep-alive");
    this.#frame(status, headers, match[1] === "1");
    this.#sink.onHead(status, headers);
    if (this.#state === "length" && this.#left === 0) this.#complete(true);
  }

  /** How the body ends (RFC 9112, section 6.3). */
  #frame(status: number, headers: Headers, chunksKnown: boolean): void {
    const { "transfer-encoding": encoding, "content-length": contentLength } = headers;
    let next: State = "length";
    this.#left = 0;
    if (status !== 204 && status !== 304) {
      if (encoding !== undefined) {
        if (contentLength !== undefined) throw malformed("both a content-length and a transfer-encoding");
        if (!chunksKnown || String(encoding).toLowerCase() !== "chunked") {
          throw malformed(`transfer-encoding «${String(encoding).slice(0, 40)}»`);
        }
        next = "chunk_size";
      } else if (contentLength === undefined) {
        next = "until_close";
      } else {
        if (typeof contentLength !== "string" || !/^\d{1,15}$/.test(contentLength)) {
          throw malformed("a content-length that is no number");
        }
        this.#left = Number(contentLength);
      }
    }
    this.#state = next;
  }

  #takeBody(bytes: Buffer, at: number, length: number): number {
    const take = Math.min(this.#left, length - at);
    this.#left -= take;
    this.#sink.onBody(Buffer.from(bytes.subarray(at, at + take)));
    if (this.#left === 0) this.#complete(true);
    return at + take;
  }

  /** All chunks of these bytes; their data goes on as one piece, also that which stands before a fault. */
  #takeChunks(bytes: Buffer, from: number, length: number): number {
    const data = Buffer.allocUnsafe(length - from);
    let filled = 0;
    let at = from;
    try {
      while (at < length) {
        if (this.#state === "chunk_data") {
          const take = Math.min(this.#left, length - at);
          filled += bytes.copy(data, filled, at, at + take);
          this.#left -= take;
          at += take;
          if (this.#left === 0) this.#state = "chunk_end";
          continue;
        }
        const end = bytes.indexOf(LF, at);
        const whole = end >= 0 && end < length;
        const line = this.#line(bytes, at, whole ? end + 1 : length, whole);
        if (line === undefined) return length;
        at = end + 1;
        if (this.#takeLine(line)) break;
      }
    } finally {
      if (filled > 0) this.#sink.onBody(data.subarray(0, filled));
    }
    if (this.#state === "trailer" && this.#left < 0) this.#complete(true);
    return at;
  }

  /** The line that ends here, without CR LF; undefined = it goes on in the next bytes. */
  #line(bytes: Buffer, at: number, end: number, whole: boolean): string | undefined {
    if (this.#carried + end - at > MAX_LINE_BYTES) throw malformed("a line of a chunk that is too long");
    if (!whole) {
      this.#keep(bytes, at, end);
      const first = this.#carry[0];
      if (this.#state === "chunk_end" && (first !== CR || this.#carried > 1)) throw chunkTooLong();
      if (this.#state === "chunk_size" && !isHexDigit(first)) throw noChunkSize();
      return undefined;
    }
    let text = bytes.toString("latin1", at, end);
    if (this.#carried > 0) {
      text = this.#carry.toString("latin1", 0, this.#carried) + text;
      this.#carried = 0;
    }
    if (text.charCodeAt(text.length - 2) !== CR) throw malformed("a line of a chunk that ends without CR");
    return text.slice(0, -2);
  }

  /** True = that was the last line. */
  #takeLine(line: string): boolean {
    switch (this.#state) {
      case "chunk_size": {
        const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line)?.[1];
        if (size === undefined) throw noChunkSize();
        this.#left = Number.parseInt(size, 16);
        this.#state = this.#left === 0 ? "trailer" : "chunk_data";
        return false;
      }
      case "chunk_end":
        if (line !== "") throw chunkTooLong();
        this.#state = "chunk_size";
        return false;
      default:
        if (line === "") {
          // The data before it goes on first.
          this.#left = -1;
          return true;
        }
        if (line.indexOf(":") <= 0) throw malformed("a trailer line without a name");
        this.#trailerBytes += line.length + 2;
        if (this.#trailerBytes > MAX_HEAD_BYTES) throw malformed(`trailers of more than ${MAX_HEAD_BYTES} bytes`);
        return false;
    }
  }
}

function malformed(what: string): TransportError {
  return new TransportError("malformed", `not a valid HTTP response: ${what}`);
}

const noStatusLine = () => malformed("no HTTP/1.1 status line");
const headTooLong = () => malformed(`a head of more than ${MAX_HEAD_BYTES} bytes`);
const noChunkSize = () => malformed("a chunk without a size");
const chunkTooLong = () => malformed("a chunk that is longer than its size");

function isHexDigit(code: number | undefined): boolean {
  return code !== undefined && /[0-9a-fA-F]/.test(String.fromCharCode(code));
}

/** Index behind the blank line that ends a head; -1 when it is not there yet. */
function headEnd(bytes: Buffer, start: number, end: number): number {
  const at = bytes.indexOf("\r\n\r\n", start, "latin1");
  return at >= 0 && at + 4 <= end ? at + 4 : -1;
}

/** Names in lower case; a name that comes twice is a list. */
function readHeaders(text: string, from: number): Headers {
  const headers: Headers = Object.create(null) as Headers;
  for (let at = from; at < text.length; ) {
    // By LF alone, so that one without CR is seen.
    let end = text.indexOf("\n", at) - 1;
    if (end < 0) end = text.length;
    else if (text.charCodeAt(end) !== CR) throw malformed("a header line that ends without CR");
    const colon = text.indexOf(":", at);
    if (colon <= at || colon >= end) throw malformed("a header line without a name");
    const name = text.slice(at, colon);
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw malformed("a header line without a name");
    const key = name.toLowerCase();
    const raw = text.slice(colon + 1, end);
    if (raw.includes("\r") || raw.includes("\0")) throw malformed("a header with a control character");
    const value = raw.trim();
    const before = headers[key];
    headers[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    at = end + 2;
  }
  return headers;
}
