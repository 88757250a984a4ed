import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Cursor, MORE, NO, NONE, stopsAt, YES } from "./cursor.ts";
import { LiteralSet, PARTIAL } from "./literals.ts";

function cursorOn(...pieces: string[]): Cursor {
  const cursor = new Cursor();
  cursor.begin("");
  for (const piece of pieces) cursor.feed(piece);
  return cursor;
}

describe("steps", () => {
  test("say that they need more, and go on when it comes", () => {
    const cursor = cursorOn("  ");
    expect(cursor.space()).toBe(MORE);
    cursor.feed(" <a");
    expect(cursor.space()).toBe(YES);
    expect(cursor.take("<a>")).toBe(MORE);
    cursor.feed(">b");
    expect(cursor.take("<a>")).toBe(YES);
    expect(cursor.code()).toBe("b".charCodeAt(0));
    expect(cursor.take("c")).toBe(NO);
  });

  test("say no at the end of an input that is over", () => {
    const cursor = cursorOn("<a");
    cursor.ended = true;
    expect(cursor.take("<a>")).toBe(NO);
    expect(cursor.find("x")).toBe(NO);
    expect(cursor.atEnd).toBe(true);
    expect(cursor.code()).toBe(NONE);
    expect(cursor.space()).toBe(YES);
  });

  test("find a literal that is cut", () => {
    const cursor = cursorOn("abc</");
    cursor.mark();
    expect(cursor.find("</x>")).toBe(MORE);
    expect(cursor.offset).toBe(3);
    cursor.feed("x></x>");
    expect(cursor.find("</x>")).toBe(YES);
    expect(cursor.marked()).toBe("abc");
  });

  test("seek the next of some literals", () => {
    const set = LiteralSet.of("<a>", "<b>");
    const cursor = cursorOn("x<c><b");
    expect(cursor.seek(set)).toBe(PARTIAL);
    cursor.feed(">");
    expect(cursor.seek(set)).toMatchObject({ literal: "<b>" });
    expect(cursor.offset).toBe(4);
  });
});

test("a limit is at the same place however the text is cut", () => {
  const stops = stopsAt(">");
  for (const text of ["abcdefgh", "abcd>", "abcde>", "abc>"]) {
    const places = [[text], text.split("")].map((pieces) => {
      const cursor = cursorOn();
      cursor.mark();
      let answer = cursor.until(stops, 4);
      for (const piece of pieces) {
        if (answer !== MORE) break;
        cursor.feed(piece);
        answer = cursor.until(stops, 4);
      }
      return [answer, cursor.offset, cursor.code()];
    });
    expect(places[0]).toEqual(places[1]);
  }
});

test("what was read is at hand from any mark, and from the beginning", () => {
  const pieces = fc.array(fc.string({ maxLength: 6 }), { maxLength: 20 });
  fc.assert(
    fc.property(pieces, fc.nat(60), fc.nat(60), fc.nat(60), (parts, ...places) => {
      const text = parts.join("");
      const [mark, held, last] = places.map((place) => Math.min(place, text.length)).sort((a, b) => a - b);
      const cursor = cursorOn();
      let at = 0;
      for (const part of [...parts, ""]) {
        cursor.feed(part);
        for (; at <= cursor.length; at++) {
          if (at === mark) cursor.mark();
          if (at === held) cursor.hold();
          if (at === last) break;
          if (at < cursor.length) cursor.skip(1);
          else break;
        }
      }
      expect(cursor.text()).toBe(text.slice(0, last));
      expect(cursor.marked()).toBe(text.slice(mark, last));
      expect(cursor.held()).toBe(text.slice(held, last));
      cursor.back();
      expect(cursor.text()).toBe(text.slice(0, held));
      expect(cursor.rest()).toBe(text.slice(held));
      expect(cursor.offset).toBe(held! - mark!);
    }),
    { numRuns: 3000 },
  );
});

test("a text that comes in very many pieces stays cheap to read", () => {
  const cursor = cursorOn();
  cursor.mark();
  cursor.hold();
  for (let piece = 0; piece < 200_000; piece++) {
    cursor.feed("          ");
    cursor.space();
  }
  expect(cursor.offset).toBe(2_000_000);
  cursor.back();
  expect(cursor.rest().length).toBe(2_000_000);
});
