import { spawnSync } from "node:child_process";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { writeLater } from "./write-later.ts";

test("what is written in one turn goes out at its end, in order, and what a write writes goes out in the next", async () => {
  const written: string[] = [];
  writeLater(() => {
    written.push("first");
    writeLater(() => written.push("third"));
  });
  writeLater(() => written.push("second"));
  expect(written).toEqual([]);
  await nextTurn();
  expect(written).toEqual(["first", "second"]);
  await nextTurn();
  expect(written).toEqual(["first", "second", "third"]);
});

test("F49 a write that throws keeps none of its turn from being written, and is told", () => {
  // In a process of its own: an error that nobody caught would be this one's.
  const script = `
import { writeLater } from ${JSON.stringify(new URL("./write-later.ts", import.meta.url))};
process.on("uncaughtException", ({ message }) => console.log(message));
for (const name of ["a", "b", "c"]) writeLater(() => { if (name === "b") throw new Error("broken b"); console.log(name); });
setTimeout(() => writeLater(() => console.log("d")), 20);`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(stdout.trim().split("\n")).toEqual(["a", "c", "broken b", "d"]);
});
