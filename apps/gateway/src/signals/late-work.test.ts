import { expect, test } from "vitest";
import { LateWork } from "./late-work.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("does a piece in each turn of the event loop, in order, and what is left when it is to finish", async () => {
  const late = new LateWork();
  const done: number[] = [];
  for (let i = 0; i < 5; i++) expect(late.add(1, () => done.push(i))).toBe(true);
  expect(done).toEqual([]);
  await turn();
  expect(done.length).toBeLessThanOrEqual(2);
  late.finish();
  expect(done).toEqual([0, 1, 2, 3, 4]);
  await turn();
  expect(late.add(1, () => done.push(5))).toBe(true);
  await turn();
  await turn();
  expect(done).toEqual([0, 1, 2, 3, 4, 5]);
});

test("takes no more than it has room for, in pieces and in bytes", () => {
  const late = new LateWork();
  const mebibyte = 1024 * 1024;
  expect(late.add(100 * mebibyte, () => {})).toBe(true);
  expect(late.add(1, () => {})).toBe(false);
  late.finish();
  expect(Array.from({ length: 20 }, () => late.add(mebibyte, () => {})).filter(Boolean)).toHaveLength(16);
  late.finish();
  expect(Array.from({ length: 80 }, () => late.add(1, () => {})).filter(Boolean)).toHaveLength(64);
});
