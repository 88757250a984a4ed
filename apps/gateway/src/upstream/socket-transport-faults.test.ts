import { once } from "node:events";
import type { Socket } from "node:net";
import type { Transport, TransportExchange, TransportResponse } from "@signalbox/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ALARM_TICK_MS } from "./alarm.ts";
import {
  type Backend,
  closed,
  connect,
  fault,
  listen,
  OK,
  post,
  rest,
  text,
  until,
} from "./socket-transport-test-backend.ts";

describe("a fault", () => {
  const answers: readonly [what: string, answer: (socket: Socket) => void, fault: string][] = [
    ["a close in place of an answer", (socket) => socket.end(), "reset"],
    ["a reset in place of an answer", (socket) => socket.resetAndDestroy(), "reset"],
    ["a close inside the head", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-"), "reset"],
    ["a close behind an interim response", (socket) => socket.end("HTTP/1.1 100 Continue\r\n\r\n"), "reset"],
    ["an answer that is not HTTP", (socket) => socket.write("+PONG\r\n"), "malformed"],
    [
      "two lengths",
      (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
      "malformed",
    ],
  ];
  for (const [what, answer, expected] of answers) {
    test(`is ${expected}: ${what}`, async () => {
      const backend = await listen(answer);
      const error = await fault(connect(backend.url).open(post).response);
      expect(error).toMatchObject({ name: "TransportError", fault: expected, message: expect.stringMatching(/^b: /) });
      await closed(backend.sockets[0]!);
    });
  }

  const bodies: readonly [what: string, head: string, end: (socket: Socket) => void][] = [
    ["a close inside a body of known length", "content-length: 10", (socket) => socket.end()],
    ["a reset inside a body of known length", "content-length: 10", (socket) => socket.resetAndDestroy()],
    ["a close inside a chunk", "transfer-encoding: chunked", (socket) => socket.end("9\r\nabc")],
    ["a close before the last chunk", "transfer-encoding: chunked", (socket) => socket.end("3\r\nabc\r\n")],
    ["a reset of a body without length", "x-a: 1", (socket) => socket.resetAndDestroy()],
  ];
  for (const [what, head, end] of bodies) {
    test(`is cut: ${what}`, async () => {
      const backend = await listen((socket) => socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`));
      const response = await connect(backend.url).open(post).response;
      end(backend.sockets[0]!);
      expect(await fault(rest(response))).toMatchObject({
        fault: "cut",
        message: expect.stringMatching(/^b: .*inside the reply/),
      });
      expect(await fault(response.read())).toMatchObject({ fault: "cut" });
    });
  }

  test("is malformed inside a body, after the good part of it", async () => {
    const backend = await listen((socket) =>
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"),
    );
    const response = await connect(backend.url).open(post).response;
    expect(String(await response.read())).toBe("abc");
    expect(await fault(response.read())).toMatchObject({ fault: "malformed" });
  });

  test("is none where a body without length ends with the connection", async () => {
    const backend = await listen((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it"));
    expect(await text(connect(backend.url).open(post))).toBe("all of it");
  });

  test("is connect when nobody listens, by address and by name", async () => {
    const backend = await listen(() => {});
    backend.server.close();
    await once(backend.server, "close");
    for (const host of ["127.0.0.1", "localhost"]) {
      const error = await fault(connect(new URL(`http://${host}:${backend.url.port}`)).open(post).response);
      expect(error).toMatchObject({ fault: "connect", message: "b: connect failed (ECONNREFUSED)" });
    }
  });

  test("is connect when the name is unknown", async () => {
    const error = await fault(connect(new URL("http://nobody.invalid")).open(post).response);
    expect(error).toMatchObject({
      fault: "connect",
      message: expect.stringMatching(/^b: connect failed \((ENOTFOUND|EAI_AGAIN)\)$/),
    });
  });

  test("is connect, in time, when the connection is not made", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const backend = await listen(() => {});
    const arrived = once(backend.server, "connection");
    // A server that never answers the handshake.
    const exchange = connect(new URL(`https://127.0.0.1:${backend.url.port}`), { connectTimeoutMs: 200 }).open(post);
    let settled = false;
    const failing = fault(exchange.response).finally(() => {
      settled = true;
    });
    await arrived;
    vi.advanceTimersByTime(199);
    await new Promise(setImmediate);
    expect(settled).toBe(false);
    vi.advanceTimersByTime(1 + ALARM_TICK_MS);
    expect(await failing).toMatchObject({ fault: "connect", message: "b: no connection within 200 ms" });
    await closed(backend.sockets[0]!);
  });

  test("is found by name where only IPv4 listens", async () => {
    const backend = await listen((socket) => socket.write(OK));
    expect(await text(connect(new URL(`http://localhost:${backend.url.port}`)).open(post))).toBe("ok");
  });
});

describe("an abort", () => {
  test("before the connection is there, by address and by name, leaves nothing behind", async () => {
    const backend = await listen((socket) => socket.write(OK));
    for (const host of ["127.0.0.1", "localhost"]) {
      const transport = connect(new URL(`http://${host}:${backend.url.port}`));
      const exchange = transport.open(post);
      exchange.abort();
      expect(await fault(exchange.response)).toMatchObject({ fault: "aborted", message: "b: aborted" });
      await transport.close();
    }
    expect(backend.received).toBe("");
  });

  test("inside the TLS handshake closes the connection", async () => {
    const backend = await listen(() => {});
    const exchange = connect(new URL(`https://127.0.0.1:${backend.url.port}`)).open(post);
    await until(() => backend.received.length > 0);
    exchange.abort();
    expect(await fault(exchange.response)).toMatchObject({ fault: "aborted" });
    await closed(backend.sockets[0]!);
  });

  test("before the answer, inside the head and inside the body closes the connection", async () => {
    for (const answer of ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"]) {
      const backend = await listen((socket) => socket.write(answer));
      const exchange = connect(backend.url).open(post);
      await until(() => backend.received.length > 0);
      if (answer.endsWith("ab")) {
        const response = await exchange.response;
        expect(String(await response.read())).toBe("ab");
        const reading = fault(response.read());
        exchange.abort();
        expect(await reading).toMatchObject({ fault: "aborted" });
        expect(await fault(response.read())).toMatchObject({ fault: "aborted" });
      } else {
        exchange.abort();
        expect(await fault(exchange.response)).toMatchObject({ fault: "aborted" });
      }
      await closed(backend.sockets[0]!);
    }
  });

  test("while the request is being sent closes the connection", async () => {
    const backend = await listen((socket) => socket.pause());
    const exchange = connect(backend.url).open({ ...post, body: Buffer.alloc(32 * 1024 * 1024) });
    await until(() => backend.sockets.length > 0 && backend.received.length > 0);
    exchange.abort();
    expect(await fault(exchange.response)).toMatchObject({ fault: "aborted" });
    backend.sockets[0]!.resume();
    await closed(backend.sockets[0]!);
  });

  test("throws away what was read ahead", async () => {
    const backend = await listen((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${"x".repeat(1000)}`),
    );
    const exchange = connect(backend.url).open(post);
    const response = await exchange.response;
    exchange.abort();
    expect(await fault(response.read())).toMatchObject({ fault: "aborted" });
  });

  test("nobody waits for is no unhandled rejection", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    onTestFinished(() => void process.off("unhandledRejection", unhandled));
    const backend = await listen(() => {});
    connect(backend.url).open(post).abort();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test("after the end leaves the connection to the next request", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(backend.url);
    const first = transport.open(post);
    await text(first);
    const second = transport.open(post);
    first.abort();
    expect(await text(second)).toBe("ok");
    expect(backend.sockets).toHaveLength(1);
  });
});

describe("a reader that does not read", () => {
  const SIZE = 64 * 1024 * 1024;
  const bigHead = `HTTP/1.1 200 OK\r\ncontent-length: ${SIZE}\r\n\r\n`;

  async function unread(): Promise<{
    backend: Backend;
    transport: Transport;
    exchange: TransportExchange;
    response: TransportResponse;
  }> {
    const backend = await listen((socket, request) => {
      if (request.includes("/small")) return void socket.write(OK);
      socket.write(bigHead);
      socket.write(Buffer.alloc(SIZE, "x"));
    });
    const transport = connect(backend.url);
    const exchange = transport.open(post);
    const response = await exchange.response;
    let before = -1;
    // What the kernel holds is not ours: the backend's socket stands still when it and our read-ahead are full.
    await until(() => {
      const sent = backend.sockets[0]!.bytesWritten - backend.sockets[0]!.writableLength;
      const still = sent === before && sent > 0;
      before = sent;
      return still;
    });
    return { backend, transport, exchange, response };
  }

  test("pauses the backend: a bounded amount is read ahead, and all of it comes when it reads on", async () => {
    const { response, transport } = await unread();
    const { queued } = response as unknown as { queued: number };
    expect(queued).toBeGreaterThan(0);
    expect(queued).toBeLessThan(130 * 1024);
    let length = 0;
    for (let piece = await response.read(); piece !== undefined; piece = await response.read()) length += piece.length;
    expect(length).toBe(SIZE);
    expect(await text(transport.open({ ...post, path: "/small" }))).toBe("ok");
  });

  test("and then aborts closes the paused connection", async () => {
    const { backend, exchange, response } = await unread();
    exchange.abort();
    await closed(backend.sockets[0]!);
    expect(await fault(response.read())).toMatchObject({ fault: "aborted" });
  });

  test("finds out that the backend is gone when it reads on", async () => {
    const { backend, response } = await unread();
    backend.sockets[0]!.resetAndDestroy();
    expect(await fault(rest(response))).toMatchObject({ fault: "cut" });
  });

  test("gets a small answer from memory, long after its connection went to others", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(backend.url);
    const response = await transport.open(post).response;
    for (let count = 0; count < 3; count++) expect(await text(transport.open(post))).toBe("ok");
    expect(await rest(response)).toBe("ok");
    expect(backend.sockets).toHaveLength(1);
  });
});
