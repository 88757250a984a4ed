import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { overrides, unfitReasons } from "./backend-state.ts";
import { breakerDefaults } from "./breaker.ts";
import { defaultThresholds } from "./classifier.ts";
import { strategyNames } from "./strategies.ts";

const text = readFileSync(new URL("../../../docs/routing.md", import.meta.url), "utf8");

/** The cells of the table under the header row that begins with `| first |`. */
function tableOf(first: string): string[][] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${first} |`));
  expect(start).toBeGreaterThan(0);
  const rows = lines.slice(start + 2);
  return rows.slice(0, rows.indexOf("")).map((row) =>
    row
      .split("|")
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

test("docs/routing.md has a row for every strategy, in the registry's order", () => {
  expect(tableOf("strategy").map(([name]) => name)).toEqual(strategyNames.map((name) => `\`${name}\``));
});

test("docs/routing.md has a row for every key of a condition", () => {
  const keys = [
    "team",
    "model",
    "complexity",
    "tokens",
    "has_tools",
    "has_images",
    "json_schema",
    "header.x-name",
    "any",
    "not",
  ];
  expect(tableOf("key").map(([name]) => name)).toEqual(keys.map((name) => `\`${name}\``));
});

test("docs/routing.md has a row for every reason not to try a backend, and for every way to set one by hand", () => {
  const named = tableOf("reason").flatMap(([name]) => [...name!.matchAll(/`(\w+)`/g)].map(([, word]) => word));
  expect(named).toEqual(unfitReasons);
  expect(tableOf("action").map(([name]) => name)).toEqual(overrides.map((name) => `\`${name}\``));
});

test("docs/routing.md gives the breaker's numbers and the classifier's thresholds", () => {
  const values = tableOf("breaker").map(([, value]) => value!);
  const { consecutiveFailures, failureShare, minimumOutcomes, backoffMs, maxBackoffMs, jitter } = breakerDefaults;
  expect(values.slice(0, 3)).toEqual([
    `${consecutiveFailures}`,
    `${failureShare * 100} % of at least ${minimumOutcomes}`,
    `${backoffMs / 1000} s`,
  ]);
  expect(values[3]).toMatch(new RegExp(`^${maxBackoffMs / 1000} s,`));
  expect(values[4]).toBe(`${jitter * 100} %`);
  expect(values[6]).toBe(`${breakerDefaults.probeDeadlineMs / 1000} s`);
  expect(values[7]).toContain(`after ${breakerDefaults.rampStepMs / 1000} s without a failure`);
  expect(text).toContain(
    `from ${defaultThresholds.moderate} on a request is \`moderate\`, from ${defaultThresholds.complex} on \`complex\``,
  );
});
