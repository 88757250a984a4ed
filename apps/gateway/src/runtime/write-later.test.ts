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
