import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createReasoningDetails, reasoningOf } from "./reasoning-of.ts";

describe("the reasoning of a message", () => {
  test.each([
    { reasoning_content: "why" },
    { reasoning: "why" },
    { reasoning: { content: "why" } },
    { reasoning: { summary: [{ type: "summary_text", text: "why" }] } },
    { reasoning_details: [{ text: "why" }] },
    {
      reasoning_details: [
        { type: "reasoning.text", text: "w" },
        { type: "reasoning.text", text: "hy" },
      ],
    },
    {
      reasoning_details: [
        { type: "reasoning.summary", summary: "why" },
        { type: "reasoning.encrypted", data: "x" },
      ],
    },
    { reasoning_content: "why", reasoning: "why", reasoning_details: [{ text: "why" }] },
    { reasoning_content: null, reasoning: "", reasoning_details: [{ text: "why" }] },
    { reasoning_content: "w", reasoning: "hy" },
  ])("is read from %j", (message) => {
    expect(reasoningOf(message)).toBe("why");
  });

  test.each([null, undefined, "why", 7, [], {}, { reasoning: null }, { reasoning: true }, { reasoning_details: {} }])(
    "is empty in %j",
    (message) => {
      expect(reasoningOf(message)).toBe("");
    },
  );

  test("never makes it throw", () => {
    const deep = JSON.parse(`${"[".repeat(100_000)}"x"${"]".repeat(100_000)}`) as unknown;
    expect(reasoningOf({ reasoning: deep })).toBe("");
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (reasoning_content, reasoning, reasoning_details) => {
        expect(typeof reasoningOf({ reasoning_content, reasoning, reasoning_details })).toBe("string");
      }),
    );
  });
});

describe("the reasoning of a stream", () => {
  const read = (deltas: readonly unknown[]) => {
    const reasoning = createReasoningDetails();
    return deltas.map((delta) => reasoning.next(delta));
  };
  const details = (text: string) => ({ reasoning_details: [{ text }] });

  test("comes as increments when the details hold what is new", () => {
    expect(read(["I ", "think", " ", "I ", "am"].map(details))).toEqual(["I ", "think", " ", "I ", "am"]);
  });

  test("comes as increments when the details hold all text so far", () => {
    expect(read(["I ", "I think", "I think", "I think so"].map(details))).toEqual(["I ", "think", "", " so"]);
  });

  test("keeps a token that comes twice at the beginning", () => {
    expect(read(["ha", "ha", "!"].map(details))).toEqual(["ha", "ha", "!"]);
  });

  test("does not repeat a plain field, even if the details come later and whole", () => {
    const deltas = [{ reasoning: "I " }, { reasoning: "am", ...details("am") }, {}, details("I am")];
    expect(read(deltas)).toEqual(["I ", "am", "", ""]);
  });

  test("is whole for any text that comes cumulatively", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 })), (pieces) => {
        const soFar = pieces.map((_, index) => pieces.slice(0, index + 1).join(""));
        expect(read(soFar.map(details)).join("")).toBe(pieces.join(""));
      }),
    );
  });

  test("is whole for increments, unless the second begins with all of the first", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 })), (pieces) => {
        fc.pre(!pieces[1]?.startsWith(pieces[0]!));
        expect(read(pieces.map(details)).join("")).toBe(pieces.join(""));
      }),
    );
  });
});
