import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readImage } from "../../bench/deploy/image.ts";
import { findTool, repository } from "../tools.ts";

const path = `${repository}deploy/systemd/signalbox.service`;
const lines = readFileSync(path, "utf8").split("\n");
const of = (name: string): string[] =>
  lines.flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));

test("the unit runs what the image runs, from another folder", () => {
  const [, main, ...words] = readImage().start;
  expect(of("ExecStart")).toEqual([`/usr/bin/node ${main!.replace("/app/", "/opt/signalbox/")} ${words.join(" ")}`]);
  expect(of("ExecReload")[0]).toContain("-HUP");
  const { NODE_OPTIONS, NODE_ENV } = readImage().env;
  expect(of("Environment")).toEqual(expect.arrayContaining([`NODE_OPTIONS=${NODE_OPTIONS}`, `NODE_ENV=${NODE_ENV}`]));
});

test("it may do little, in bounds, and is waited for as long as the defaults drain", () => {
  for (const [name, value] of [
    ["DynamicUser", "yes"],
    ["NoNewPrivileges", "yes"],
    ["ProtectSystem", "strict"],
    ["CapabilityBoundingSet", ""],
    ["UMask", "0077"],
    ["MemoryMax", "512M"],
  ] as const)
    expect(of(name), name).toEqual([value]);
  expect(Number.parseInt(of("TimeoutStopSec")[0]!, 10)).toBeGreaterThan(5 + 30);
});

const analyze = findTool("systemd-analyze");
test.skipIf(analyze === undefined)(
  `systemd finds it well guarded${analyze === undefined ? ": systemd-analyze is missing" : ""}`,
  () => {
    // In tenths of its measure, on which a unit without any restriction has 9.6 of 10.
    const words = ["security", "--offline=true", "--threshold=20", path];
    expect(execFileSync(analyze!, words, { stdio: "pipe" }).toString()).toContain("Overall exposure level");
  },
);
