import { expect, test } from "vitest";
import {
  isLoopback,
  likelyUnit,
  parseAddress,
  parseBudget,
  parseCount,
  parseDays,
  parseDuration,
  parsePercent,
  parsePrice,
  parseRate,
  parseSize,
  type Unit,
} from "./units.ts";

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["1.5m", 90_000],
  ["2h", 7_200_000],
  ["0s", 0],
])("%s is %d milliseconds", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["30", "s", "-1s", "30 s", "30sec", "1d", "1e3s", "", "9999h", "NaNs", "Infinitys"])(
  "«%s» is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test.each([
  ["512", 512],
  ["2k", 2000],
  ["1.5k", 1500],
  ["196k", 196_000],
  ["50M", 50_000_000],
  ["2G", 2_000_000_000],
])("%s is the count %d", (text, count) => {
  expect(parseCount(text)).toBe(count);
});

test.each(["", "k", "1.5", "1.0001k", "-2k", "2K", "2 k", "0x10", "9007199254740993", "1e3"])(
  "«%s» is no count",
  (text) => {
    expect(parseCount(text)).toBeUndefined();
  },
);

test("rates are a count in a window", () => {
  expect(parseRate("600/min")).toEqual({ limit: 600, windowMs: 60_000 });
  expect(parseRate("200k / min")).toEqual({ limit: 200_000, windowMs: 60_000 });
  expect(parseRate("5/s")).toEqual({ limit: 5, windowMs: 1000 });
  expect(parseRate("1000/hour")).toEqual({ limit: 1000, windowMs: 3_600_000 });
  expect(parseRate("1M/day")).toEqual({ limit: 1_000_000, windowMs: 86_400_000 });
  for (const text of ["600", "600/m", "/min", "600/month", "600//min", "-1/s"]) expect(parseRate(text)).toBeUndefined();
});

test("prices are held as whole numbers, however small", () => {
  expect(parsePrice("0.2/M")).toEqual({ nano: 200, rest: 0 });
  expect(parsePrice("1.1/M")).toEqual({ nano: 1100, rest: 0 });
  expect(parsePrice("0.0002 / k")).toEqual({ nano: 200, rest: 0 });
  expect(parsePrice("0.0001/M")).toEqual({ nano: 0, rest: 100_000 });
  expect(parsePrice("0.123456789/M")).toEqual({ nano: 123, rest: 456_789 });
  expect(parsePrice("1000000/M")).toEqual({ nano: 1e9, rest: 0 });
  for (const text of ["0.2", "0.2/m", "-1/M", "1e3/M", "1000001/M", "0.0000000001/M", "/M", "0.2/G"])
    expect(parsePrice(text)).toBeUndefined();
});

test("budgets are an amount in a period, in the smallest unit asked for", () => {
  expect(parseBudget("50M/month", 0)).toEqual({ amount: 50_000_000, every: "month" });
  expect(parseBudget("12.5/day", 9)).toEqual({ amount: 12_500_000_000, every: "day" });
  expect(parseBudget("36k / week", 3)).toEqual({ amount: 36_000_000, every: "week" });
  for (const text of ["50M", "50M/min", "50M/year", "0.5/day", "9007199254740993/day", "1e3/day"])
    expect(parseBudget(text, 0)).toBeUndefined();
  expect([parseDays("7d"), parseDays("0d"), parseDays("9999d"), parseDays("7")]).toEqual([7, 0, undefined, undefined]);
});

test("percentages, sizes and addresses", () => {
  expect([parsePercent("20%"), parsePercent("0%"), parsePercent("100%"), parsePercent("0.5 %")]).toEqual([
    0.2, 0, 1, 0.005,
  ]);
  expect([parsePercent("101%"), parsePercent("20"), parsePercent("-1%")]).toEqual([undefined, undefined, undefined]);
  expect([parseSize("8MiB"), parseSize("1MB"), parseSize("512KiB"), parseSize("5B")]).toEqual([
    8_388_608, 1e6, 524_288, 5,
  ]);
  expect([parseSize("8"), parseSize("8mb"), parseSize("8 MiB")]).toEqual([undefined, undefined, undefined]);
  expect(parseAddress("127.0.0.1:0")).toEqual({ host: "127.0.0.1", port: 0 });
  expect(parseAddress("[::1]:65535")).toEqual({ host: "::1", port: 65_535 });
  for (const text of ["8080", ":8080", "a:65536", "http://a:1", "::1:80", "a b:1"])
    expect(parseAddress(text)).toBeUndefined();
});

test.each([
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["::1", true],
  ["LOCALHOST", true],
  ["::ffff:127.0.0.1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["127.0.0.1.example.com", false],
  ["localhost.example.com", false],
  ["10.0.0.1", false],
])("%s is only this machine: %s", (host, answer) => {
  expect(isLoopback(host)).toBe(answer);
});

test.each<[Unit, string, string]>([
  ["duration", "30", "30s"],
  ["duration", "30 s", "30s"],
  ["duration", "10min", "10m"],
  ["duration", "2 hours", "2h"],
  ["count", "196K", "196k"],
  ["count", "1,000", "1000"],
  ["rate", "600/m", "600/min"],
  ["rate", "600", "600/min"],
  ["rate", "5/sec", "5/s"],
  ["price", "0.2", "0.2/M"],
  ["price", "$0.2/million", "0.2/M"],
  ["price", "0.2/1k", "0.2/k"],
  ["budget", "300", "300/month"],
  ["budget", "$300/mo", "300/month"],
  ["budget", "36K/w", "36k/week"],
  ["days", "92", "92d"],
  ["days", "2w", "14d"],
  ["percent", "20", "20%"],
  ["percent", "0.2", "20%"],
  ["size", "8mb", "8MB"],
  ["size", "8M", "8MiB"],
  ["address", "8080", "127.0.0.1:8080"],
  ["address", ":8080", "0.0.0.0:8080"],
  ["address", "http://localhost:8080/", "localhost:8080"],
])("for a %s, «%s» was probably meant as «%s»", (unit, text, meant) => {
  expect(likelyUnit(unit, text)).toBe(meant);
});

test("has no idea where there is none", () => {
  expect(likelyUnit("duration", "soon")).toBeUndefined();
  expect(likelyUnit("rate", "often")).toBeUndefined();
});
