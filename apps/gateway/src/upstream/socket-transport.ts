import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type SecureContext } from "node:tls";
import { type Transport, TransportError, type TransportRequest } from "@signalbox/protocol";
import { writeLater } from "../runtime/write-later.ts";
import { type Alarm, createAlarm } from "./alarm.ts";
import { Exchange, READ_AHEAD_BYTES } from "./socket-transport-exchange.ts";

export interface SocketTransportOptions {
  /** Names the backend in messages. */
  readonly name: string;
  readonly url: URL;
  readonly connectTimeoutMs: number;
  /** PEM texts. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

/** Engines on uvicorn and cpp-httplib close idle connections after 5 s; we let go first. */
const KEEP_ALIVE_MS = 4000;
/** How much sooner than a backend says that it closes an idle connection we let go of it. */
const KEEP_ALIVE_MARGIN_MS = 1000;
/** One buffer for every read of every connection: a read is handled before the next begins, and what is kept is copied. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
/** A body up to this size leaves in one write with its head. */
const JOINED_BODY_BYTES = 64 * 1024;

/** Latin-1 is how a head is sent: a character beyond it could become a line break on the way. */
const HEADER_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*$/;
const TRACEPARENT = /^[0-9a-f-]{55}$/;
const PATH = /^\/[\x21-\x7e]*$/;

/**
 * HTTP/1.1 to one backend on sockets of our own: one request at a time on a connection, the connection used last is used
 * first, and nothing on the way but a parser. All timers but the connect timeout are the caller's. A GET that meets an idle
 * connection which the backend has just closed is sent again, once, on a new one; for a POST that is the caller's to decide.
 */
export function createSocketTransport(options: SocketTransportOptions): Transport {
  const pool = new Pool(options);
  return {
    open(request) {
      const exchange = new Exchange(options.name, request);
      pool.send(exchange);
      return exchange;
    },
    close: () => pool.close(),
  };
}

class Pool {
  readonly options: SocketTransportOptions;
  readonly #host: string;
  readonly #basePath: string;
  readonly #idle: Connection[] = [];
  /** Connections that are not closed yet. */
  #open = 0;
  #closed: PromiseWithResolvers<void> | undefined;
  #secureContext: SecureContext | undefined;

  /** The fixed head made last: nearly always the one that is wanted next. */
  #knownHead:
    | {
        readonly method: string;
        readonly path: string;
        readonly headers: Readonly<Record<string, string>>;
        readonly text: string;
      }
    | undefined;

  constructor(options: SocketTransportOptions) {
    this.options = options;
    this.#host = options.url.host;
    this.#basePath = options.url.pathname.replace(/\/+$/, "");
  }

  send(exchange: Exchange): void {
    const { name } = this.options;
    const head = this.#head(exchange.request);
    if (head === undefined) {
      exchange.fail(new TransportError("malformed", `${name}: a request whose path or headers cannot be sent`));
      return;
    }
    exchange.head = head;
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      connection.idle = false;
      if (connection.start(exchange)) return;
    }
    this.sendOnNew(exchange);
  }

  sendOnNew(exchange: Exchange): void {
    try {
      new Connection(this).start(exchange);
    } catch (error) {
      // A certificate or a key that is none.
      exchange.fail(
        new TransportError("connect", `${this.options.name}: connect failed (${reasonOf(error as Error)})`, error),
      );
    }
  }

  /** Parsed once, not for each connection. Throws what OpenSSL says of a bad certificate. */
  secureContext(): SecureContext {
    this.#secureContext ??= createSecureContext({ ...this.options.tls });
    return this.#secureContext;
  }

  /** A request's head, `content-length` and blank line included; undefined = something in it would not stay where it is. */
  #head({ method, path, headers, requestId, traceparent, tracestate, body }: TransportRequest): string | undefined {
    const known = this.#knownHead;
    let fixed = known?.text;
    if (known === undefined || known.headers !== headers || known.path !== path || known.method !== method) {
      fixed = this.#fixedHead(method, path, headers);
      if (fixed !== undefined) this.#knownHead = { method, path, headers, text: fixed };
    }
    if (fixed === undefined) return undefined;
    if (requestId !== undefined) {
      const line = `x-request-id: ${requestId}`;
      if (!HEADER_LINE.test(line)) return undefined;
      fixed += `${line}\r\n`;
    }
    if (traceparent !== undefined) {
      const lines = `traceparent: ${traceparent}\r\n`;
      const state = tracestate === undefined || tracestate === "" ? "" : `tracestate: ${tracestate}`;
      if (!TRACEPARENT.test(traceparent) || (state !== "" && !HEADER_LINE.test(state))) return undefined;
      fixed += state === "" ? lines : `${lines}${state}\r\n`;
    }
    if (body === undefined && method === "GET") return `${fixed}\r\n`;
    return `${fixed}content-length: ${body?.length ?? 0}\r\n\r\n`;
  }

  /** What is the same in every request with these headers to this path. */
  #fixedHead(method: string, path: string, headers: Readonly<Record<string, string>>): string | undefined {
    if (!PATH.test(path)) return undefined;
    let text = `${method} ${this.#basePath}${path} HTTP/1.1\r\nhost: ${this.#host}\r\n`;
    for (const name in headers) {
      const line = `${name}: ${headers[name]}`;
      if (!HEADER_LINE.test(line)) return undefined;
      text += `${line}\r\n`;
    }
    return text;
  }

  release(connection: Connection): void {
    if (this.#closed !== undefined) {
      connection.destroy();
      return;
    }
    connection.idle = true;
    this.#idle.push(connection);
  }

  forget(connection: Connection): void {
    if (!connection.idle) return;
    connection.idle = false;
    this.#idle.splice(this.#idle.indexOf(connection), 1);
  }

  /** What closed one idle connection has closed the others: the next request must not meet them. */
  dropIdle(): void {
    for (const connection of this.#idle.splice(0)) {
      connection.idle = false;
      connection.destroy();
    }
  }

  onOpen(): void {
    this.#open++;
  }

  onClose(): void {
    this.#open--;
    if (this.#open === 0) this.#closed?.resolve();
  }

  /** A request that comes later is still served, on a connection of its own. */
  close(): Promise<void> {
    this.dropIdle();
    this.#closed ??= Promise.withResolvers<void>();
    if (this.#open === 0) this.#closed.resolve();
    return this.#closed.promise;
  }
}

/** A connection and the exchange that it serves now. */
class Connection {
  /** Told by the pool: it is in its list. */
  idle = false;
  readonly #pool: Pool;
  readonly #socket: Socket;
  /** Connecting, then idle: closes what took too long. */
  readonly #alarm: Alarm;
  #exchange: Exchange | undefined;
  /** It has served before. */
  #reused = false;
  #connected = false;
  #anyBytes = false;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#alarm = createAlarm(() => this.#onAlarm());
    this.#socket = this.#connect();
    pool.onOpen();
    this.#socket.setNoDelay(true);
    this.#socket.on("error", (error) => this.#onGone(error));
    this.#socket.on("end", () => this.#onEnd());
    this.#socket.on("close", () => {
      this.#onGone(undefined);
      pool.onClose();
    });
    this.#alarm.set(pool.options.connectTimeoutMs);
  }

  #connect(): Socket {
    const { url } = this.#pool.options;
    const secure = url.protocol === "https:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port) || (secure ? 443 : 80);
    if (secure) {
      const servername = isIP(host) === 0 ? { servername: host } : {};
      const secureContext = this.#pool.secureContext();
      const socket = connectTls({ host, port, ALPNProtocols: ["http/1.1"], secureContext, ...servername }, () =>
        this.#onConnect(),
      );
      socket.on("data", (chunk: Buffer) => this.#onBytes(chunk, chunk.length));
      return socket;
    }
    const callback = (length: number): boolean => {
      this.#onBytes(readBuffer, length);
      return true;
    };
    return connectTcp({ host, port, onread: { buffer: readBuffer, callback } }, () => this.#onConnect());
  }

  /** False = it cannot: closed while it was idle. */
  start(exchange: Exchange): boolean {
    if (this.#socket.destroyed || !this.#socket.writable) {
      this.destroy();
      return false;
    }
    this.#exchange = exchange;
    exchange.connection = this;
    if (this.#reused) this.#alarm.clear();
    const { head } = exchange;
    const { body } = exchange.request;
    if (body === undefined) this.#socket.write(head, "latin1");
    else if (body.length <= JOINED_BODY_BYTES) {
      const joined = Buffer.allocUnsafe(head.length + body.length);
      joined.write(head, 0, "latin1");
      joined.set(body, head.length);
      writeLater(() => {
        // It may have been given up by now.
        if (this.#exchange === exchange) this.#socket.write(joined);
      });
    } else {
      this.#socket.write(head, "latin1");
      this.#socket.write(body);
    }
    return true;
  }

  #onConnect(): void {
    this.#connected = true;
    this.#alarm.clear();
  }

  #onAlarm(): void {
    const { name, connectTimeoutMs } = this.#pool.options;
    if (!this.#connected)
      this.#fail(new TransportError("connect", `${name}: no connection within ${connectTimeoutMs} ms`));
    this.destroy();
  }

  #onBytes(bytes: Buffer, length: number): void {
    const exchange = this.#exchange;
    this.#anyBytes = true;
    // Bytes that nobody asked for: the connection cannot be trusted any more.
    if (exchange === undefined) {
      this.destroy();
      return;
    }
    try {
      exchange.parser.push(bytes, length);
    } catch (error) {
      this.#fail(
        error instanceof TransportError
          ? new TransportError(error.fault, `${this.#pool.options.name}: ${error.message}`)
          : error,
      );
      this.destroy();
      return;
    }
    if (exchange.parser.done) this.#next(exchange);
    else if (exchange.queued >= READ_AHEAD_BYTES) this.#socket.pause();
  }

  /** The exchange is over: idle, or away. */
  #next({ reusable, headers }: Exchange): void {
    this.#exchange = undefined;
    const idleMs = reusable ? idleTime(headers["keep-alive"]) : 0;
    // A request that is still being sent would run into the next one.
    if (idleMs <= 0 || this.#socket.writableLength > 0 || this.#socket.destroyed) {
      this.destroy();
      return;
    }
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#reused = true;
    this.#alarm.set(idleMs);
    this.#pool.release(this);
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  #onEnd(): void {
    const exchange = this.#exchange;
    if (exchange?.parser.close()) this.#exchange = undefined;
    this.#onGone(undefined);
  }

  #onGone(error: Error | undefined): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      this.destroy();
      return;
    }
    this.#exchange = undefined;
    const stale = this.#reused && !exchange.parser.begun;
    const meaning = this.#meaning(exchange, error);
    this.destroy();
    if (stale) this.#pool.dropIdle();
    // What only reads may be asked twice (RFC 9110, section 9.2.2).
    if (stale && exchange.request.method === "GET") this.#pool.sendOnNew(exchange);
    else exchange.fail(meaning);
  }

  #meaning(exchange: Exchange, error: NodeJS.ErrnoException | undefined): TransportError {
    const { name } = this.#pool.options;
    const what = error === undefined ? "closed by the backend" : reasonOf(error);
    // With TLS 1.3 a backend refuses our certificate only after we have taken the connection for made.
    const refused = error !== undefined && !this.#anyBytes && sslReason(error) !== undefined;
    if (!this.#connected || refused)
      return new TransportError(isShortage(error) ? "shortage" : "connect", `${name}: connect failed (${what})`, error);
    if (exchange.status !== 0)
      return new TransportError("cut", `${name}: the connection broke inside the reply (${what})`, error);
    const which = this.#reused ? "an idle connection" : "the connection";
    return new TransportError("reset", `${name}: ${which} closed before a response (${what})`, error);
  }

  #fail(error: unknown): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.fail(error as TransportError);
  }

  destroy(): void {
    this.#exchange = undefined;
    this.#alarm.clear();
    this.#pool.forget(this);
    this.#socket.destroy();
  }
}

/** Milliseconds that an idle connection may be kept, in view of `Keep-Alive: timeout=N` (seconds). */
function idleTime(hint: string | string[] | undefined): number {
  if (hint === undefined) return KEEP_ALIVE_MS;
  const seconds = /timeout=(\d{1,9})/i.exec(String(hint))?.[1];
  if (seconds === undefined) return KEEP_ALIVE_MS;
  const ms = Number(seconds) * 1000;
  return Math.min(KEEP_ALIVE_MS, ms - Math.min(KEEP_ALIVE_MARGIN_MS, ms / 2));
}

/** OpenSSL's own words in a message like `write EPROTO 00..:error:0A00010B:SSL routines:tls_get_more_records:wrong version number:...`. */
function sslReason({ message }: Error): string | undefined {
  return /:SSL routines:[^:]*:([^:]{1,200})/.exec(message)?.[1];
}

/** Descriptors of the process or the system, local ports, and the kernel's memory for sockets: nothing of the backend's. */
const shortages: ReadonlySet<string | undefined> = new Set(["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS", "ENOMEM"]);

/** Did we lack what a connection is made of? */
function isShortage(error: NodeJS.ErrnoException | undefined): boolean {
  return shortages.has(error?.code);
}

/** What an operator is told of an error: its code, and for TLS what is wrong. */
function reasonOf(error: NodeJS.ErrnoException & { reason?: unknown }): string {
  const { code, message } = error;
  const reason = sslReason(error) ?? (typeof error.reason === "string" ? error.reason.slice(0, 200) : undefined);
  if (code === undefined) return reason ?? message;
  return reason === undefined ? code : `${code}: ${reason}`;
}
