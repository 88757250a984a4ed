import type { Socket } from "node:net";
import type { Transport, TransportRequest } from "@signalbox/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ALARM_TICK_MS } from "./alarm.ts";
import {
  type Backend,
  closed,
  connect,
  fault,
  get,
  listen,
  OK,
  post,
  text,
  until,
} from "./socket-transport-test-backend.ts";

describe("a request", () => {
  test("is sent with the base path, the host, its headers and its length", async () => {
    const backend = await listen((socket) => socket.write(OK));
    const transport = connect(new URL(`${backend.url.href}base/`));
    await text(
      transport.open({ method: "POST", path: "/v1/x?y=1", headers: { "x-a": "ü" }, body: Buffer.from("body") }),
    );
    expect(backend.received).toBe(
      `POST /base/v1/x?y=1 HTTP/1.1\r\nhost: ${backend.url.host}\r\nx-a: ü\r\ncontent-length: 4\r\n\r\nbody`,
    );
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

  test("serves one request at a time", async () => {
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
  });

  test("that was used last is used first", async () => {
    const used: Socket[] = [];
    const backend = await listen((socket, request) => {
      used.push(socket);
      if (!request.includes("/held")) socket.write(OK);
    });
    const transport = connect(backend.url);
    const held = transport.open({ ...get, path: "/held" });
    await until(() => used.length === 1);
    await text(transport.open(get));
    used[0]!.write(OK);
    await text(held);
    await text(transport.open(get));
    expect(used[2]).toBe(used[0]);
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

  const idleTimes: readonly [what: string, header: string, ms: number][] = [
    ["after four seconds", "x-a: 1", 4000],
    ["after four seconds, whatever longer time the backend promises", "keep-alive: timeout=75", 4000],
    ["a second before the backend closes it", "Keep-Alive: max=100, timeout=3", 2000],
    ["after half of a time that is as short as that", "keep-alive: timeout=1", 500],
  ];
  for (const [what, header, ms] of idleTimes) {
    test(`that is idle is let go ${what}`, async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
      onTestFinished(() => void vi.useRealTimers());
      const backend = await listen((socket) =>
        socket.write(`HTTP/1.1 200 OK\r\n${header}\r\ncontent-length: 2\r\n\r\nok`),
      );
      const transport = connect(backend.url);
      await text(transport.open(post));
      vi.advanceTimersByTime(ms - 10);
      await text(transport.open(post));
      expect(backend.sockets).toHaveLength(1);
      vi.advanceTimersByTime(ms + ALARM_TICK_MS);
      await closed(backend.sockets[0]!);
    });
  }

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
