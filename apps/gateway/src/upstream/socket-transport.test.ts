import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Transport, TransportError, TransportExchange, TransportRequest, TransportResponse } from "@signalbox/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createSocketTransport, type SocketTransportOptions } from "./socket-transport.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const get: TransportRequest = { method: "GET", path: "/", headers: {}, body: undefined };
const post: TransportRequest = { method: "POST", path: "/", headers: {}, body: Buffer.from("{}") };

interface Backend {
  readonly server: Server;
  readonly url: URL;
  /** All connections that ever came. */
  readonly sockets: Socket[];
  /** What came on all of them. */
  received: string;
}

type OnRequest = (socket: Socket, request: string, backend: Backend) => void;

/** A server of raw sockets; `onRequest` is called with each piece that holds the end of a head. */
async function listen(onRequest: OnRequest, host = "127.0.0.1"): Promise<Backend> {
  const server = createServer({ noDelay: true });
  const sockets: Socket[] = [];
  server.on("connection", (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (piece: Buffer) => {
      const text = piece.toString("latin1");
      backend.received += text;
      if (text.includes("\r\n\r\n")) onRequest(socket, text, backend);
    });
  });
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = new URL(`http://${host}:${(server.address() as AddressInfo).port}`);
  const backend: Backend = { server, url, sockets, received: "" };
  return backend;
}

function connect(url: URL, more: Partial<SocketTransportOptions> = {}): Transport {
  const transport = createSocketTransport({ name: "b", url, connectTimeoutMs: 2000, ...more });
  onTestFinished(() => void transport.close());
  return transport;
}

async function text(exchange: TransportExchange): Promise<string> {
  const response = await exchange.response;
  return rest(response);
}

async function rest(response: TransportResponse): Promise<string> {
  let all = "";
  for (let piece = await response.read(); piece !== undefined; piece = await response.read()) all += piece.toString("latin1");
  return all;
}

async function fault(promise: Promise<unknown>): Promise<TransportError> {
  return promise.then(
    () => expect.fail("no fault"),
    (error) => error,
  );
}

const closed = (socket: Socket) => (socket.destroyed ? Promise.resolve() : once(socket, "close"));
const until = (check: () => unknown) => vi.waitFor(() => expect(check()).toBeTruthy(), { timeout: 5000, interval: 2 });

describe("a request", () => {
  test("is sent with the base path, the host, its headers and its length", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(new URL(`${backend.url.href}base/`));
    await text(transport.open({ method: "POST", path: "/v1/x?y=1", headers: { "x-a": "ü" }, body: Buffer.from("body") }));
    expect(backend.received).toBe(`POST /base/v1/x?y=1 HTTP/1.1\r\nhost: ${backend.url.host}\r\nx-a: ü\r\ncontent-length: 4\r\n\r\nbody`);
  });

  test("without a body has no length if it is a GET, and none of bytes if it is a POST", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(backend.url);
    await text(transport.open(get));
    expect(backend.received).not.toContain("content-length");
    await text(transport.open({ ...post, body: undefined }));
    expect(backend.received).toContain("content-length: 0\r\n\r\n");
  });

  test("of many megabytes arrives whole", async () => {
    const body = Buffer.alloc(20 * 1024 * 1024, "x");
    let arrived = 0;
    const backend = await listen(() => {});
    backend.server.on("connection", (socket: Socket) => {
      socket.on("data", (piece) => {
        arrived += piece.length;
        if (arrived > body.length) socket.write(OK);
      });
    });
    expect(await text(connect(backend.url).open({ ...post, body }))).toBe("ok");
    expect(arrived - body.length).toBeGreaterThan(50);
  });

  const injections: Record<string, Partial<TransportRequest>> = {
    "a line break in a value": { headers: { "x-request-id": "a\r\nx-evil: 1" } },
    "a lone LF in a value": { headers: { "x-request-id": "a\nx-evil: 1" } },
    "a lone CR in a value": { headers: { "x-request-id": "a\rx-evil: 1" } },
    "a NUL in a value": { headers: { "x-request-id": "a\0" } },
    "a character that becomes LF when its upper byte is cut off": { headers: { "x-request-id": "a\u010ax-evil: 1" } },
    "a line break in a name": { headers: { "x\r\nx-evil": "1" } },
    "a colon in a name": { headers: { "x:y": "1" } },
    "a line break in the path": { path: "/ HTTP/1.1\r\nx-evil: 1\r\n" },
    "a space in the path": { path: "/a b" },
    "a path without a slash": { path: "evil" },
  };
  for (const [what, part] of Object.entries(injections)) {
    test(`is not sent with ${what}`, async () => {
      const backend = await listen((socket) => socket.write(OK));
      const transport = connect(backend.url);
      const error = await fault(transport.open({ ...post, ...part }).response);
      expect(error).toMatchObject({ fault: "malformed", message: expect.stringMatching(/^b: /) });
      expect(error.message).not.toContain("evil");
      expect(await text(transport.open(get))).toBe("ok");
      expect(backend.received).not.toContain("evil");
    });
  }
});

describe("a connection", () => {
  test("serves one request after another", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(backend.url);
    for (let count = 0; count < 10; count++) expect(await text(transport.open(post))).toBe("ok");
    expect(backend.sockets).toHaveLength(1);
  });

  test("serves one request at a time; the one used last is used first", async () => {
    const backend = await listen((socket, request) => {
      if (!request.includes("/held")) socket.write(OK);
    });
    const transport = connect(backend.url);
    const held = transport.open({ ...get, path: "/held" });
    await until(() => backend.received.includes("/held"));
    expect(await text(transport.open(get))).toBe("ok");
    expect(backend.sockets).toHaveLength(2);
    backend.sockets[0]!.write(OK);
    expect(await text(held)).toBe("ok");
    expect(await text(transport.open({ ...get, path: "/held-not", method: "GET", headers: { "x-a": "1" } }).abort() ?? transport.open(get))).toBe("ok");
    expect(backend.sockets.length).toBeLessThanOrEqual(3);
  });

  const notKept: Record<string, string> = {
    "the backend says close": "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    "the backend speaks HTTP/1.0": "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "the backend keeps it for no time": "HTTP/1.1 200 OK\r\nkeep-alive: timeout=0\r\ncontent-length: 2\r\n\r\nok",
    "bytes stand behind the end": `${OK}HTTP/1.1 200 OK\r\n`,
  };
  for (const [what, answer] of Object.entries(notKept)) {
    test(`is not used again when ${what}`, async () => {
      const backend = await listen((socket) => socket.write(answer));
      const transport = connect(backend.url);
      expect(await text(transport.open(post))).toBe("ok");
      await closed(backend.sockets[0]!);
      expect(await text(transport.open(post))).toBe("ok");
      expect(backend.sockets).toHaveLength(2);
    });
  }

  test("that gets bytes while it is idle is not used again", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(backend.url);
    await text(transport.open(post));
    backend.sockets[0]!.write("HTTP/1.1 408 Request Timeout\r\n\r\n");
    await closed(backend.sockets[0]!);
    expect(await text(transport.open(post))).toBe("ok");
  });

  test("that is idle is let go sooner than the backend said that it would close it", async () => {
    const backend = await listen((socket) => socket.write("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=100\r\ncontent-length: 2\r\n\r\nok"));
    const transport = connect(backend.url);
    await text(transport.open(post));
    const idleSince = performance.now();
    await closed(backend.sockets[0]!);
    const idle = performance.now() - idleSince;
    expect(idle).toBeGreaterThan(300);
    expect(idle).toBeLessThan(990);
  });

  test("that is idle is let go after four seconds, whatever longer time the backend promises", async () => {
    const backend = await listen((socket) => socket.write("HTTP/1.1 200 OK\r\nkeep-alive: timeout=75\r\ncontent-length: 2\r\n\r\nok"));
    const transport = connect(backend.url);
    await text(transport.open(post));
    const idleSince = performance.now();
    await closed(backend.sockets[0]!);
    expect(performance.now() - idleSince).toBeGreaterThan(3900);
    expect(performance.now() - idleSince).toBeLessThan(4600);
  });

  test("is not used again while the request is still being sent", async () => {
    const backend = await listen((socket) => {
      socket.pause();
      socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig");
    });
    const transport = connect(backend.url);
    const exchange = transport.open({ ...post, body: Buffer.alloc(32 * 1024 * 1024) });
    expect((await exchange.response).status).toBe(413);
    expect(await text(exchange)).toBe("big");
    backend.sockets[0]!.resume();
    await closed(backend.sockets[0]!);
    void transport.open(get).response.catch(() => {});
    await until(() => backend.sockets.length === 2);
  });

  test("gives the early answer of a backend that closes without reading the request", async () => {
    const backend = await listen((socket) => {
      socket.pause();
      socket.end("HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig");
    });
    const exchange = connect(backend.url).open({ ...post, body: Buffer.alloc(32 * 1024 * 1024) });
    expect((await exchange.response).status).toBe(413);
    expect(await text(exchange)).toBe("big");
  });

  test("two hundred at once each get their own answer", async () => {
    const backend = await listen((socket, request) => {
      const id = /\/(\d+) /.exec(request)![1]!;
      setImmediate(() => socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${id.length}\r\n${id}`));
      setTimeout(() => socket.write("\r\n0\r\n\r\n"), 1);
    });
    const transport = connect(backend.url);
    for (let round = 0; round < 3; round++) {
      const ids = Array.from({ length: 200 }, (_, index) => String(index));
      expect(await Promise.all(ids.map((id) => text(transport.open({ ...post, path: `/${id}` }))))).toEqual(ids);
    }
    expect(backend.sockets).toHaveLength(200);
  });
});

describe("an idle connection that the backend closes", () => {
  test("is replaced without notice when it was closed in time", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(backend.url);
    await text(transport.open(post));
    backend.sockets[0]!.end();
    await closed(backend.sockets[0]!);
    expect(await text(transport.open(post))).toBe("ok");
    expect(backend.sockets).toHaveLength(2);
  });

  /** Three idle connections of which each dies when it is used again. */
  async function stale(): Promise<{ backend: Backend; transport: Transport }> {
    const seen = new Set<Socket>();
    let together: Socket[] | undefined = [];
    const backend = await listen((socket) => {
      if (seen.has(socket)) return void socket.resetAndDestroy();
      seen.add(socket);
      together?.push(socket);
      if (together === undefined) socket.write(OK);
      else if (together.length === 3) {
        for (const each of together) each.write(OK);
        together = undefined;
      }
    });
    const transport = connect(backend.url);
    await Promise.all([1, 2, 3].map(() => text(transport.open(post))));
    return { backend, transport };
  }

  test("fails a POST as `reset`, and takes the other idle ones with it: the next request meets none of them", async () => {
    const { backend, transport } = await stale();
    expect(await fault(transport.open(post).response)).toMatchObject({
      fault: "reset",
      message: expect.stringMatching(/^b: an idle connection closed before a response \(/),
    });
    expect(await text(transport.open(post))).toBe("ok");
    expect(backend.sockets).toHaveLength(4);
    await Promise.all(backend.sockets.slice(0, 3).map(closed));
  });

  test("costs a GET nothing: it is sent again on a new one", async () => {
    const { backend, transport } = await stale();
    expect(await text(transport.open(get))).toBe("ok");
    expect(backend.sockets).toHaveLength(4);
  });

  test("costs a GET no more than one try", async () => {
    let requests = 0;
    const backend = await listen((socket) => {
      if (requests++ === 0) socket.write(OK);
      else socket.destroy();
    });
    const transport = connect(backend.url);
    await text(transport.open(get));
    expect(await fault(transport.open(get).response)).toMatchObject({ fault: "reset" });
    expect(requests).toBe(3);
  });
});

describe("a fault", () => {
  const answers: readonly [what: string, answer: (socket: Socket) => void, fault: string][] = [
    ["a close in place of an answer", (socket) => socket.end(), "reset"],
    ["a reset in place of an answer", (socket) => socket.resetAndDestroy(), "reset"],
    ["a close inside the head", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-"), "reset"],
    ["a close behind an interim response", (socket) => socket.end("HTTP/1.1 100 Continue\r\n\r\n"), "reset"],
    ["an answer that is not HTTP", (socket) => socket.write("+PONG\r\n"), "malformed"],
    ["two lengths", (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"), "malformed"],
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
      expect(await fault(rest(response))).toMatchObject({ fault: "cut", message: expect.stringMatching(/^b: .*inside the reply/) });
      expect(await fault(response.read())).toMatchObject({ fault: "cut" });
    });
  }

  test("is malformed inside a body, after the good part of it", async () => {
    const backend = await listen((socket) => socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"));
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
    expect(error).toMatchObject({ fault: "connect", message: expect.stringMatching(/^b: connect failed \((ENOTFOUND|EAI_AGAIN)\)$/) });
  });

  test("is connect, in time, when nobody takes the connection", async () => {
    const { url, fill } = await fullBacklog();
    await fill();
    const began = performance.now();
    const error = await fault(connect(url, { connectTimeoutMs: 200 }).open(post).response);
    const ms = performance.now() - began;
    expect(error).toMatchObject({ fault: "connect", message: "b: no connection within 200 ms" });
    expect(ms).toBeGreaterThanOrEqual(200);
    expect(ms).toBeLessThan(400);
  });

  test("is found by name where only IPv4 listens", async () => {
    const backend = await listen((socket) => socket.write(OK));
    expect(await text(connect(new URL(`http://localhost:${backend.url.port}`)).open(post))).toBe("ok");
  });
});

/** TLS to a server that takes the connection and says nothing: a connection that is never made. */
async function fullBacklog(): Promise<{ url: URL; fill: () => Promise<void> }> {
  const backend = await listen(() => {});
  return { url: new URL(`https://127.0.0.1:${backend.url.port}`), fill: async () => {} };
}

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
    const { url } = await fullBacklog();
    const transport = connect(url);
    const exchange = transport.open(post);
    await new Promise(setImmediate);
    exchange.abort();
    expect(await fault(exchange.response)).toMatchObject({ fault: "aborted" });
    await transport.close();
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
    const backend = await listen((socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${"x".repeat(1000)}`));
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

  async function unread(): Promise<{ backend: Backend; transport: Transport; exchange: TransportExchange; response: TransportResponse }> {
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

describe("closing", () => {
  test("closes idle connections and waits for those in use", async () => {
    const backend = await listen((socket, request) => {
      if (!request.includes("/held")) socket.write(OK);
    });
    const transport = connect(backend.url);
    const held = transport.open({ ...post, path: "/held" });
    await until(() => backend.received.includes("/held"));
    await text(transport.open(post));
    let done = false;
    const closing = transport.close().then(() => {
      done = true;
    });
    await closed(backend.sockets[1]!);
    expect(done).toBe(false);
    expect(backend.sockets[0]!.destroyed).toBe(false);
    backend.sockets[0]!.write(OK);
    expect(await text(held)).toBe("ok");
    await closing;
    await closed(backend.sockets[0]!);
  });

  test("of a transport that was never used is done at once", async () => {
    const backend = await listen(() => {});
    await connect(backend.url).close();
  });

  test("still serves who comes later, on a connection of its own", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(backend.url);
    await transport.close();
    expect(await text(transport.open(post))).toBe("ok");
    await closed(backend.sockets[0]!);
  });
});
