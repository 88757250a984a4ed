/** What a reader tells, in the order of the wire. */
export interface Http1Handler {
  /** The request or status line and the header lines after it, as they came. */
  head(text: string): void;
  /** A piece of the body without chunk framing; a view on the bytes that were read, not a copy. */
  body(bytes: Buffer): void;
  /** The message is whole; `length` is that of its body. */
  end(length: number): void;
}

const nothing = Buffer.alloc(0);
const lengthHeader = /\r\ncontent-length:[ \t]*(\d+)/i;
const chunkSize = /^[\da-f]+[ \t]*(;|$)/i;
const chunkedHeader = /\r\ntransfer-encoding:[ \t]*chunked/i;

/**
 * Reads HTTP/1.1 messages, one after the other, from the pieces of one connection. A message with neither
 * `content-length` nor chunks has no body. Throws at a chunk size that is none.
 */
export function createHttp1Reader(handler: Http1Handler): (piece: Buffer) => void {
  let state: "head" | "body" | "size" | "chunk" | "chunk end" | "trailer" = "head";
  let kept = nothing;
  let remaining = 0;
  let length = 0;

  function finish(): void {
    state = "head";
    handler.end(length);
  }

  function readHead(text: string): void {
    length = 0;
    handler.head(text);
    if (chunkedHeader.test(text)) {
      state = "size";
      return;
    }
    remaining = Number(lengthHeader.exec(text)?.[1] ?? 0);
    state = "body";
    if (remaining === 0) finish();
  }

  function readBytes(data: Buffer, at: number): number {
    const until = Math.min(data.length, at + remaining);
    length += until - at;
    remaining -= until - at;
    handler.body(data.subarray(at, until));
    if (remaining === 0) {
      if (state === "body") finish();
      else state = "chunk end";
    }
    return until;
  }

  function readLine(line: string): void {
    if (state === "size") {
      if (!chunkSize.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line.slice(0, 40))}`);
      remaining = Number.parseInt(line, 16);
      state = remaining === 0 ? "trailer" : "chunk";
    } else if (state === "chunk end") {
      state = "size";
    } else if (line === "") {
      finish();
    }
  }

  return (piece) => {
    const data = kept.length === 0 ? piece : Buffer.concat([kept, piece]);
    let at = 0;
    while (at < data.length) {
      if (state === "body" || state === "chunk") {
        at = readBytes(data, at);
        continue;
      }
      const mark = state === "head" ? "\r\n\r\n" : "\r\n";
      const found = data.indexOf(mark, at, "latin1");
      if (found === -1) break;
      const text = data.toString("latin1", at, found);
      at = found + mark.length;
      if (state === "head") readHead(text);
      else readLine(text);
    }
    // The piece may be the socket's own buffer, which is filled again after this call.
    kept = at < data.length ? Buffer.from(data.subarray(at)) : nothing;
  };
}
