import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
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

test("a full disk loses lines, counted one by one", async () => {
  const fd = openSync("/dev/full", "w");
  const writer = createLineWriter({ fd, flushMs: 1 });
  for (let i = 0; i < 7; i++) writer.write("lost\n");
  await writer.flush();
  expect(writer.dropped).toBe(7);
  closeSync(fd);
});

test("a pipe that is read late loses nothing within its bounds, and counts what is beyond them", async () => {
  const file = join(folder, "pipe");
  execFileSync("sh", ["-c", `mkfifo "$0"`, file]);
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(file, constants.O_WRONLY);
  const writer = createLineWriter({ fd, flushMs: 1, maxWaiting: 200_000 });
  let written = 0;
  for (let i = 0; i < 50; i++) {
    for (let j = 0; j < 500; j++) writer.write(`${String(written++).padStart(19)}\n`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(writer.dropped).toBeGreaterThan(0);
  const dropped = writer.dropped;
  const buffer = Buffer.alloc(1 << 20);
  let text = "";
  const flushed = writer.flush();
  const reading = setInterval(() => {
    try {
      text += buffer.toString("utf8", 0, readSync(reader, buffer));
    } catch {
      // Nothing there.
    }
  }, 5);
  await flushed;
  await vi.waitFor(() => expect(text.split("\n").length - 1).toBe(written - dropped));
  clearInterval(reading);
  expect(text.split("\n").every((line) => line === "" || /^ *\d+$/.test(line))).toBe(true);
  expect(writer.dropped).toBe(dropped);
  closeSync(fd);
  closeSync(reader);
});

test("a socket takes lines, too, and one whose reader is gone loses them", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect(join(folder, "socket"));
  const reader = await accepted;
  let text = "";
  reader.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const { fd } = (client as unknown as { _handle: { fd: number } })._handle;
  const writer = createLineWriter({ fd, flushMs: 1 });
  writer.write("one\n");
  await vi.waitFor(() => expect(text).toBe("one\n"));
  reader.destroy();
  await vi.waitFor(() => {
    writer.write("two\n");
    expect(writer.dropped).toBeGreaterThan(0);
  });
  server.close();
});
