import { createServer, type Server, type Socket } from "node:net";
import { decodeChunkedBody } from "./chunked-body.ts";

/** One request as it came: header names in lower case, a repeated header joined with `, `. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Bytes of the request line and headers. */
  readonly headBytes: number;
}

/** How connections are kept, as the engine's own HTTP server does it. */
export interface ConnectionRules {
  /** An idle connection is closed after so many milliseconds; 0 = never. */
  readonly idleMs: number;
  /** The connection is closed after so many requests; 0 = no limit. */
  readonly maxRequests: number;
}

const MAX_HEAD_BYTES = 128 * 1024;

/**
 * One request and its answer on a connection. The answer is written as bytes, so that header order, case and broken
 * answers are in the hand of the caller; exactly one of `send`, `begin` + `end`, or the raw socket ends it.
 */
export class Exchange {
  readonly request: HttpRequest;
  readonly socket: Socket;
  /** 1 for the first request on its connection. */
  readonly ordinal: number;
  /** The connection closes after this answer; may be set until the head is written. */
  close: boolean;
  /** The client went away before the answer was complete. */
  aborted = false;
  done = false;
  /** Bytes handed to the socket for this answer. */
  bytesSent = 0;
  private readonly abortListeners: (() => void)[] = [];
  private readonly settleListeners: (() => void)[] = [];
  private readonly onDone: (exchange: Exchange) => void;

  constructor(
    request: HttpRequest,
    socket: Socket,
    ordinal: number,
    close: boolean,
    onDone: (exchange: Exchange) => void,
  ) {
    this.request = request;
    this.ordinal = ordinal;
    this.socket = socket;
    this.close = close;
    this.onDone = onDone;
  }

  /** Calls back when the client leaves before the answer is complete; at once if it has left. */
  onAbort(listener: () => void): void {
    if (this.aborted) listener();
    else this.abortListeners.push(listener);
  }

  /** Calls back when nothing more will be sent, for whatever reason; at once if that is so. */
  onSettled(listener: () => void): void {
    if (this.done || this.aborted) listener();
    else this.settleListeners.push(listener);
  }

  /** The whole answer: head with a length, and its body. */
  send(head: string, body: string | Buffer): void {
    if (this.done || this.aborted) return;
    if (this.request.method === "HEAD") this.raw(head);
    else if (typeof body === "string") this.raw(head + body);
    else {
      this.socket.cork();
      this.raw(head);
      this.raw(body);
      this.socket.uncork();
    }
    this.finish();
  }

  /** Writes bytes as they are. */
  raw(bytes: string | Buffer): void {
    if (this.done || this.aborted || this.socket.destroyed) return;
    this.bytesSent += bytes.length;
    this.socket.write(bytes);
  }

  /** One HTTP chunk of a chunked answer. */
  chunk(text: string | Buffer): void {
    const length = typeof text === "string" ? Buffer.byteLength(text) : text.length;
    if (length === 0) return;
    if (typeof text === "string") this.raw(`${length.toString(16)}\r\n${text}\r\n`);
    else this.raw(Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), text, Buffer.from("\r\n")]));
  }

  /** Ends a chunked answer. */
  endChunks(): void {
    this.raw("0\r\n\r\n");
    this.finish();
  }

  /** The answer is complete: the connection takes its next request, or closes. */
  finish(): void {
    if (this.done) return;
    this.done = true;
    this.settle();
    this.onDone(this);
  }

  /** Takes the connection away: with a FIN, or with a RST once what was written has left. */
  drop(how: "close" | "reset"): void {
    if (this.done) return;
    this.done = true;
    this.settle();
    if (how === "close") this.socket.destroy();
    else this.socket.write("", () => setImmediate(() => this.socket.resetAndDestroy()));
  }

  private settle(): void {
    for (const listener of this.settleListeners) listener();
  }

  /** The client has room for more bytes. */
  get writable(): boolean {
    return !this.socket.writableNeedDrain;
  }

  /** Called by the connection when it is gone. */
  abort(): void {
    if (this.done || this.aborted) return;
    this.aborted = true;
    for (const listener of this.abortListeners) listener();
    this.settle();
  }
}

export type ExchangeHandler = (exchange: Exchange) => void;

class HttpConnection {
  readonly socket: Socket;
  private readonly rules: ConnectionRules;
  private readonly handler: ExchangeHandler;
  private pending: Buffer = Buffer.alloc(0);
  private parts: Buffer[] = [];
  private partBytes = 0;
  private wantedBytes = 0;
  private head: Omit<HttpRequest, "body"> | undefined;
  private current: Exchange | undefined;
  private requests = 0;

  constructor(socket: Socket, rules: ConnectionRules, handler: ExchangeHandler) {
    this.socket = socket;
    this.rules = rules;
    this.handler = handler;
    socket.setNoDelay(true);
    if (rules.idleMs > 0) {
      socket.setTimeout(rules.idleMs);
      socket.on("timeout", () => {
        if (this.current === undefined) socket.end();
      });
    }
    socket.on("data", (data) => this.receive(data));
    socket.on("error", () => this.gone());
    socket.on("end", () => this.gone());
    socket.on("close", () => this.gone());
  }

  private gone(): void {
    this.current?.abort();
  }

  private receive(data: Buffer): void {
    if (this.wantedBytes > 0) {
      this.parts.push(data);
      this.partBytes += data.length;
      if (this.partBytes < this.wantedBytes) return;
      this.pending = Buffer.concat(this.parts);
      this.parts = [];
      this.partBytes = 0;
      this.wantedBytes = 0;
    } else {
      this.pending = this.pending.length === 0 ? data : Buffer.concat([this.pending, data]);
    }
    this.advance();
  }

  private advance(): void {
    while (this.current === undefined && this.pending.length > 0 && !this.socket.destroyed) {
      if (this.head === undefined && !this.readHead()) return;
      const head = this.head;
      if (head === undefined) return;
      const body = this.readBody(head);
      if (body === undefined) return;
      this.head = undefined;
      this.start({ ...head, body });
    }
  }

  private start(request: HttpRequest): void {
    this.requests += 1;
    const last = this.rules.maxRequests > 0 && this.requests >= this.rules.maxRequests;
    const close = last || request.headers.connection?.toLowerCase() === "close";
    this.current = new Exchange(request, this.socket, this.requests, close, (exchange) => this.completed(exchange));
    this.handler(this.current);
  }

  private completed(exchange: Exchange): void {
    this.current = undefined;
    if (exchange.close) this.socket.end();
    else this.advance();
  }

  private readHead(): boolean {
    const end = this.pending.indexOf("\r\n\r\n");
    if (end < 0) {
      if (this.pending.length > MAX_HEAD_BYTES) this.refuse("431 Request Header Fields Too Large");
      return false;
    }
    const head = parseHead(this.pending.toString("latin1", 0, end));
    if (head === undefined) {
      this.refuse("400 Bad Request");
      return false;
    }
    this.pending = this.pending.subarray(end + 4);
    this.head = { ...head, headBytes: end + 4 };
    if (head.headers.expect?.toLowerCase() === "100-continue") this.socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    return true;
  }

  private readBody(head: Omit<HttpRequest, "body">): Buffer | undefined {
    if (head.headers["transfer-encoding"] !== undefined) {
      const decoded = decodeChunkedBody(this.pending);
      if (decoded === undefined) return undefined;
      this.pending = decoded.rest;
      return decoded.body;
    }
    const length = Number(head.headers["content-length"] ?? 0);
    if (!Number.isSafeInteger(length) || length < 0) {
      this.refuse("400 Bad Request");
      return undefined;
    }
    if (this.pending.length < length) {
      this.wantedBytes = length;
      this.parts = [this.pending];
      this.partBytes = this.pending.length;
      return undefined;
    }
    const body = this.pending.subarray(0, length);
    this.pending = this.pending.subarray(length);
    return body;
  }

  private refuse(status: string): void {
    this.pending = Buffer.alloc(0);
    this.socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
  }
}

function parseHead(text: string): Omit<HttpRequest, "body" | "headBytes"> | undefined {
  const lines = text.split("\r\n");
  const requestLine = lines[0]?.split(" ");
  if (requestLine?.length !== 3) return undefined;
  const [method = "", target = "", version = ""] = requestLine;
  if (!version.startsWith("HTTP/1.")) return undefined;
  const headers: Record<string, string> = Object.create(null);
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    const colon = line.indexOf(":");
    if (colon <= 0) return undefined;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  if (version === "HTTP/1.0" && headers.connection === undefined) headers.connection = "close";
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  return { method, path, query: mark < 0 ? "" : target.slice(mark + 1), headers };
}

/** A listener that can be closed with its connections and opened again on the same port. */
export interface HttpListener {
  readonly port: number;
  readonly listening: boolean;
  /** Connections open now. */
  connections(): number;
  /** Stops listening and resets every connection. */
  close(): Promise<void>;
  /** Listens again on the same port; nothing happens when it is listening. */
  reopen(): Promise<void>;
}

/** Listens on `host`:`port` (0 = any free port) and hands over each exchange; rejects with the system's error. */
export async function listenHttp(
  host: string,
  port: number,
  rules: ConnectionRules,
  handler: ExchangeHandler,
): Promise<HttpListener> {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let boundPort = port;
  const open = async (): Promise<void> => {
    const next = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      new HttpConnection(socket, rules, handler);
    });
    await new Promise<void>((resolve, reject) => {
      next.once("error", reject);
      next.listen({ host, port: boundPort, backlog: 4096 }, () => {
        next.removeListener("error", reject);
        resolve();
      });
    });
    const address = next.address();
    if (address !== null && typeof address === "object") boundPort = address.port;
    server = next;
  };
  await open();
  return {
    get port() {
      return boundPort;
    },
    get listening() {
      return server !== undefined;
    },
    connections: () => sockets.size,
    close: async () => {
      const closing = server;
      server = undefined;
      if (closing === undefined) return;
      const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
    reopen: async () => {
      if (server === undefined) await open();
    },
  };
}
