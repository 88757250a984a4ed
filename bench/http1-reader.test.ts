import fc from "fast-check";
import { expect, test } from "vitest";
import { createHttp1Reader } from "./http1-reader.ts";

const wire = Buffer.from(
  [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
    "POST /v1 HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}",
  ].join(""),
);

function readAll(pieces: readonly Buffer[]): string[] {
  const seen: string[] = [];
  let body = "";
  const read = createHttp1Reader({
    head: (text) => seen.push(text.split("\r\n")[0]!),
    body: (bytes) => {
      body += bytes.toString();
    },
    end: (length) => {
      seen.push(`${body} ${length}`);
      body = "";
    },
  });
  for (const piece of pieces) {
    // As a socket that uses its buffer again: what was read before must not be needed any more.
    const buffer = Buffer.from(piece);
    read(buffer);
    buffer.fill(0);
  }
  return seen;
}

const expected = [
  "HTTP/1.1 200 OK",
  "hello 5",
  "HTTP/1.1 204 No Content",
  " 0",
  "HTTP/1.1 200 OK",
  "abc0123456789 13",
  "POST /v1 HTTP/1.1",
  "{} 2",
];

test("messages of one connection are told apart by length, by chunks and by having no body", () => {
  expect(readAll([wire])).toEqual(expected);
});

test("pieces may end anywhere", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: wire.length })), (cuts) => {
      const points = [0, ...cuts.toSorted((a, b) => a - b), wire.length];
      const pieces = points.slice(1).map((point, index) => wire.subarray(points[index], point));
      expect(readAll(pieces)).toEqual(expected);
    }),
  );
  expect(readAll(Array.from(wire, (byte) => Buffer.of(byte)))).toEqual(expected);
});

test("a chunk size that is none is an error", () => {
  const bytes = Buffer.from("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ndata: 1\r\n");
  // "da" would be a hexadecimal number to a parser that stops at the first other character.
  expect(() => readAll([bytes])).toThrow("not a chunk size");
});
