import { expect, test } from "vitest";
import { createSampler, newSpanId, newTraceId } from "./trace-ids.ts";

test("ids are hex digits, and none comes twice", () => {
  const traces = Array.from({ length: 2000 }, newTraceId);
  const spans = Array.from({ length: 2000 }, newSpanId);
  expect(new Set([...traces, ...spans]).size).toBe(4000);
  for (const id of traces) expect(id).toMatch(/^[0-9a-f]{32}$/);
  for (const id of spans) expect(id).toMatch(/^[0-9a-f]{16}$/);
});

test("so many are sampled as were asked for, and a larger share holds the smaller one", () => {
  const ids = Array.from({ length: 10_000 }, newTraceId);
  const tenth = ids.filter(createSampler(0.1));
  // Nine standard deviations.
  expect(Math.abs(tenth.length - 1000)).toBeLessThan(270);
  expect(tenth.every(createSampler(0.2))).toBe(true);
  expect(ids.some(createSampler(0))).toBe(false);
  expect(ids.every(createSampler(1))).toBe(true);
});

test("the last 56 bits decide, as they do for others that see the trace", () => {
  const [most, least] = ["ffffffffffffff", "00000000000000"];
  expect(createSampler(0.001)(`${"0".repeat(18)}${most}`)).toBe(true);
  expect(createSampler(0.999)(`${"f".repeat(18)}${least}`)).toBe(false);
});
