import { TransportError } from "@signalbox/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Headers, ResponseParser } from "./response-parser.ts";

interface Seen {
  status: number | undefined;
  headers: Headers | undefined;
  body: string;
  /** Undefined = not whole. */
  reusable: boolean | undefined;
  fault: string | undefined;
}

/** What a sink is told when `pieces` come one by one, through one buffer that each overwrites, and the connection is closed. */
function parse(pieces: readonly Buffer[], { close = true } = {}): Seen {
  const seen: Seen = { status: undefined, headers: undefined, body: "", reusable: undefined, fault: undefined };
  const body: Buffer[] = [];
  const parser = new ResponseParser({
    onHead(status, headers) {
      seen.status = status;
      seen.headers = { ...headers };
    },
    onBody: (piece) => body.push(piece),
    onComplete(reusable) {
      expect(seen.reusable, "completed twice").toBeUndefined();
      seen.reusable = reusable;
    },
  });
  const shared = Buffer.alloc(Math.max(1, ...pieces.map(({ length }) => length)) + 8, "\r\n\r\n");
  try {
    for (const piece of pieces) {
      piece.copy(shared);
      parser.push(shared, piece.length);
    }
    if (close) parser.close();
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    seen.fault = error.fault;
    expect(error.message).toMatch(/^not a valid HTTP response: /);
  }
  seen.body = Buffer.concat(body).toString("latin1");
  return seen;
}

const bytes = (text: string) => Buffer.from(text, "latin1");
const whole = (text: string) => parse([bytes(text)]);

function cut(text: string, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.toSorted((a, b) => a - b), text.length];
  return sorted.slice(1).map((end, index) => bytes(text.slice(sorted[index], end)));
}

type Expected = Omit<Seen, "headers" | "fault"> & { headers?: Headers };

const good: Record<string, readonly [string, Expected]> = {
  "a body of a known length": [
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"a":1}',
    {
      status: 200,
      body: '{"a":1}',
      reusable: true,
      headers: { "content-type": "application/json", "content-length": "7" },
    },
  ],
  "a body of no length": ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", { status: 200, body: "", reusable: true }],
  chunks: [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n,\r\n00a\r\n 2\r\n3\r\n\r\nx\r\n0\r\n\r\n",
    { status: 200, body: "hello, 2\r\n3\r\n\r\nx", reusable: true },
  ],
  "chunks with extensions and trailers": [
    'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5;ieof\r\nhello\r\nA ;a="b;c"\r\n0123456789\r\n0;last\r\nx-sum: 1\r\nx-b:\r\n\r\n',
    { status: 200, body: "hello0123456789", reusable: true },
  ],
  "no chunk but the last": [
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    { status: 200, body: "", reusable: true },
  ],
  "a body up to the end of the connection": [
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nuntil\r\n\r\nthe end",
    { status: 200, body: "until\r\n\r\nthe end", reusable: false },
  ],
  "a connection that is to be closed": [
    "HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 2\r\n\r\nok",
    { status: 200, body: "ok", reusable: false },
  ],
  "close among other options": [
    "HTTP/1.1 200 OK\r\nconnection: foo\r\nconnection: bar, close\r\ncontent-length: 2\r\n\r\nok",
    { status: 200, body: "ok", reusable: false },
  ],
  "HTTP/1.0": ["HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", { status: 200, body: "ok", reusable: false }],
  "HTTP/1.0 that is kept alive": [
    "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
    { status: 200, body: "ok", reusable: true },
  ],
  "204": ["HTTP/1.1 204 No Content\r\n\r\n", { status: 204, body: "", reusable: true }],
  "204 with the length of what it is about": [
    "HTTP/1.1 204 No\r\ncontent-length: 9\r\n\r\n",
    { status: 204, body: "", reusable: true },
  ],
  "304 with chunks that never come": [
    "HTTP/1.1 304 Not\r\ntransfer-encoding: chunked\r\n\r\n",
    { status: 304, body: "", reusable: true },
  ],
  "interim responses before it": [
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\nx",
    { status: 201, body: "x", reusable: true, headers: { "content-length": "1" } },
  ],
  "no reason, no headers": ["HTTP/1.1 503\r\n\r\n", { status: 503, body: "", reusable: false, headers: {} }],
  "names in any case, values with spaces around them, lists": [
    "HTTP/1.1 200 \r\nX-A:1\r\nx-a: \t2 3 \r\nX-a:\r\nConTent-Length:  1\t\r\n__proto__: p\r\nx-l: \xfc: b\r\n\r\ny",
    {
      status: 200,
      body: "y",
      reusable: true,
      headers: JSON.parse('{"x-a":["1","2 3",""],"content-length":"1","__proto__":"p","x-l":"ü: b"}'),
    },
  ],
};

const head = "HTTP/1.1 200 OK\r\n";
const chunked = `${head}transfer-encoding: chunked\r\n\r\n`;

const bad: Record<string, string> = {
  "another protocol": "SSH-2.0-OpenSSH_9.6\r\n",
  "an alert of TLS": "\x15\x03\x01\x00\x02\x02\x46",
  "HTTP/0.9": "<html>hello",
  "HTTP/2": "HTTP/2 200\r\n\r\n",
  "HTTP/1.2": "HTTP/1.2 200 OK\r\n\r\n",
  "a name of the protocol in lower case": "http/1.1 200 OK\r\n\r\n",
  "a request": "GET / HTTP/1.1\r\n\r\n",
  "a blank line first": "\r\nHTTP/1.1 200 OK\r\n\r\n",
  "a status of two digits": "HTTP/1.1 20 OK\r\n\r\n",
  "a status of four digits": "HTTP/1.1 2000 OK\r\n\r\n",
  "a status of letters": "HTTP/1.1 abc OK\r\n\r\n",
  "no status": "HTTP/1.1 \r\n\r\n",
  "a status below 100": "HTTP/1.1 099 Low\r\n\r\n",
  "a status above 599": "HTTP/1.1 600 High\r\n\r\n",
  "a status behind two spaces": "HTTP/1.1  200 OK\r\n\r\n",
  "a line break in the reason": "HTTP/1.1 200 O\rK\r\n\r\n",
  "a change of protocol": "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",
  "a header without a colon": `${head}content-length\r\n\r\n`,
  "a header without a name": `${head}: 1\r\n\r\n`,
  "a space before the colon": `${head}content-length : 1\r\n\r\nx`,
  "a space in a name": `${head}content length: 1\r\n\r\nx`,
  "a tab in a name": `${head}content-length\t: 1\r\n\r\nx`,
  "a control character in a name": `${head}x\x01: 1\r\n\r\n`,
  "a header that goes on in the next line": `${head}x-a: 1\r\n b: 2\r\n\r\n`,
  "a header that goes on behind a tab": `${head}x-a: 1\r\n\tb: 2\r\n\r\n`,
  "a header line that ends in LF": `${head}x-a: 1\ncontent-length: 1\r\n\r\nx`,
  "a status line that ends in LF": "HTTP/1.1 200 OK\nx-a: 1\r\n\r\n",
  "a CR inside a value": `${head}x-a: 1\rcontent-length: 1\r\n\r\nx`,
  "a CR at the end of a value": `${head}x-a: 1\r\r\nx-b: 1\r\n\r\nx`,
  "a NUL inside a value": `${head}x-a: 1\0\r\n\r\n`,
  "two lengths": `${head}content-length: 1\r\ncontent-length: 2\r\n\r\nxx`,
  "the same length twice": `${head}content-length: 1\r\ncontent-length: 1\r\n\r\nx`,
  "a list of lengths": `${head}content-length: 1, 1\r\n\r\nx`,
  "a length below zero": `${head}content-length: -1\r\n\r\nx`,
  "a length with a sign": `${head}content-length: +1\r\n\r\nx`,
  "a length in hexadecimal": `${head}content-length: 0x1\r\n\r\nx`,
  "a length beyond all numbers": `${head}content-length: 9007199254740993\r\n\r\nx`,
  "no number as length": `${head}content-length:\r\n\r\nx`,
  "a length beside chunks": `${head}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "a coding beside chunks": `${head}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  "chunks twice": `${head}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "no coding that is known": `${head}transfer-encoding: identity\r\n\r\nx`,
  "chunks in HTTP/1.0": "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  "a chunk without a size": `${chunked}\r\nhello`,
  "a size that is no number": `${chunked}xyz\r\n`,
  "a size with 0x": `${chunked}0x5\r\nhello\r\n0\r\n\r\n`,
  "a size below zero": `${chunked}-5\r\nhello`,
  "a size of 13 digits": `${chunked}1000000000000\r\n`,
  "junk behind a size": `${chunked}5 5\r\nhello\r\n0\r\n\r\n`,
  "a CR inside an extension": `${chunked}5;a\rb\r\nhello\r\n0\r\n\r\n`,
  "a size line that ends in LF": `${chunked}5\nhello\r\n0\r\n\r\n`,
  "a chunk that is longer than its size": `${chunked}5\r\nhello!\r\n0\r\n\r\n`,
  "a chunk that is shorter than its size": `${chunked}6\r\nhello\r\n0\r\n\r\n`,
  "an extension without end": `${chunked}5;${"x".repeat(2000)}`,
  "a trailer without a name": `${chunked}0\r\nnothing\r\n\r\n`,
  "trailers without end": `${chunked}0\r\n${"x-trailer: 0123456789\r\n".repeat(2000)}`,
  "a head without end": `${head}${"x-header: 0123456789\r\n".repeat(2000)}`,
  "a line without end": `HTTP/1.1 200 ${"x".repeat(40_000)}`,
  "bytes behind a body": `${head}content-length: 2\r\n\r\nok!`,
  "bytes behind the last chunk": `${chunked}2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n`,
  "a body behind a 204": "HTTP/1.1 204 No Content\r\n\r\nx",
};

describe("a response", () => {
  for (const [what, [text, { headers, ...expected }]] of Object.entries(good)) {
    test(`is read: ${what}`, () => {
      const seen = whole(text);
      expect(seen).toMatchObject({ ...expected, fault: undefined });
      if (headers !== undefined) expect(seen.headers).toEqual(headers);
    });
  }

  test("is the same, wherever it is cut in two, and byte by byte", () => {
    for (const [text] of Object.values(good)) {
      const expected = whole(text);
      for (let place = 1; place < text.length; place++)
        expect(parse(cut(text, [place])), `cut at ${place}`).toEqual(expected);
      expect(
        parse(
          cut(
            text,
            [...text].map((_, index) => index),
          ),
        ),
      ).toEqual(expected);
    }
  });

  test("is the same in pieces of any sizes", () => {
    const texts = [...Object.values(good).map(([text]) => text), ...Object.values(bad)];
    const arbitrary = fc
      .constantFrom(...texts)
      .chain((text) => fc.tuple(fc.constant(text), fc.array(fc.nat(text.length), { maxLength: 12 })));
    fc.assert(
      fc.property(arbitrary, ([text, places]) => {
        expect(parse(cut(text, places))).toEqual(whole(text));
      }),
      { numRuns: 1000 },
    );
  });

  test("is not whole, wherever the connection is closed inside it", () => {
    for (const [text, { status }] of Object.values(good)) {
      const untilClose = whole(text).reusable === false && !/content-length/i.test(text);
      const end = untilClose ? text.indexOf("\r\n\r\n") + 4 : text.length;
      for (let place = 0; place < end; place++) {
        const seen = whole(text.slice(0, place));
        expect(seen.reusable, `${status} closed at ${place}`).toBeUndefined();
        expect(seen.fault).toBeUndefined();
      }
    }
  });

  test("of any chunks gives their data", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 300 })),
        fc.infiniteStream(fc.integer({ min: 1, max: 90 })),
        (chunks, sizes) => {
          const text = `${chunked}${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`;
          const places: number[] = [];
          for (let at = sizes.next().value; at < text.length; at += sizes.next().value) places.push(at);
          expect(parse(cut(text, places))).toMatchObject({ body: chunks.join(""), reusable: true, fault: undefined });
        },
      ),
    );
  });
});

describe("a response that is none", () => {
  for (const [what, text] of Object.entries(bad)) {
    test(`is refused without waiting for more: ${what}`, () => {
      const seen = parse([bytes(text)], { close: false });
      expect(seen.fault).toBe("malformed");
      expect(
        parse(
          cut(
            text,
            [...text].map((_, index) => index),
          ),
          { close: false },
        ),
      ).toEqual(seen);
    });
  }

  test("hands on the data that stood before the fault", () => {
    expect(whole(`${chunked}5\r\nhello\r\nzz\r\n`)).toMatchObject({
      body: "hello",
      reusable: undefined,
      fault: "malformed",
    });
  });

  test("is whole all the same when only what follows it is wrong", () => {
    expect(whole(bad["bytes behind a body"]!)).toMatchObject({
      status: 200,
      body: "ok",
      reusable: true,
      fault: "malformed",
    });
  });

  test("throws nothing but `malformed`, whatever comes", () => {
    const junk = fc.string({
      unit: fc.constantFrom(
        "\r\n",
        "\r",
        "\n",
        ":",
        " ",
        "0",
        "5",
        "a",
        ";",
        head,
        chunked,
        "content-length: 3",
        "\r\n\r\n",
        "\0",
        "\xff",
      ),
      maxLength: 40,
    });
    fc.assert(
      fc.property(junk, fc.constantFrom("", head, chunked), (text, before) => {
        expect(["malformed", undefined]).toContain(whole(before + text).fault);
      }),
      { numRuns: 2000 },
    );
  });
});

test("a response has begun with its first byte, an interim one too", () => {
  const parser = new ResponseParser({ onHead() {}, onBody() {}, onComplete() {} });
  expect(parser.begun).toBe(false);
  parser.push(bytes("HTTP/1.1 100 Continue\r\n\r\n"), 25);
  expect(parser.begun).toBe(true);
  const other = new ResponseParser({ onHead() {}, onBody() {}, onComplete() {} });
  other.push(bytes("H"), 1);
  expect(other.begun).toBe(true);
});

describe("the work is in proportion to the bytes", () => {
  /** Milliseconds of the fastest of three. */
  function fastest(work: () => void): number {
    return Math.min(
      ...[1, 2, 3].map(() => {
        const began = performance.now();
        work();
        return performance.now() - began;
      }),
    );
  }

  function trickle(text: string): () => void {
    const all = bytes(text);
    return () => {
      const parser = new ResponseParser({ onHead() {}, onBody() {}, onComplete() {} });
      for (let at = 0; at < all.length; at++) parser.push(all.subarray(at, at + 1), 1);
    };
  }

  test("of a long head that comes byte by byte", () => {
    const short = trickle(`${head}x: ${"y".repeat(4000)}\r\n\r\n`);
    const long = trickle(`${head}x: ${"y".repeat(32_000)}\r\n\r\n`);
    short();
    // Eight times the bytes; were all of them looked at again for each, it would be sixty-four.
    expect(fastest(long)).toBeLessThan(32 * Math.max(0.5, fastest(short)));
  });

  test("of chunks of one byte that come byte by byte", () => {
    const short = trickle(chunked + "1\r\nx\r\n".repeat(2000));
    const long = trickle(chunked + "1\r\nx\r\n".repeat(16_000));
    short();
    expect(fastest(long)).toBeLessThan(32 * Math.max(0.5, fastest(short)));
  });
});
