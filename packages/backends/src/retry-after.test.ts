import { expect, test } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

const now = Date.UTC(2026, 10, 21, 7, 28, 0);

test.each([
  ["whole seconds", { "retry-after": "2" }, 2000],
  ["parts of a second", { "retry-after": "0.5" }, 500],
  ["a date", { "retry-after": "Sat, 21 Nov 2026 07:28:30 GMT" }, 30_000],
  [
    "a date, by the server's own clock",
    { "retry-after": "Sat, 21 Nov 2026 09:00:10 GMT", date: "Sat, 21 Nov 2026 09:00:00 GMT" },
    10_000,
  ],
  ["a date that is over", { "retry-after": "Sat, 21 Nov 2026 07:00:00 GMT" }, 0],
  ["milliseconds before seconds", { "retry-after-ms": "1250", "retry-after": "2" }, 1250],
  ["the first of several", { "retry-after": ["3", "9"] }, 3000],
  ["at most a day", { "retry-after": "99999999" }, 86_400_000],
])("reads %s", (_what, headers, expected) => {
  expect(retryAfterMs(503, headers, now)).toBe(expected);
});

test.each([
  [
    "the limit that is used up",
    { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m6.5s", "x-ratelimit-reset-tokens": "9h" },
    66_500,
  ],
  [
    "the longest when none says that it is used up",
    { "x-ratelimit-reset-requests": "20ms", "x-ratelimit-reset-tokens": "6m0s" },
    360_000,
  ],
  ["Unix seconds", { "x-ratelimit-reset": String(now / 1000 + 5) }, 5000],
  ["Unix milliseconds", { "x-ratelimit-reset": String(now + 5000) }, 5000],
  ["an ISO date", { "x-ratelimit-reset-requests": "2026-11-21T07:28:03Z" }, 3000],
  ["plain seconds", { "x-ratelimit-reset-tokens": "1.5" }, 1500],
  ["retry-after before them", { "retry-after": "1", "x-ratelimit-reset-requests": "9h" }, 1000],
])("takes from the rate limit headers of a 429 %s", (_what, headers, expected) => {
  expect(retryAfterMs(429, headers, now)).toBe(expected);
});

test("rate limit headers on anything but a 429 say nothing about now", () => {
  expect(retryAfterMs(503, { "x-ratelimit-reset-requests": "6m0s" }, now)).toBeUndefined();
});

test.each([
  "",
  "soon",
  "-5",
  "5x",
  "NaN",
  "1e9",
  "Infinity",
  "1s2",
  "s",
  "Sat,",
  "9".repeat(10_000),
  "1m".repeat(10_000),
])("does not take %j for a time", (value) => {
  const headers = { "retry-after": value, "retry-after-ms": value, "x-ratelimit-reset": value };
  expect(retryAfterMs(429, headers, now)).toBeUndefined();
});
