import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIPv6, type Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import { errorBody, GatewayError } from "@signalbox/protocol";
import type { Hono } from "hono";
import type { Address } from "../config/units.ts";
import { Connections } from "./connections.ts";
import { openDoors } from "./doors.ts";
import { headFault, overloaded, parserRefusal, refuseRequest, refuseSocket } from "./refusals.ts";

/** How long a client may take, in milliseconds: who is slow on purpose is let go. */
interface ClientTimeouts {
  /** Until a request's head is there. */
  readonly readHeaderMs: number;
  /** From then on, until its body is there. */
  readonly readBodyMs: number;
  /** Between two requests of a connection. */
  readonly idleMs: number;
}

export interface ListenerOptions {
  readonly timeouts: ClientTimeouts;
  /** Connections at once; one more is told so at its first request, or closed where not even that is possible. */
  readonly maxConnections: number;
  /** Sockets to listen with; 1 unless given. */
  readonly doors?: number;
  /** Told of each request or connection that was refused since there are too many. */
  onRefused?(): void;
  /** Told when a connection cannot be taken, for a reason of the system's. */
  onError?(error: NodeJS.ErrnoException): void;
}

/** While draining: how often idle connections are closed. */
const SWEEP_MS = 50;
const MAX_HEADER_BYTES = 16 * 1024;
/** Node's own limit for a whole request stands behind ours, which can say what is wrong. */
const SLACK = 1.1;

/** A listening socket with an app behind it. */
export interface Listener {
  /** Scheme, host and the real port. */
  readonly url: string;
  readonly port: number;
  /** Connections that are open. */
  readonly connections: number;
  /** Takes connections and requests as before, but tells clients with each answer to come back on another one. */
  retire(): void;
  /** Takes no new connection, lets requests under way finish, and resolves when the last is gone or after `graceMs`. */
  drain(graceMs: number): Promise<void>;
  /** Drops everything. */
  close(): Promise<void>;
}

/**
 * Listens at `address` (port 0 = any free one).
 * @throws Error with the system's code, e.g. `EADDRINUSE`.
 */
export async function listen(app: Hono, address: Address, options: ListenerOptions): Promise<Listener> {
  const server = createHttpServer(options.timeouts);
  const connections = new Connections(server, options.maxConnections, () => options.onRefused?.());
  let retired = false;
  // HTTP/1.0 knows no host header, and some health checks speak it.
  const respond = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    hostname: "localhost",
    errorHandler: refuseAddress,
  });
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { socket } = incoming;
    // Behind an answer that closes the connection nothing is a request, though it may look like one: it was smuggled there.
    if (socket.writableEnded || connections.answerOf(socket)?.shouldKeepAlive === false) return;
    connections.answering(socket, outgoing);
    const fault = headFault(incoming);
    if (fault !== undefined) refuseRequest(outgoing, new GatewayError("invalid_request", fault));
    else if (connections.isOver(socket)) {
      options.onRefused?.();
      refuseRequest(outgoing, overloaded(`${options.maxConnections} connections are open`));
    } else {
      if (retired) outgoing.shouldKeepAlive = false;
      void respond(incoming, outgoing);
    }
  };
  server.on("request", onRequest);
  // Who asks before sending a body is told to go on when it is read.
  server.on("checkContinue", onRequest);
  refuseTheRest(server, connections);
  const doors = await openDoors(server, address, options.doors ?? 1, (error) => options.onError?.(error));
  const { port } = doors;

  function retire(): void {
    retired = true;
    connections.closeAfterAnswers();
  }

  return {
    url: `http://${isIPv6(address.host) ? `[${address.host}]` : address.host}:${port}`,
    port,
    get connections() {
      return connections.size;
    },
    retire,
    async drain(graceMs) {
      retire();
      const closed = doors.close();
      // A connection that was promised to live on goes idle behind its last answer, and says so to nobody.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      server.closeIdleConnections();
      await closed;
      clearInterval(sweep);
      clearTimeout(timer);
    },
    async close() {
      const closed = doors.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function createHttpServer({ readHeaderMs, readBodyMs, idleMs }: ClientTimeouts): Server {
  return createServer({
    headersTimeout: readHeaderMs,
    requestTimeout: Math.ceil((readHeaderMs + readBodyMs) * SLACK),
    // Late by a twentieth at most; Node itself looks every 30 s.
    connectionsCheckingInterval: Math.ceil(Math.min(500, Math.max(10, readHeaderMs / 20))),
    keepAliveTimeout: idleMs,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Ours is an error that says so.
    requireHostHeader: false,
    noDelay: true,
  });
}

/** What Node would answer in its own words, or not at all. */
function refuseTheRest(server: Server, connections: Connections): void {
  server.on("checkExpectation", ({ socket }, outgoing) => {
    connections.answering(socket, outgoing);
    refuseRequest(outgoing, new GatewayError("invalid_request", "only `expect: 100-continue` is known here"), 417);
  });
  server.on("connect", (_incoming, socket) => {
    refuseSocket(socket, 405, new GatewayError("method_not_allowed", "CONNECT is for a proxy, which this is not"));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const answer = connections.answerOf(socket);
    const refuse = (): void => refuseConnection(error, socket);
    // Junk behind a whole request: that one's answer comes first, or the client would take ours for it.
    if (answer?.req.complete && !answer.writableFinished && !answer.destroyed) answer.once("close", refuse);
    else refuse();
  });
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
  // It was refused before, and may still read that.
  if (socket.writableEnded) return;
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, told] = parserRefusal(error, MAX_HEADER_BYTES);
  refuseSocket(socket, status, told);
}
