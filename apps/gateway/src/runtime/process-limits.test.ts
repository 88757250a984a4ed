import { expect, test } from "vitest";
import { openAtMost } from "../http/connections.ts";
import { bodyMemory, descriptorLimit, socketsWithin } from "./process-limits.ts";

test.each([64, 128, 256, 1024, 4096, 20_000])(
  "what is open at most fits into %i descriptors, with some to spare",
  (limit) => {
    const sockets = socketsWithin(limit);
    expect(openAtMost(sockets) + sockets).toBeLessThanOrEqual(limit - 36);
    expect(sockets).toBeGreaterThanOrEqual(limit / 10);
  },
);

test("a system without a limit still has one", () => {
  expect(socketsWithin(Number.POSITIVE_INFINITY)).toBe(16_384);
});

test("what this process may open, and what bodies may take of its memory, is known", () => {
  expect(descriptorLimit()).toBeGreaterThan(60);
  expect(bodyMemory()).toBeGreaterThan(8 * 1024 * 1024);
});
