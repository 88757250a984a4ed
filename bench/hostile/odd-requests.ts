import { head, parts, smuggled, withFraming, withLines, withTarget } from "./request-parts.ts";

const { body, chunks, chunked, host, key, length, line, type } = parts;
const size = body.length.toString(16);

/** Requests that never become whole, by what they lack: their client ends its side, and gets a 400, or nothing where it said nothing. */
export const unfinishedRequests: readonly (readonly [what: string, bytes: string])[] = [
  ["nothing at all", ""],
  ["half a request line", line.slice(0, 12)],
  ["half a head", `${line}\r\n${host}\r\n`],
  ["HTTP/0.9, whose one line is a head that does not end", "GET /livez\r\n"],
  ["a body nine bytes short", withLines().slice(0, -9)],
  ["no last chunk", withFraming(chunked) + chunks.slice(0, -5)],
  ["no end of the trailers", `${withFraming(chunked)}${chunks.slice(0, -2)}X-A: b\r\n`],
  ["a chunk of all that 64 bits can say", `${withFraming(chunked)}ffffffffffffffff\r\n${body}\r\n0\r\n\r\n`],
];

/** A request that is unusual and yet HTTP. */
export interface LawfulRequest {
  readonly what: string;
  readonly bytes: string;
  /** Of each response, in order. */
  readonly statuses: readonly number[];
  /** Requests that a backend sees for it. */
  readonly upstream: number;
  /** The gateway closes the connection behind it. */
  readonly closed: boolean;
}

type Row = readonly [what: string, bytes: string, statuses: readonly number[], upstream: number, closed?: true];

const models = head("GET /v1/models HTTP/1.1", host, key, "Connection: close");
const upgrade = (to: string, ...more: string[]) => withLines(`Upgrade: ${to}`, "Connection: Upgrade", ...more);

const rows: readonly Row[] = [
  ["a good request", withLines(), [200], 1],
  ["a good request in front of junk", `${withLines()}junk\r\n\r\n`, [200, 400], 1, true],
  ["two good requests at once", withLines() + models, [200, 200], 1, true],
  ["a body with more behind it than its length, which is the next request", withLines() + smuggled, [200, 200], 2],
  ["empty lines before a request", `\r\n\r\n${withLines()}`, [200], 1],
  ["an empty host", withLines().replace(host, "Host:"), [200], 1],
  // RFC 9112, 3: a recipient may take any white space between the words of the request line.
  ["two spaces behind the method", withLines().replace("POST ", "POST  "), [200], 1],
  ["letters of the path as percent signs", withTarget("/v1/%63hat/completions"), [200], 1],
  ["a query that nobody asked for", withTarget("/v1/chat/completions?model=other&api_key=x"), [200], 1],
  ["a chunk extension", `${withFraming(chunked)}${size};a=b\r\n${body}\r\n0\r\n\r\n`, [200], 1],
  ["a coding in large letters", withFraming("Transfer-Encoding: CHUNKED") + chunks, [200], 1],
  ["leading noughts in a chunk size", `${withFraming(chunked)}000${size}\r\n${body}\r\n0\r\n\r\n`, [200], 1],
  ["no body where one is needed", head(line, host, key, type), [400], 0],
  ["a body where none belongs", head("GET /livez HTTP/1.1", host, length) + body, [200], 0],
  ["a key in a trailer", `${head(line, host, type, chunked)}${chunks.slice(0, -2)}${key}\r\n\r\n`, [401], 0],
  ["an upgrade to HTTP/2", upgrade("h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), [200], 1],
  ["an upgrade to a web socket", upgrade("websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"), [200], 1],
  // Node lets what follows an upgrade that it does not take be.
  ["an upgrade with the preface of HTTP/2 behind it", `${upgrade("h2c")}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, [200], 1],
  ["a wait for 100-continue", withLines("Expect: 100-continue"), [100, 200], 1],
  ["a health check in HTTP/1.0 without a host", "GET /livez HTTP/1.0\r\n\r\n", [200], 0, true],
  ["HTTP/1.0 with a length", withLines().replace("HTTP/1.1", "HTTP/1.0"), [200], 1, true],
  [
    "HTTP/1.0 kept alive",
    withLines("Connection: keep-alive").replace("HTTP/1.1", "HTTP/1.0") + models,
    [200, 200],
    1,
    true,
  ],
  ["a body announced as too large", withFraming("Content-Length: 900000000"), [413], 0, true],
  ["chunks that grow too large", withFraming(chunked) + `10000\r\n${"x".repeat(65_536)}\r\n`.repeat(5), [413], 0, true],
];

/** What is odd and yet HTTP: served or refused as a good request would be, and nothing else comes of it. */
export const lawfulRequests: readonly LawfulRequest[] = rows.map(
  ([what, bytes, statuses, upstream, closed = false]) => ({
    what,
    bytes,
    statuses,
    upstream,
    closed,
  }),
);
