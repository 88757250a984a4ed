import { expect, test } from "vitest";
import { createStory, type Story } from "../request-path/story.ts";
import { createRequestLog } from "./request-log.ts";

function lineOf(change: (story: Story) => void): { line: string; facts: Record<string, unknown> } {
  const lines: string[] = [];
  const writer = { write: (line: string) => lines.push(line), flush: async () => {}, dropped: 0, isBehind: false };
  const story = createStory("id-1", "chat_completions");
  change(story);
  createRequestLog({ form: "json", writer }).request(story);
  expect(lines).toHaveLength(1);
  const line = lines[0]!;
  expect(line.endsWith("\n")).toBe(true);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
  expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f]/);
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4096);
  return { line, facts: JSON.parse(line) as Record<string, unknown> };
}

test.each([
  ["plain", "m".repeat(1_000_000), "m".repeat(256)],
  ["of three bytes each", "漢".repeat(1000), "漢".repeat(85)],
  ["of four bytes each", "😀".repeat(1000), "😀".repeat(64)],
  ["control characters", "\u0000\r\n\u001b".repeat(1000), "\u0000\r\n\u001b".repeat(64)],
])("F70 a client's text is cut to 256 bytes: %s", (_, asked, kept) => {
  const { facts } = lineOf((story) => {
    story.asked = asked;
  });
  expect(facts.asked).toBe(kept);
});

test("S20 a line of a request that was tried in vain everywhere is no longer than 4 KB, whatever it holds", () => {
  const ugly = "\u0000\u001b漢".repeat(2000);
  const { facts } = lineOf((story) => {
    story.asked = ugly;
    story.fault = ugly;
    story.status = 502;
    story.code = "upstream_failed";
    story.reasons = Array.from({ length: 40 }, (_, i) => `a long reason of some kind, number ${i}`);
    story.attempts = 3;
    story.records = Array.from({ length: 200 }, (_, i) => {
      return {
        backend: `backend-${i}`.padEnd(64, "b"),
        model: "m".repeat(128),
        outcome: "skipped",
        cause: "down",
        ms: 1,
      };
    });
  });
  expect(facts).toMatchObject({ event: "request", status: 502, code: "upstream_failed", attempts: 3, cut: true });
  const short = lineOf((story) => {
    story.records = [{ backend: "a", model: "m", outcome: "failed", cause: "reset", ms: 1.234 }];
  });
  expect(short.facts.tried).toEqual([{ backend: "a", model: "m", outcome: "failed", cause: "reset", ms: 1.23 }]);
  expect(short.facts.cut).toBeUndefined();
});
