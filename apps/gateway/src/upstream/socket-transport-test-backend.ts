import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type {
  Transport,
  TransportError,
  TransportExchange,
  TransportRequest,
  TransportResponse,
} from "@signalbox/protocol";
import { expect, onTestFinished, vi } from "vitest";
import { createSocketTransport, type SocketTransportOptions } from "./socket-transport.ts";

/** An answer that keeps the connection. */
export const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
export const get: TransportRequest = { method: "GET", path: "/", headers: {}, body: undefined };
export const post: TransportRequest = { method: "POST", path: "/", headers: {}, body: Buffer.from("{}") };

/** A server of raw sockets. */
export interface Backend {
  readonly server: Server;
  readonly url: URL;
  /** All connections that ever came. */
  readonly sockets: Socket[];
  /** What came on all of them. */
  received: string;
}

export type OnRequest = (socket: Socket, request: string, backend: Backend) => void;

/** A server of raw sockets; `onRequest` is called with each piece that holds the end of a head. */
export async function listen(onRequest: OnRequest, host = "127.0.0.1"): Promise<Backend> {
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

/** A transport that is closed at the end of the test. */
export function connect(url: URL, more: Partial<SocketTransportOptions> = {}): Transport {
  const transport = createSocketTransport({ name: "b", url, connectTimeoutMs: 2000, ...more });
  onTestFinished(() => void transport.close());
  return transport;
}

/** The whole body, read from the exchange. */
export async function text(exchange: TransportExchange): Promise<string> {
  const response = await exchange.response;
  return rest(response);
}

/** What is left of a body. */
export async function rest(response: TransportResponse): Promise<string> {
  let all = "";
  for (let piece = await response.read(); piece !== undefined; piece = await response.read())
    all += piece.toString("latin1");
  return all;
}

/** What a promise is rejected with. */
export async function fault(promise: Promise<unknown>): Promise<TransportError> {
  return promise.then(
    () => expect.fail("no fault"),
    (error) => error,
  );
}

/** Resolves when the connection is closed, in whatever way. */
export function closed(socket: Socket): Promise<unknown> {
  return socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once("close", resolve));
}

/** Resolves when it is so. */
export const until = (check: () => unknown) =>
  vi.waitFor(() => expect(check()).toBeTruthy(), { timeout: 5000, interval: 2 });
