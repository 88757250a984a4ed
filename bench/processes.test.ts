import { once } from "node:events";
import { expect, test } from "vitest";
import { accepts, cpuMicroseconds, freePort, parseStat, residentBytes, start, stop } from "./processes.ts";

const onLinux = process.platform === "linux";

test("CPU time is found behind a program name with spaces and parentheses", () => {
  const line = "42 (a (b) c) S 7 42 42 0 -1 4194560 900 0 0 0 150 25 3 4 20 0 11 0 1000 2000 300";
  expect(parseStat(line)).toEqual({ parent: 7, cpu: 1_750_000 });
});

test.skipIf(!onLinux)("CPU time and memory of a process include its children", async () => {
  // The parent only starts the child; the child burns 200 ms of CPU and holds 100 MB before it says so.
  const child = `
    const held = Buffer.alloc(100_000_000, 1);
    while (process.cpuUsage().user < 200_000);
    console.log(held.length);
    setInterval(() => held, 1000);`;
  const parent = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "inherit" })`;
  const started = start("others", [process.execPath, "-e", parent], ["ignore", "pipe", "inherit"]);
  await once(started.stdout!, "data");
  expect(cpuMicroseconds(started.pid!)).toBeGreaterThan(200_000);
  expect(residentBytes(started.pid!)).toBeGreaterThan(100_000_000);
  await stop(started);
  expect(() => cpuMicroseconds(started.pid!)).toThrow("has ended");
});

test("a free port accepts nobody", async () => {
  expect(await accepts(await freePort())).toBe(false);
});
