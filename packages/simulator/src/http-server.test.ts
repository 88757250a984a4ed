import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type ConnectionRules, type Exchange, type HttpListener, listenHttp } from "./http-server.ts";
import { rawRequest } from "./test-client.ts";

const listeners: HttpListener[] = [];
afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close()));
});

const echo = (exchange: Exchange): void => {
  const { method, path, query, body } = exchange.request;
  const text = `${method} ${path} ${query} ${body.toString()}`;
  exchange.send(`HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`, text);
};

async function listen(rules: Partial<ConnectionRules> = {}, handler = echo): Promise<number> {
  const listener = await listenHttp("127.0.0.1", 0, { idleMs: 0, maxRequests: 0, ...rules }, handler);
  listeners.push(listener);
  return listener.port;
}

/** Writes parts one after the other and gives all that came until the other side closed. */
function talk(port: number, parts: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.on("close", () => resolve(text));
    const next = (index: number): void => {
      const part = parts[index];
      if (part !== undefined) socket.write(part, () => setImmediate(() => next(index + 1)));
    };
    next(0);
  });
}

test("a request is read however it is cut, its body by length or by chunks", async () => {
  const port = await listen();
  const sized = "POST /a?b=c HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody";
  expect(await talk(port, [...sized])).toContain("POST /a b=c body");
  const chunked =
    "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n";
  expect(await talk(port, [...chunked])).toContain("POST /a  body");
});

test("requests in one packet are answered in order", async () => {
  const port = await listen();
  const text = await talk(port, ["GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nconnection: close\r\n\r\n"]);
  expect(text.indexOf("GET /1")).toBeLessThan(text.indexOf("GET /2"));
});

test("an idle connection is closed, a busy one is not", async () => {
  const port = await listen({ idleMs: 20 });
  expect(await talk(port, ["GET / HTTP/1.1\r\n\r\n"])).toContain("200 OK");
  const slow = await listen({ idleMs: 20 }, (exchange) => void setTimeout(() => echo(exchange), 100));
  expect((await rawRequest(slow, { path: "/late" })).body.toString()).toContain("GET /late");
});

test("what is no request is a 400", async () => {
  const port = await listen();
  expect(await talk(port, ["NONSENSE\r\n\r\n"])).toMatch(/^HTTP\/1\.1 400/);
  expect(await talk(port, ["POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"])).toMatch(/^HTTP\/1\.1 400/);
});

test("a client that leaves aborts its exchange, once", async () => {
  let aborts = 0;
  const left = new Promise<void>((resolve) => {
    void listen({}, (exchange) =>
      exchange.onAbort(() => {
        aborts += 1;
        resolve();
      }),
    ).then((port) => rawRequest(port, { waitMs: 10 }));
  });
  await left;
  expect(aborts).toBe(1);
});
