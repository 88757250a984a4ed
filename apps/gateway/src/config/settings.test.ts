import { expect, test } from "vitest";
import { z } from "zod";
import { address, count, duration, oneOf, percent, rates, section } from "./fields.ts";
import { settingsOf } from "./settings.ts";
import { settingsDoc, settingsTable } from "./settings-doc.ts";

/** The rows of some keys, as `path | value | default`. */
function rowsOf(shape: z.ZodRawShape): string[] {
  return settingsOf(section(shape)).map(({ path, value, fallback }) => `${path} | ${value} | ${fallback}`);
}

test("a default is told as it is written in a file, with its unit", () => {
  expect(
    rowsOf({
      wait: duration().prefault("30s"),
      share: percent().optional(),
      slots: count().prefault(4),
      on: z.boolean().default(false),
      needed: address(),
      extra: z.array(z.string()).default([]),
    }),
  ).toEqual([
    "wait | duration | `30s`",
    "share | percentage | -",
    "slots | count | `4`",
    "on | true, false | `false`",
    "needed | address | required",
    "extra | list | -",
  ]);
});

test("a value that may have several forms has them all, words with their words, and a note instead where there is one", () => {
  expect(
    rowsOf({
      rates: rates().optional(),
      stop: z.union([z.string(), z.array(z.string())]).optional(),
      log: oneOf(["json", "pretty"]).default("json"),
      all: z.array(oneOf(["a", "b"])),
      near: z.array(address()).meta({ value: "list of addresses" }).optional(),
      any: z.record(z.string(), z.string()),
    }),
  ).toEqual([
    "rates | rate or list | -",
    "stop | text or list | -",
    "log | `json`, `pretty` | `json`",
    "all | list of `a`, `b` | required",
    "near | list of addresses | -",
    "any | mapping | required",
  ]);
});

test("a mapping with known keys is told by its keys, wherever it stands", () => {
  const inner = () => section({ size: z.int().describe("How much.") });
  expect(
    rowsOf({
      one: inner().prefault({ size: 1 }),
      some: z.array(inner()),
      named: z.record(z.string(), inner()),
      either: z.union([z.string(), inner()]),
    }),
  ).toEqual([
    "one.size | whole number | required",
    "some[].size | whole number | required",
    "named.<name>.size | whole number | required",
    "either | text or mapping | required",
    "either.size | whole number | required",
  ]);
});

test("a row of the table keeps what would end a cell", () => {
  const table = settingsTable([{ path: "a", value: "text", fallback: "-", meaning: "This | that." }]);
  expect(table.split("\n")).toEqual([
    "| Key | Value | Default | Meaning |",
    "|---|---|---|---|",
    "| `a` | text | - | This \\| that. |",
  ]);
});

test("a page without the marks of a key, or with marks of none, is refused", () => {
  expect(() => settingsDoc("# Configuration\n")).toThrow("no table of version, server");
  expect(() => settingsDoc("<!-- settings: sever -->\n<!-- /settings -->")).toThrow("sever, which is no key");
});
