import { expect, test } from "vitest";
import { parseExpiry, parseMoment, parsePeriod } from "./moment.ts";

test.each([
  ["2027-01-31", "2027-01-31T00:00:00.000Z"],
  ["2028-02-29", "2028-02-29T00:00:00.000Z"],
  ["2027-01-31T18:00Z", "2027-01-31T18:00:00.000Z"],
  ["2027-01-31T18:00:30+02:00", "2027-01-31T16:00:30.000Z"],
  ["2027-01-31T18:00:00.5Z", "2027-01-31T18:00:00.500Z"],
])("%s is the moment %s", (text, iso) => {
  expect(new Date(parseMoment(text)!).toISOString()).toBe(iso);
});

test.each([
  "2027-02-29",
  "2027-13-01",
  "2027-1-1",
  "31.01.2027",
  "2027-01-31T18:00:00",
  "2027-01-31T25:00Z",
  "2027",
  "soon",
  "",
])("%j is no moment", (text) => {
  expect(parseMoment(text)).toBeUndefined();
});

test("a period is a whole number with a unit, of at most ten years", () => {
  expect(["45s", "30m", "12h", "90d", "2w"].map(parsePeriod)).toEqual([45e3, 18e5, 432e5, 7776e6, 12096e5]);
  expect(["0d", "1.5d", "-1d", "90", "d", "4000d", "1y", " 1d"].map(parsePeriod)).toEqual(Array(8).fill(undefined));
});

test("an expiry is either", () => {
  expect(parseExpiry("90d", 1000)).toBe(1000 + 7776e6);
  expect(parseExpiry("2027-01-31", 1000)).toBe(Date.UTC(2027, 0, 31));
  expect(parseExpiry("never", 1000)).toBeUndefined();
});
