import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { inPortions } from "./in-portions.ts";

test("a crowd is worked on in its order, a few in each turn of the event loop", async () => {
  const done: number[] = [];
  for (let number = 0; number < 1000; number++) inPortions(() => done.push(number));
  let most = 0;
  while (done.length < 1000) {
    const before = done.length;
    await turn();
    most = Math.max(most, done.length - before);
  }
  expect(done).toEqual(Array.from({ length: 1000 }, (_, number) => number));
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(100);
});

test("one alone is worked on in the same turn, and may ask for more", async () => {
  const done: string[] = [];
  inPortions(() => {
    done.push("first");
    inPortions(() => done.push("second"));
  });
  await turn();
  expect(done).toContain("first");
  await turn();
  expect(done).toEqual(["first", "second"]);
});
