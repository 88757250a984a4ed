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
