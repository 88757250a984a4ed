import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CodeSpans, stopsFor } from "./code-spans.ts";
import { LiteralSet } from "./literals.ts";

const stops = stopsFor(LiteralSet.of("<x>"));

/** Where `<x>` is found in prose, given the text in pieces. */
function found(pieces: readonly string[]): number[] {
  const spans = new CodeSpans();
  const places: number[] = [];
  let base = 0;
  let text = "";
  for (const piece of pieces) {
    text += piece;
    let at = 0;
    for (;;) {
      at = spans.read(text, at, text.length, stops);
      if (text.length - at < 3) break;
      if (text.startsWith("<x>", at)) places.push(base + at);
      at++;
      spans.step();
    }
    base += at;
    text = text.slice(at);
  }
  return places;
}

describe("a literal is passed over", () => {
  test.each([
    ["in inline code", "a `<x>` b"],
    ["in inline code of two ticks", "a ``b ` <x>`` b"],
    ["in a fence", "a\n```xml\n<x>\n```\n"],
    ["in a fence of tildes", "~~~\n<x>\n~~~\n"],
    ["in the first line of a fence", "```<x>\n```\n"],
    ["in a fence that is never closed", "```\na\n<x>"],
    ["in a fence that shorter or other ones do not close", "````\n```\n~~~~\n<x>\n````\n"],
    ["in an indented fence", "  ```\n<x>\n  ```\n"],
  ])("%s", (_, text) => {
    expect(found([text])).toEqual([]);
  });
});

describe("a literal counts", () => {
  test.each([
    ["behind inline code", "`a` <x>"],
    ["on the line behind a stray tick", "a ` b\n<x>"],
    ["behind a fence", "```\na\n```\n<x>"],
    ["behind a tilde that opens nothing", "a ~~~ <x>"],
    ["behind ticks in a line of prose", "a ```b``` <x>"],
  ])("%s", (_, text) => {
    expect(found([text])).toEqual([text.indexOf("<x>")]);
  });
});

test("the cuts make no difference", () => {
  const part = fc.constantFrom("`", "``", "```", "~~~", "\n", " ", "a", "<x>", "<", "```\n", "\n```\n");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
      const text = parts.join("");
      expect(found(text.split(""))).toEqual(found([text]));
      expect(found(parts)).toEqual(found([text]));
    }),
    { numRuns: 2000 },
  );
});
