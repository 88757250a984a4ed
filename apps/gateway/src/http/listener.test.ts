import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Hono } from "hono";
import { afterEach, expect, test } from "vitest";
import { type Listener, listen } from "./listener.ts";

// Real time, since the timers are Node's own: short limits, and as much room above them as their checks need.
const timeouts = { readHeaderMs: 150, readBodyMs: 150, idleMs: 60_000 };
const loopback = { host: "127.0.0.1", port: 0 };

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(app = new Hono()): Promise<Listener> {
  app.onError((_error, c) => c.text("failed", 500));
  app.post("/echo", async (c) => c.text(await c.req.text()));
  const listener = await listen(app, loopback, { timeouts, maxConnections: Number.POSITIVE_INFINITY });
  open.push(listener);
  return listener;
}

async function dial(listener: Listener): Promise<{ socket: Socket; gone: Promise<string> }> {
  const socket = connect(listener.port, "127.0.0.1");
  open.push({ close: () => socket.destroy() });
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => {});
  const gone = new Promise<string>((resolve) => {
    socket.on("close", () => resolve(text));
  });
  await once(socket, "connect");
  return { socket, gone };
}

/** Sends a byte now and then, until the connection is gone. */
function trickle(socket: Socket, bytes: string): void {
  let next = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || next >= bytes.length) clearInterval(timer);
    else socket.write(bytes[next++]!);
  }, 20);
}

test("a head that trickles in is cut off with 408", async () => {
  const { socket, gone } = await dial(await start());
  const began = performance.now();
  trickle(socket, `GET / HTTP/1.1\r\nhost: x\r\nx-a: ${"a".repeat(500)}`);
  expect(await gone).toMatch(/^HTTP\/1\.1 408 .*"code":"request_timeout"/s);
  expect(performance.now() - began).toBeLessThan(1500);
});

test("a body that trickles in is cut off with 408, and nothing follows", async () => {
  const { socket, gone } = await dial(await start());
  socket.write("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n");
  trickle(socket, "b".repeat(500));
  const text = await gone;
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
});

test("a connection that says nothing at all is cut off", async () => {
  const { gone } = await dial(await start());
  expect(await gone).toMatch(/^(HTTP\/1\.1 408 |$)/);
});

test("junk behind a request does not overtake its answer", async () => {
  const app = new Hono();
  let answer = (): void => {};
  const asked = new Promise<void>((resolve) => {
    app.get("/slow", async (c) => {
      const answered = new Promise<void>((go) => {
        answer = go;
      });
      resolve();
      await answered;
      return c.text("the answer");
    });
  });
  const { socket, gone } = await dial(await start(app));
  socket.write("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n");
  await asked;
  socket.write("junk\r\n\r\n");
  await new Promise((resolve) => setImmediate(resolve));
  answer();
  const text = await gone;
  expect(text.indexOf("the answer")).toBeGreaterThan(0);
  expect(text.indexOf("HTTP/1.1 400")).toBeGreaterThan(text.indexOf("the answer"));
});

test("draining lets requests under way finish and takes no new connection", async () => {
  const app = new Hono();
  let answer = (): void => {};
  const asked = new Promise<void>((resolve) => {
    app.get("/slow", async (c) => {
      const answered = new Promise<void>((go) => {
        answer = go;
      });
      resolve();
      await answered;
      return c.text("the answer");
    });
  });
  const listener = await start(app);
  const { socket, gone } = await dial(listener);
  socket.write("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n");
  await asked;
  const drained = listener.drain(60_000);
  const late = connect(listener.port, "127.0.0.1");
  const [refused] = (await once(late, "error")) as [NodeJS.ErrnoException];
  expect(refused.code).toBe("ECONNREFUSED");
  answer();
  await drained;
  expect(await gone).toContain("the answer");
});

test("draining drops what is not over after its grace", async () => {
  const app = new Hono();
  const asked = new Promise<void>((resolve) => {
    app.get("/never", () => {
      resolve();
      return new Promise<Response>(() => {});
    });
  });
  const listener = await start(app);
  const { socket, gone } = await dial(listener);
  socket.write("GET /never HTTP/1.1\r\nhost: x\r\n\r\n");
  await asked;
  await listener.drain(50);
  expect(await gone).toBe("");
});

test("with many doors all are let in, a port that is taken is told as taken, and draining closes every one of them", async () => {
  const app = new Hono();
  app.get("/", (c) => c.text("in"));
  const options = { timeouts, maxConnections: 1000, doors: 8 };
  const listener = await listen(app, loopback, options);
  open.push(listener);
  const taken = { host: "127.0.0.1", port: listener.port };
  await expect(listen(app, taken, options)).rejects.toMatchObject({ code: "EADDRINUSE" });
  const clients = await Promise.all(Array.from({ length: 40 }, () => dial(listener)));
  for (const { socket } of clients) socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await expect.poll(() => listener.connections).toBe(40);
  await listener.drain(60_000);
  for (const { gone } of clients) expect(await gone).toMatch(/^HTTP\/1\.1 200 .*in$/s);
  const late = connect(listener.port, "127.0.0.1");
  const [refused] = (await once(late, "error")) as [NodeJS.ErrnoException];
  expect(refused.code).toBe("ECONNREFUSED");
});
