/** Reads a chunked request body from the start of `bytes`; undefined while it is not complete. Trailers are skipped. */
export function decodeChunkedBody(bytes: Buffer): { body: Buffer; rest: Buffer } | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (Number.isNaN(size)) return { body: Buffer.concat(parts), rest: Buffer.alloc(0) };
    at = lineEnd + 2;
    if (size === 0) {
      const end = bytes.indexOf("\r\n", at);
      if (end < 0) return undefined;
      if (end === at) return { body: Buffer.concat(parts), rest: bytes.subarray(at + 2) };
      const trailersEnd = bytes.indexOf("\r\n\r\n", at);
      if (trailersEnd < 0) return undefined;
      return { body: Buffer.concat(parts), rest: bytes.subarray(trailersEnd + 4) };
    }
    if (bytes.length < at + size + 2) return undefined;
    parts.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
}
