import { type Socket, connect as connectTcp, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Transport, TransportError, type TransportExchange, type TransportRequest, type TransportResponse } from "@signalbox/protocol";
import { type Alarm, createAlarm } from "./alarm.ts";
import { type Headers, ResponseParser, type ResponseSink } from "./response-parser.ts";

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
/** Bytes that may wait for a reader before the backend is paused. */
const READ_AHEAD_BYTES = 64 * 1024;
/** One buffer for every read of every connection: a read is handled before the next begins, and what is kept is copied. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
/** A body up to this size leaves in one write with its head. */
const JOINED_BODY_BYTES = 64 * 1024;

/**
 * HTTP/1.1 to one backend on sockets of our own: one request at a time on a connection, the connection used last is used
 * first, and nothing on the way but a parser. All timers but the connect timeout are the caller's.
 */
export function createSocketTransport(options: SocketTransportOptions): Transport {
  const pool = new Pool(options);
  return {
    open(request) {
      const exchange = new Exchange(options.name, request);
      pool.send(exchange);
      return exchange;
    },
    close: async () => pool.close(),
  };
}

class Pool {
  readonly #options: SocketTransportOptions;
  readonly #host: string;
  readonly #basePath: string;
  readonly #idle: Connection[] = [];
  #closed = false;

  constructor(options: SocketTransportOptions) {
    this.#options = options;
    this.#host = options.url.host;
    this.#basePath = options.url.pathname.replace(/\/+$/, "");
  }

  send(exchange: Exchange): void {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.start(exchange, true)) return;
    }
    new Connection(this, this.#options).start(exchange, false);
  }

  /** The bytes of a request's head, `content-length` and blank line included. */
  head({ method, path, headers, body }: TransportRequest): string {
    let text = `${method} ${this.#basePath}${path} HTTP/1.1\r\nhost: ${this.#host}\r\n`;
    for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
    return body === undefined ? `${text}\r\n` : `${text}content-length: ${body.length}\r\n\r\n`;
  }

  release(connection: Connection): void {
    if (this.#closed) connection.destroy();
    else this.#idle.push(connection);
  }

  forget(connection: Connection): void {
    const place = this.#idle.indexOf(connection);
    if (place >= 0) this.#idle.splice(place, 1);
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}

/** A connection and the exchange that it serves now. */
class Connection {
  readonly #pool: Pool;
  readonly #options: SocketTransportOptions;
  readonly #socket: Socket;
  /** Connecting, then idle: closes what took too long. */
  readonly #alarm: Alarm;
  #exchange: Exchange | undefined;
  #reused = false;
  #connected = false;

  constructor(pool: Pool, options: SocketTransportOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#alarm = createAlarm(() => this.#onAlarm());
    this.#socket = this.#connect();
    this.#socket.setNoDelay(true);
    this.#socket.on("error", (error) => this.#onGone(error));
    this.#socket.on("end", () => this.#onEnd());
    this.#socket.on("close", () => this.#onGone(undefined));
    this.#alarm.set(options.connectTimeoutMs);
  }

  #connect(): Socket {
    const { url, tls } = this.#options;
    const secure = url.protocol === "https:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port) || (secure ? 443 : 80);
    if (secure) {
      const servername = isIP(host) === 0 ? { servername: host } : {};
      const socket = connectTls({ host, port, ALPNProtocols: ["http/1.1"], ...servername, ...tls }, () => this.#onConnect());
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
  start(exchange: Exchange, reused: boolean): boolean {
    if (this.#socket.destroyed || !this.#socket.writable) return false;
    this.#exchange = exchange;
    this.#reused = reused;
    exchange.connection = this;
    if (reused) {
      this.#alarm.clear();
      if (exchange.settled) this.destroy();
    }
    const { request } = exchange;
    const head = this.#pool.head(request);
    const { body } = request;
    if (body === undefined) this.#socket.write(head, "latin1");
    else if (body.length <= JOINED_BODY_BYTES) {
      const joined = Buffer.allocUnsafe(head.length + body.length);
      joined.write(head, 0, "latin1");
      joined.set(body, head.length);
      this.#socket.write(joined);
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
    const { name, connectTimeoutMs } = this.#options;
    if (!this.#connected) this.#fail(new TransportError("connect", `${name}: no connection within ${connectTimeoutMs} ms`));
    this.destroy();
  }

  #onBytes(bytes: Buffer, length: number): void {
    const exchange = this.#exchange;
    // Bytes that nobody asked for: the connection cannot be trusted any more.
    if (exchange === undefined) return this.destroy();
    try {
      exchange.parser.push(bytes, length);
    } catch (error) {
      this.#fail(error instanceof TransportError ? new TransportError(error.fault, `${this.#options.name}: ${error.message}`) : error);
      this.destroy();
      return;
    }
    if (exchange.parser.done) this.#next(exchange.reusable);
    else if (exchange.queued >= READ_AHEAD_BYTES) this.#socket.pause();
  }

  /** The exchange is over: idle, or away. */
  #next(reusable: boolean): void {
    this.#exchange = undefined;
    // A request that is still being sent would run into the next one.
    if (!reusable || this.#socket.writableLength > 0 || this.#socket.destroyed) return this.destroy();
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#alarm.set(KEEP_ALIVE_MS);
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
    this.#alarm.clear();
    this.#pool.forget(this);
    this.#fail(this.#meaning(error));
    this.#socket.destroy();
  }

  #meaning(error: NodeJS.ErrnoException | undefined): TransportError {
    const { name } = this.#options;
    const what = error?.code ?? error?.message ?? "closed by the backend";
    if (!this.#connected) return new TransportError("connect", `${name}: connect failed (${what})`, error);
    if (this.#exchange?.parser.begun) return new TransportError("cut", `${name}: the connection broke inside the reply (${what})`, error);
    const idle = this.#reused ? "an idle connection" : "the connection";
    return new TransportError("reset", `${name}: ${idle} closed before a response (${what})`, error);
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

/** One request and its response: bytes pushed in on one side, pulled out on the other. */
class Exchange implements TransportExchange, TransportResponse, ResponseSink {
  readonly request: TransportRequest;
  readonly parser: ResponseParser;
  readonly response: Promise<TransportResponse>;
  connection: Connection | undefined;
  status = 0;
  headers: Headers = {};
  /** Bytes that wait for the reader. */
  queued = 0;
  reusable = false;
  readonly #name: string;
  #resolve!: (response: TransportResponse) => void;
  #reject!: (error: TransportError) => void;
  #queue: Buffer[] = [];
  #complete = false;
  #error: TransportError | undefined;
  #waiter: { resolve(piece: Buffer | undefined): void; reject(error: TransportError): void } | undefined;

  constructor(name: string, request: TransportRequest) {
    this.#name = name;
    this.request = request;
    this.parser = new ResponseParser(this);
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get settled(): boolean {
    return this.#complete || this.#error !== undefined;
  }

  onHead(status: number, headers: Headers): void {
    this.status = status;
    this.headers = headers;
    this.#resolve(this);
  }

  onBody(piece: Buffer): void {
    if (this.#waiter !== undefined) {
      const { resolve } = this.#waiter;
      this.#waiter = undefined;
      resolve(piece);
      return;
    }
    this.#queue.push(piece);
    this.queued += piece.length;
  }

  onComplete(reusable: boolean): void {
    this.#complete = true;
    this.reusable = reusable;
    this.#waiter?.resolve(undefined);
    this.#waiter = undefined;
  }

  fail(error: TransportError): void {
    if (this.settled) return;
    this.#error = error;
    if (this.status === 0) this.#reject(error);
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  abort(): void {
    if (this.settled) return;
    this.fail(new TransportError("aborted", `${this.#name}: aborted`));
    this.connection?.destroy();
  }

  read(): Promise<Buffer | undefined> {
    const piece = this.#queue.shift();
    if (piece !== undefined) {
      this.queued -= piece.length;
      if (this.queued < READ_AHEAD_BYTES && !this.#complete) this.connection?.resume();
      return Promise.resolve(piece);
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#complete) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }
}
