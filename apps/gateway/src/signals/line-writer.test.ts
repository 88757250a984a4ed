import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { createLineWriter } from "./line-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-lines-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("writes every line once, in order, in the background and at the end", async () => {
  const file = join(folder, "order");
  const fd = openSync(file, "w");
  const writer = createLineWriter({ fd, flushMs: 1 });
  const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${"é".repeat(i % 50)}\n`);
  for (const line of lines) writer.write(line);
  await vi.waitFor(() => expect(readFileSync(file, "utf8").length).toBeGreaterThan(0));
  for (const line of lines) writer.write(line);
  await writer.flush();
  expect(readFileSync(file, "utf8")).toBe(lines.join("").repeat(2));
  expect(writer.dropped).toBe(0);
  closeSync(fd);
});

test("drops and counts what a reader that is too slow would pile up", async () => {
  const fd = openSync(join(folder, "slow"), "w");
  const writer = createLineWriter({ fd, maxWaiting: 100 });
  for (let i = 0; i < 20; i++) writer.write("0123456789");
  expect(writer.dropped).toBe(10);
  await writer.flush();
  closeSync(fd);
});

test("lives on when the descriptor is not for writing", async () => {
  const fd = openSync("/dev/null", "r");
  const writer = createLineWriter({ fd, flushMs: 1 });
  writer.write("lost\n");
  await vi.waitFor(() => expect(writer.dropped).toBe(1));
  await writer.flush();
  closeSync(fd);
});
