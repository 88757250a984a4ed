import { head, parts, smuggled, withFraming, withLines, withTarget } from "./request-parts.ts";

/** Bytes that are no request, and what must become of them. */
export interface MalformedRequest {
  readonly what: string;
  readonly bytes: Buffer;
  /** The one status that it must be answered with; undefined = 400, 413 or 431. */
  readonly status?: number;
}

type Row = readonly [what: string, bytes: string | Buffer, status?: number];

const { body, chunks, chunked, host, key, length, line, type } = parts;
const size = body.length.toString(16);
const coding = (name: string) => `Transfer-Encoding: ${name}`;
const declared = (text: string) => `Content-Length: ${text}`;

const framing: readonly Row[] = [
  ["a length and chunks", withFraming(length, chunked) + chunks],
  ["chunks and a length", withFraming(chunked, length) + chunks],
  ["a request smuggled behind the chunks of a length", `${withFraming(length, chunked)}0\r\n\r\n${smuggled}`],
  ["a request smuggled inside the length of chunks", `${withFraming(declared("4"), chunked)}0\r\n\r\n${smuggled}`],
  ["two lengths that differ", withLines(declared("5"))],
  ["two lengths that agree", withLines(length)],
  ["a list of lengths", withFraming(declared(`${body.length}, ${body.length}`)) + body],
  ["a negative length", withFraming(declared("-1")) + body],
  ["a length with a plus", withFraming(declared(`+${body.length}`)) + body],
  ["a hexadecimal length", withFraming(declared("0x20")) + body],
  ["a length with an exponent", withFraming(declared("1e2")) + body],
  ["a length with a point", withFraming(declared(`${body.length}.0`)) + body],
  ["a length of two numbers", withFraming(declared("5 7")) + body],
  ["an empty length", withFraming("Content-Length:") + body],
  ["a length beyond 64 bits", withFraming(declared("99999999999999999999999")) + body],
  ["a folded length", withFraming(`Content-Length:\r\n ${body.length}`) + body],
  ["an unknown transfer coding", withFraming(coding("gzip")) + body],
  ["a coding that only ends like chunked", withFraming(coding("xchunked")) + chunks],
  ["a coding that only begins like chunked", withFraming(coding("chunkedx")) + chunks],
  ["a quoted coding", withFraming(coding('"chunked"')) + chunks],
  ["a vertical tab before the coding", withFraming(coding("\x0bchunked")) + chunks],
  ["an empty coding and a length", withFraming(length, "Transfer-Encoding:") + body],
  ["chunked that is not last", withFraming(coding("chunked, identity")) + chunks],
  ["chunked, and another coding in a line of its own", withFraming(chunked, coding("identity")) + chunks],
  [
    "a coding by underscore, and a length too short",
    `${withFraming(declared("4"), chunked, "Transfer_Encoding: x")}0\r\n\r\n`,
  ],
  ["a space before the colon of the coding", `${withFraming(length, "Transfer-Encoding : chunked")}${chunks}`],
  ["chunks in HTTP/1.0", (withFraming(chunked) + chunks).replace("HTTP/1.1", "HTTP/1.0")],
  [
    "chunks in HTTP/1.0 that would be kept alive, and a smuggled request",
    (withFraming(chunked, "Connection: keep-alive") + chunks).replace("HTTP/1.1", "HTTP/1.0") + smuggled,
  ],
];

const chunkBodies: readonly Row[] = [
  ["a chunk size that is no number", `zz\r\n${body}\r\n0\r\n\r\n`],
  ["a negative chunk size", `-5\r\n${body}\r\n0\r\n\r\n`],
  ["a chunk size with a prefix", `0x${size}\r\n${body}\r\n0\r\n\r\n`],
  ["an empty chunk size", `\r\n${body}\r\n0\r\n\r\n`],
  ["a chunk size beyond 64 bits", `fffffffffffffffff\r\n${body}\r\n0\r\n\r\n`],
  ["a space before the chunk size", ` ${size}\r\n${body}\r\n0\r\n\r\n`],
  ["a chunk longer than its size", `5\r\n${body}\r\n0\r\n\r\n`],
  ["a bare line feed behind a chunk size", `${size}\n${body}\n0\n\n`],
  ["a bare carriage return behind a chunk size", `${size}\r${body}\r\n0\r\n\r\n`],
  ["a bare line feed behind a chunk", `${size}\r\n${body}\n0\r\n\r\n`],
  ["a line feed in a chunk extension", `${size};a\nb\r\n${body}\r\n0\r\n\r\n`],
  ["NUL in a chunk extension", `${size};a\0b\r\n${body}\r\n0\r\n\r\n`],
  ["an endless chunk extension", `${size};${"a".repeat(40_000)}\r\n${body}\r\n0\r\n\r\n`],
  ["a trailer without a colon", `${size}\r\n${body}\r\n0\r\nX-A\r\n\r\n`],
  ["a bare line feed in a trailer", `${size}\r\n${body}\r\n0\r\nX-A: b\nX-B: c\r\n\r\n`],
  ["trailers of 20 KB", `${size}\r\n${body}\r\n0\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`],
].map(([what, sent]): Row => [what!, withFraming(chunked) + sent]);

const headers: readonly Row[] = [
  ["bare line feeds", withLines().replaceAll("\r\n", "\n")],
  ["one bare line feed", withLines("X-A: b\nX-C: d")],
  ["a bare carriage return", withLines("X-A: b\rX-C: d")],
  ["a line feed and a carriage return the wrong way round", withLines("X-A: b\n\rX-C: d")],
  ["a folded header", withLines("X-A: b\r\n c")],
  ["a folded header, by a tab", withLines("X-A: b\r\n\tc")],
  ["NUL in a value", withLines("X-A: b\0c")],
  ["NUL in a name", withLines("X\0A: b")],
  ["NUL in the key", withLines().replace(key, `${key}\0x`)],
  ["a control character in a value", withLines("X-A: \x01")],
  ["DEL in a value", withLines("X-A: \x7f")],
  ["a byte above ASCII in a name", withLines("X-\xe9: b")],
  ["a space before the colon", withFraming(`Content-Length : ${body.length}`) + body],
  ["a tab before the colon", withFraming(`Content-Length\t: ${body.length}`) + body],
  ["a space before the first header", `${line}\r\n ${host}\r\n\r\n`],
  ["no name", withLines(": b")],
  ["no colon", withLines("X-A")],
  ["brackets in a name", withLines("X(A): b")],
  ["a space in a name", withLines("X A: b")],
  ["headers of 20 KB", withLines(`X-A: ${"a".repeat(20_000)}`), 431],
  ["two thousand headers", withLines(...Array.from({ length: 2000 }, () => "a:b")), 431],
  ["no host", head(line, key, type, length) + body, 400],
  ["two hosts", withLines("Host: y"), 400],
  ["two hosts that agree", withLines(host), 400],
  ["a host that is none", withLines().replace(host, "Host: a b"), 400],
  ["a host with a path", withLines().replace(host, "Host: x/livez"), 400],
  ["a host with a user", withLines().replace(host, "Host: user@x"), 400],
  ["two keys", withLines("Authorization: Bearer other"), 400],
  ["two keys that agree", withLines(key), 400],
  ["two keys of which one is empty", withLines("Authorization:"), 400],
  ["two types", withLines("Content-Type: text/plain"), 400],
  ["two types that agree", withLines(type), 400],
  ["an expectation that nobody knows", withLines("Expect: miracles"), 417],
];

const lines: readonly Row[] = [
  ["an unknown method", withTarget("/v1/chat/completions", "FETCH")],
  ["a method in small letters", withTarget("/v1/chat/completions", "post")],
  ["a method that is none", withTarget("/v1/chat/completions", "P@ST")],
  ["no method", withLines().replace("POST /", "/")],
  ["a space before the method", ` ${withLines()}`],
  ["a tab behind the method", withLines().replace("POST ", "POST\t")],
  ["a target with a space", withTarget("/v1/chat completions")],
  ["a target with NUL", withTarget("/v1/chat/completions\0")],
  ["a target with a control character", withTarget("/v1/chat\x01/completions")],
  ["a target with bytes above ASCII", withTarget("/v1/chat/complet\xefons")],
  ["no version", `POST /v1/chat/completions\r\n${host}\r\n\r\n`],
  ["HTTP/0.9 by name", head("GET /livez HTTP/0.9", host)],
  ["version 1.2", withLines().replace("HTTP/1.1", "HTTP/1.2")],
  ["version 2.0", withLines().replace("HTTP/1.1", "HTTP/2.0")],
  ["version 9.9", withLines().replace("HTTP/1.1", "HTTP/9.9")],
  ["a version with more behind it", withLines().replace("HTTP/1.1", "HTTP/1.1x")],
  ["a version of two digits", withLines().replace("HTTP/1.1", "HTTP/1.10")],
  ["another protocol's name", withLines().replace("HTTP/1.1", "ICAP/1.0")],
  ["a protocol's name in small letters", withLines().replace("HTTP/1.1", "http/1.1")],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["a TLS greeting", Buffer.from("16030100c8010000c40303a1b2c3d4e5f60718293a4b5c6d7e8f90", "hex")],
  ["an SSH greeting", "SSH-2.0-OpenSSH_9.9\r\n"],
  ["a proxy protocol's line", `PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n${withLines()}`],
  ["binary junk", Buffer.from("00ff00ff0d0a0d0a00ff", "hex")],
];

const targets: readonly Row[] = [
  ["a whole URL as target", withTarget("http://127.0.0.1:9/v1/chat/completions"), 400],
  ["a whole URL of our own", withTarget("http://x/v1/chat/completions"), 400],
  ["a target without a slash", withTarget("v1/chat/completions"), 400],
  ["a target of an asterisk", withTarget("*", "OPTIONS"), 400],
  ["a target that is a query alone", withTarget("?a=b"), 400],
  ["CONNECT", head("CONNECT 127.0.0.1:9 HTTP/1.1", host), 405],
  ["CONNECT with a smuggled request", head("CONNECT 127.0.0.1:9 HTTP/1.1", host) + smuggled, 405],
  ["a target of 20 KB", withTarget(`/${"a".repeat(20_000)}`), 431],
];

const paths: readonly Row[] = [
  "/x/../v1/chat/completions",
  "/v1/chat/./completions",
  "/v1/%2e%2e/v1/chat/completions",
  "/v1/.%2E/v1/chat/completions",
  "/v1/chat/completions/..",
  "/v1/models/../../metrics",
  "/%2e%2e/%2e%2e/status",
  "/v1/chat/completions#a",
  "/v1\\chat\\completions",
].map((target): Row => [`a target that means another: ${target}`, withTarget(target), 400]);

const strangers: readonly Row[] = [
  ...["/metrics", "/status", "/readyz", "/%6detrics", "//metrics", "/metrics%00", "/v1/../metrics%2f"],
  ...["/v1/chat%2fcompletions", "//v1/chat/completions", "/v1/chat/completions/", "/V1/chat/completions"],
  ...["/v1/chat/completions;a=b", "/v1/chat/completions%20", "/v1/chat/completions%0d%0aX:%20y"],
  ...["/http://127.0.0.1:9/v1/chat/completions", "//127.0.0.1:9/v1/chat/completions", "/@127.0.0.1:9/"],
].map(
  (target): Row => [`a target where nothing is: ${target}`, withTarget(target), target.includes("/../") ? 400 : 404],
);

/** Malformed HTTP, request smuggling, tricks with targets, other protocols: each is answered with one 4xx, and no backend hears of it. */
export const malformedRequests: readonly MalformedRequest[] = [
  ...[...framing, ...chunkBodies, ...headers, ...lines],
  ...[...targets, ...paths, ...strangers],
].map(([what, bytes, status]) => ({
  what,
  bytes: typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes,
  ...(status !== undefined && { status }),
}));
