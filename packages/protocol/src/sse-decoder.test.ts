import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSseDecoder, type ReplyEvent, TransportError } from "./index.ts";

function decode(chunks: readonly Buffer[]): string[] {
  const decoder = createSseDecoder();
  const events: ReplyEvent[] = [];
  for (const chunk of chunks) events.push(...decoder.push(chunk));
  events.push(...decoder.end());
  return events.map((event) => event.source.toString("utf8", event.start, event.end));
}

const spellings = {
  plain: 'data: {"a":"é😀"}\n\ndata: [DONE]\n\n',
  crlf: 'data: {"a":"é😀"}\r\n\r\ndata: [DONE]\r\n\r\n',
  cr: 'data: {"a":"é😀"}\r\rdata: [DONE]\r\r',
  "no space": 'data:{"a":"é😀"}\n\ndata:[DONE]\n\n',
  "comments, other fields, several data lines and a byte order mark":
    '\uFEFF: ping\n\nevent: message\nid: 7\ndata: {"a":\ndata:"é😀"}\nretry: 3\n\n\n: x\ndata: [DONE]\n\n',
  "the last blank line is missing": 'data: {"a":"é😀"}\n\ndata: [DONE]',
};

describe("the SSE decoder", () => {
  for (const [name, text] of Object.entries(spellings)) {
    test(`gives the same events at every split: ${name}`, () => {
      const bytes = Buffer.from(text);
      const whole = decode([bytes]);
      expect(whole.map((event) => event.replaceAll(" ", ""))).toEqual(['data:{"a":"é😀"}\n\n', "data:[DONE]\n\n"]);
      for (let at = 0; at <= bytes.length; at++) {
        expect(decode([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
      }
      expect(decode([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
    });
  }

  test("gives the same events under random re-chunking of random streams", () => {
    const line = fc.constantFrom(
      "data: x",
      "data:y",
      "data",
      ": c",
      "event: e",
      '{"error":"z"}',
      "",
      "junk",
      "data: é",
    );
    const ending = fc.constantFrom("\n", "\r", "\r\n");
    fc.assert(
      fc.property(fc.array(fc.tuple(line, ending), { maxLength: 12 }), fc.array(fc.nat(80)), (lines, cuts) => {
        const bytes = Buffer.from(lines.flat().join(""));
        const points = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const chunks = points.slice(1).map((point, i) => bytes.subarray(points[i], point));
        expect(decode(chunks)).toEqual(decode([bytes]));
      }),
    );
  });

  test.each([
    ["a byte order mark before the first field", "\uFEFFdata: a\n\n", ["a"]],
    ["a byte order mark and a plain event behind it", "\uFEFFdata: a\n\ndata: b\n\n", ["a", "b"]],
    ["a byte order mark that is not at the beginning", "data: a\n\n\uFEFFdata: b\n\n", ["a"]],
    ["a byte order mark behind a blank line", "\n\uFEFFdata: b\n\n", []],
    ["two of its three bytes", Buffer.from([0xef, 0xbb, ...Buffer.from("data: a\n\n")]), []],
    ["the last of its three bytes", Buffer.from([0x2e, 0xbb, 0xbf, ...Buffer.from("data: a\n\n")]), []],
    ["the outer two of its three bytes", Buffer.from([0xef, 0x2e, 0xbf, ...Buffer.from("data: a\n\n")]), []],
    ["two data lines, LF", "data: 1\ndata: 2\n\n", ["1 2"]],
    ["two data lines, CRLF", "data: 1\r\ndata: 2\r\n\r\n", ["1 2"]],
    ["two data lines, CR", "data: 1\rdata: 2\r\r", ["1 2"]],
    ["two data lines, mixed", "data: 1\r\ndata: 2\ndata: 3\r\n\n", ["1 2 3"]],
    ["an event that is whole, behind a data line that is not", "data: 1\ndata: 2\n\ndata: 3\n\n", ["1 2", "3"]],
    ["a field without a colon", "data\n\n", [""]],
    ["a field that begins with a colon", ":data: a\n\n", []],
    ["a colon right behind the name", "data:a\n\n", ["a"]],
    ["two spaces, of which one is the writer's", "data:  a\n\n", [" a"]],
    [
      "fields that are nearly called data",
      "xata: 1\n\ndxta: 1\n\ndaxa: 1\n\ndatx: 1\n\ndata; 1\n\ndatab: 1\n\ndat: 1\n\n",
      [],
    ],
    ["a field of four letters", "type: 1\n\n", []],
    ["a bare error line in front of its blank line", 'data: a\n{"error":1}\n\n', ["a", '{"error":1}']],
    ["a bare error line alone", '{"error":1}\n', ['{"error":1}']],
    ["a bare error line and a data line behind it", '{"error":1}\ndata: a\n\n', ['{"error":1}', "a"]],
    ["a bare error line cut off", 'data: a\n\n{"error":1}', ["a", '{"error":1}']],
    ["blank lines alone", "\n\n\r\n\r", []],
    ["the end inside a line", "data: a\n\ndata: b", ["a", "b"]],
    ["the end behind a data line", "data: a\n\ndata: b\n", ["a", "b"]],
    ["the end inside the name", "data: a\n\ndat", ["a"]],
  ])("reads as the standard says, at every split: %s", (_name, text, expected) => {
    const bytes = Buffer.from(text);
    const events = expected.map((data) => `data: ${data}\n\n`);
    expect(decode([bytes])).toEqual(events);
    for (let at = 0; at <= bytes.length; at++) {
      expect(decode([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(events);
    }
    expect(decode([...bytes].map((byte) => Buffer.from([byte])))).toEqual(events);
  });

  test("an event leaves as soon as its blank line is there, whatever ends its lines", () => {
    const decoder = createSseDecoder();
    const counts = ["data: a\r\n", "\r", "\ndata: b\n", "\n", "data: c\r", "\r", "data: d\n\n"].map(
      (piece) => decoder.push(Buffer.from(piece)).length,
    );
    expect(counts).toEqual([0, 1, 0, 1, 0, 1, 1]);
    expect(decoder.end()).toEqual([]);
  });

  test("says at its end what it had, once", () => {
    const decoder = createSseDecoder();
    decoder.push(Buffer.from("data: a\ndata: b"));
    expect(decoder.end().map(({ text }) => text)).toEqual(["a b"]);
    expect(decoder.end()).toEqual([]);
  });

  test("hands on the bytes of a plain event untouched", () => {
    const chunk = Buffer.from('data: {"a":1}\n\ndata: {"b":2}\n\n');
    const events = createSseDecoder().push(chunk);
    expect(events.map((event) => event.source === chunk)).toEqual([true, true]);
    expect(events.map((event) => event.json)).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test("takes a bare error line for an event", () => {
    expect(decode([Buffer.from('data: {"a":1}\n\n{"error":"boom"}\n')])).toEqual([
      'data: {"a":1}\n\n',
      'data: {"error":"boom"}\n\n',
    ]);
  });

  test("gives up on a line of over 1 MiB, in linear time", () => {
    const decoder = createSseDecoder();
    const piece = Buffer.alloc(64 * 1024, "x");
    expect(() => {
      for (let i = 0; i < 17; i++) decoder.push(piece);
    }).toThrow(TransportError);
  });

  describe.each([
    ["in one piece", (bytes: Buffer) => [bytes]],
    ["byte by byte", (bytes: Buffer) => [...bytes].map((byte) => Buffer.from([byte]))],
  ])("a limit of 10 bytes, %s", (_name, pieces) => {
    const tooLong = new TransportError("malformed", "a line of the stream is longer than 10 bytes");
    const read = (text: string): string[] => {
      const decoder = createSseDecoder(10);
      const events = pieces(Buffer.from(text)).flatMap((piece) => decoder.push(piece));
      return [...events, ...decoder.end()].map((event) => event.text);
    };

    test.each([
      ["data: 1234\n\n", ["1234"]],
      ["data: 1\n\ndata: 1234\n\n", ["1", "1234"]],
      [": 3456789A\n\n", []],
      ["data: 1234\r\n\r\n", ["1234"]],
      ["data:12345\n\n", ["12345"]],
      ["data:12345\ndata:12345\n\n", ["12345 12345"]],
      ["event: abc\ndata: 1234\n\nevent: abc\ndata: 1234\n\n", ["1234", "1234"]],
    ])("holds %j", (text, events) => {
      expect(read(text)).toEqual(events);
    });

    test.each([
      "data: 12345\n\n",
      "data: 1\n\ndata: 12345\n\n",
      ": 3456789AB\n\n",
      "data: 12345",
      "data: 12345\r\n\r\n",
      "data:12345\ndata:12345\ndata:1\n\n",
    ])("is broken by %j", (text) => {
      expect(() => read(text)).toThrow(tooLong);
      expect(() => read(text)).toThrow(expect.objectContaining({ fault: "malformed" }));
    });
  });

  test("costs no more per byte when 100,000 bytes come one at a time", () => {
    const decoder = createSseDecoder();
    const bytes = Buffer.from(`data: {"a":"${"y".repeat(100_000)}"}\n\n`);
    const started = performance.now();
    let events = 0;
    for (let i = 0; i < bytes.length; i++) events += decoder.push(bytes.subarray(i, i + 1)).length;
    expect(events).toBe(1);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("survives invalid UTF-8", () => {
    const bytes = Buffer.concat([Buffer.from('data: {"a":"'), Buffer.from([0xff, 0xc3]), Buffer.from('"}\n\n')]);
    expect(createSseDecoder().push(bytes)[0]?.json).toEqual({ a: "\uFFFD\uFFFD" });
  });
});
