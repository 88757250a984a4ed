import { expect, test } from "vitest";
import { comparedIn, interpolated, selectorsOf } from "./expressions.ts";

test("variables stand with and without braces, and unknown ones stay", () => {
  const text = `rate(x{job=~"$job",team=~"\${team}"}[$__rate_interval]) $other`;
  expect(interpolated(text, { job: "a|b", team: ".*", __rate_interval: "4s" })).toBe(
    'rate(x{job=~"a|b",team=~".*"}[4s]) $other',
  );
});

test("selectors are found with and without labels, and neither functions nor groupings nor text", () => {
  const expr =
    'sum by (le, model) (rate(a_bucket{x="b (c) {",y=~"d"}[5m])) / on (model) group_left (team) level:b:rate5m > 2 or vector(0) and c';
  expect(selectorsOf(expr)).toEqual(['a_bucket{x="b (c) {",y=~"d"}', "level:b:rate5m", "c"]);
});

test.each([
  ["a > 3", ["a"]],
  [
    'sum(rate(a[5m])) / sum(rate(b[5m])) > on () group_left () c{name="x > y"}',
    ["sum(rate(a[5m])) / sum(rate(b[5m]))", 'c{name="x > y"}'],
  ],
  ["(a > 1 and on (job) b == 0) unless c", ["a", "b", "c"]],
  ["a > bool 1 or (max by (x) (b) >= 5)", ["a", "max by (x) (b)"]],
  ['absent(up{job="gateway"} == 1)', ['up{job="gateway"} == 1']],
  ["count(a > 0) > 2", ["count(a > 0)"]],
  ["origin_total > 1", ["origin_total"]],
] as const)("what is compared in %s", (expr, parts) => {
  expect(comparedIn(expr).map((part) => part.trim())).toEqual(parts);
});
