import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv6, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener, RequestError } from "@hono/node-server";
import { errorBody, GatewayError } from "@signalbox/protocol";
import type { Hono } from "hono";
import type { Address } from "../config/units.ts";
import { headFault, parserRefusal, refuseRequest, refuseSocket } from "./refusals.ts";

/** How long a client may take, in milliseconds: who is slow on purpose is let go. */
interface Patience {
  /** Until the headers are there. */
  readonly headersMs: number;
  /** Until the whole request is there. */
  readonly requestMs: number;
  /** How often connections are looked at. */
  readonly checkMs: number;
}

const PATIENCE: Patience = { headersMs: 10_000, requestMs: 60_000, checkMs: 2000 };
const KEEP_ALIVE_MS = 65_000;
/** While draining: how often idle connections are closed. */
const SWEEP_MS = 50;
const MAX_HEADER_BYTES = 16 * 1024;

/** A listening socket with an app behind it. */
export interface Listener {
  /** Scheme, host and the real port. */
  readonly url: string;
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
export async function listen(app: Hono, address: Address, patience = PATIENCE): Promise<Listener> {
  // HTTP/1.0 knows no host header, and some health checks speak it.
  const respond = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    hostname: "localhost",
    errorHandler: refuseAddress,
  });
  const server = createServer({
    headersTimeout: patience.headersMs,
    requestTimeout: patience.requestMs,
    connectionsCheckingInterval: patience.checkMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Ours is an error that says so.
    requireHostHeader: false,
    noDelay: true,
  });
  let draining = false;
  const latest = new WeakMap<Duplex, ServerResponse>();
  server.on("request", (incoming, outgoing) => {
    // Behind an answer that closes the connection nothing is a request, though it may look like one: it was smuggled there.
    if (latest.get(incoming.socket)?.shouldKeepAlive === false) return;
    latest.set(incoming.socket, outgoing);
    const fault = headFault(incoming);
    if (fault !== undefined) return refuseRequest(outgoing, 400, new GatewayError("invalid_request", fault));
    if (draining) outgoing.shouldKeepAlive = false;
    void respond(incoming, outgoing);
  });
  server.on("checkExpectation", (incoming, outgoing) => {
    latest.set(incoming.socket, outgoing);
    refuseRequest(outgoing, 417, new GatewayError("invalid_request", "only `expect: 100-continue` is known here"));
  });
  server.on("connect", (_incoming, socket) => {
    refuseSocket(socket, 405, new GatewayError("method_not_allowed", "CONNECT is for a proxy, which this is not"));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const answer = latest.get(socket);
    const refuse = (): void => refuseConnection(error, socket);
    // Junk behind a whole request: that one's answer comes first, or the client would take ours for it.
    if (answer?.req.complete && !answer.writableFinished && !answer.destroyed) answer.once("close", refuse);
    else refuse();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://${isIPv6(address.host) ? `[${address.host}]` : address.host}:${port}`,
    port,
    async drain(graceMs) {
      draining = true;
      const closed = closeServer(server);
      // A connection that was promised to live on goes idle behind its last answer, and says so to nobody.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      server.closeIdleConnections();
      await closed;
      clearInterval(sweep);
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

/** A host or a target of which no URL can be made; anything else that comes here is a fault of ours. */
function refuseAddress(cause: unknown): Response {
  const error =
    cause instanceof RequestError
      ? new GatewayError("invalid_request", "the host header or the request target is not valid")
      : new GatewayError("internal_error", "internal error", { cause });
  return Response.json(errorBody(error), { status: error.status });
}

/** What Node's parser refuses never reaches the app; it is answered here and the connection closed. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, told] = parserRefusal(error, MAX_HEADER_BYTES);
  refuseSocket(socket, status, told);
}
