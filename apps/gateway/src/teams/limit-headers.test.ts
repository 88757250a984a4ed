import { expect, test } from "vitest";
import { formatReset, pushLimitHeaders } from "./limit-headers.ts";

test("headers are OpenAI's, and none for what is not limited", () => {
  const headers: string[] = [];
  pushLimitHeaders(headers, {
    requests: { limit: 600, remaining: 599, resetMs: 60_100 },
    tokens: { limit: 200_000, remaining: 199_500, resetMs: 3_600_000 },
  });
  expect(headers).toEqual([
    ...["x-ratelimit-limit-requests", "600", "x-ratelimit-remaining-requests", "599"],
    ...["x-ratelimit-reset-requests", "1m0.1s"],
    ...["x-ratelimit-limit-tokens", "200000", "x-ratelimit-remaining-tokens", "199500"],
    ...["x-ratelimit-reset-tokens", "1h0m0s"],
  ]);
  const none: string[] = [];
  pushLimitHeaders(none, {});
  expect(none).toEqual([]);
});

test.each([
  [0, "0ms"],
  [20, "20ms"],
  [1000, "1s"],
  [8640, "8.64s"],
  [360_000, "6m0s"],
  [3_603_000, "1h0m3s"],
])("%d ms is written %s", (ms, text) => {
  expect(formatReset(ms)).toBe(text);
});
