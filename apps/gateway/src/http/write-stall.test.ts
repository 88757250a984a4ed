import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { watchWriteStall } from "./write-stall.ts";

const STALL_MS = 500;

/** A server that has more to say than any buffer holds, under the watch, and a client that has asked it. */
async function startFlood(): Promise<{ client: Socket; outgoing: ServerResponse; unwatch: () => void }> {
  const server = createServer({ keepAliveTimeout: 60_000 });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1").pause();
  client.on("error", () => {});
  onTestFinished(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const [, outgoing] = (await once(server, "request")) as [unknown, ServerResponse];
  outgoing.write(Buffer.alloc(64_000_000));
  return { client, outgoing, unwatch: watchWriteStall(outgoing, STALL_MS) };
}

async function closedAfter(outgoing: ServerResponse): Promise<number> {
  const began = performance.now();
  await once(outgoing, "close");
  return performance.now() - began;
}

test("a client that takes nothing is let go at the limit", async () => {
  const { outgoing } = await startFlood();
  const ms = await closedAfter(outgoing);
  expect(ms).toBeGreaterThan(STALL_MS * 0.8);
  expect(ms).toBeLessThan(STALL_MS * 1.7);
});

test("a client that took something early in it is let go one limit later, not two", async () => {
  const { client, outgoing } = await startFlood();
  await sleep(STALL_MS / 5);
  client.read(1);
  client.resume();
  await once(client, "data");
  client.pause();
  const ms = await closedAfter(outgoing);
  expect(ms).toBeGreaterThan(STALL_MS * 0.7);
  expect(ms).toBeLessThan(STALL_MS * 1.7);
});

test("a client that takes some now and then is never let go, and an ended watch lets nobody go", async () => {
  const { client, outgoing, unwatch } = await startFlood();
  for (let i = 0; i < 8; i++) {
    await sleep(STALL_MS / 4);
    client.resume();
    await sleep(10);
    client.pause();
  }
  expect(outgoing.destroyed).toBe(false);
  unwatch();
  await sleep(STALL_MS * 1.5);
  expect(outgoing.destroyed).toBe(false);
});
