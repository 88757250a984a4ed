import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { errorBody, GatewayError } from "@signalbox/protocol";
import type { Hono } from "hono";
import type { Address } from "../config/units.ts";

/** Clients that are slow on purpose are let go: these are milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CHECK_INTERVAL_MS = 2000;
const KEEP_ALIVE_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;

/** A listening socket with an app behind it. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Takes no new connection, lets requests under way finish, and resolves when the last is gone or after `graceMs`. */
  drain(graceMs: number): Promise<void>;
  /** Drops everything. */
  close(): Promise<void>;
}

/**
 * Listens at `address` (port 0 = any free one).
 * @throws Error with the system's code, e.g. `EADDRINUSE`.
 */
export async function listen(app: Hono, address: Address): Promise<Listener> {
  const respond = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      noDelay: true,
    },
    (incoming, outgoing) => {
      if (incoming.url?.charCodeAt(0) !== 0x2f) return refuseTarget(outgoing);
      if (draining) outgoing.shouldKeepAlive = false;
      void respond(incoming, outgoing);
    },
  );
  let draining = false;
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => refuseConnection(error, socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    host: address.host,
    port,
    async drain(graceMs) {
      draining = true;
      const closed = closeServer(server);
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
    async close() {
      const closed = closeServer(server);
      server.closeAllConnections();
      await closed;
    },
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A request line with a whole URL is for a proxy, which this is not. */
function refuseTarget(outgoing: ServerResponse<IncomingMessage>): void {
  const error = new GatewayError("invalid_request", "the request target must be a path");
  outgoing.writeHead(error.status, { "content-type": "application/json", connection: "close" });
  outgoing.end(JSON.stringify(errorBody(error)));
}

/** What Node's parser refuses never reaches the app; it is answered here and the connection closed. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [line, told] =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? ["408 Request Timeout", new GatewayError("request_timeout", "the request did not arrive in time")]
      : error.code === "HPE_HEADER_OVERFLOW"
        ? ["431 Request Header Fields Too Large", new GatewayError("invalid_request", `the headers are larger than ${MAX_HEADER_BYTES} bytes`)]
        : ["400 Bad Request", new GatewayError("invalid_request", "not a valid HTTP/1.1 request")];
  const body = JSON.stringify(errorBody(told));
  socket.end(
    `HTTP/1.1 ${line}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
