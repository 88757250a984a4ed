import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { demo } from "../cli/demo.ts";
import { explain } from "../cli/explain.ts";
import { defaultTargets } from "./scan-engines.ts";

const text = await readFile(new URL("../../../../docs/engines.md", import.meta.url), "utf8");

test("docs/engines.md names the ports that a scan looks at", () => {
  const [, listed = ""] = /looks at ports ([\d, and]+) of this host/.exec(text.replaceAll("\n", " ")) ?? [];
  const ports = (listed.match(/\d+/g) ?? []).map((port) => `http://127.0.0.1:${port}`);
  expect(ports.sort()).toEqual(defaultTargets().sort());
});

test("docs/engines.md has the options of demo and explain, all and no others", () => {
  const section = (title: string): string => text.split("\n## ").find((part) => part.startsWith(title))!;
  const options = (part: string): string[] => [...new Set(part.match(/--[a-z][a-z-]+/g))].sort();
  expect(options(section("Try it without an engine"))).toEqual(options(demo.usage));
  expect(options(section("Ask where a request would go"))).toEqual(options(explain.usage));
});
