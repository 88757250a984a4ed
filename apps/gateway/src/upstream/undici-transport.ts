import { type Transport, TransportError, type TransportExchange, type TransportResponse } from "@signalbox/protocol";
import { type Dispatcher, errors, Pool } from "undici";

export interface UndiciTransportOptions {
  /** Names the backend in messages. */
  readonly name: string;
  readonly url: URL;
  readonly connectTimeoutMs: number;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

/** Engines on uvicorn and cpp-httplib close idle connections after 5 s; we let go first. */
const KEEP_ALIVE_MS = 4000;
/** Bytes that may wait for a reader before the backend is paused. */
const READ_AHEAD_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 32 * 1024;

/** A transport on an undici Pool for one backend; all timers but the connect timeout are the caller's. */
export function createUndiciTransport(options: UndiciTransportOptions): Transport {
  const { name, url } = options;
  const basePath = url.pathname.replace(/\/+$/, "");
  const pool = new Pool(url.origin, {
    allowH2: false,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    connect: { timeout: options.connectTimeoutMs, autoSelectFamily: true, ...options.tls },
  });
  return {
    open(request) {
      const exchange = new Exchange(name);
      pool.dispatch(
        {
          path: basePath + request.path,
          method: request.method,
          headers: request.headers,
          body: request.body ?? null,
        },
        exchange,
      );
      return exchange;
    },
    close: () => pool.close(),
  };
}

/** What an undici error means on the wire. */
function toTransportError(name: string, error: unknown, begun: boolean): TransportError {
  if (error instanceof TransportError) return error;
  const code = (error as { code?: string }).code ?? "";
  const message = error instanceof Error ? error.message || code : String(error);
  if (error instanceof errors.ConnectTimeoutError) return new TransportError("connect", `${name}: connect timed out`, error);
  if (error instanceof errors.HTTPParserError || code.startsWith("HPE_") || error instanceof errors.HeadersOverflowError) {
    return new TransportError("malformed", `${name}: not a valid HTTP response (${message.slice(0, 120)})`, error);
  }
  if (error instanceof errors.InvalidArgumentError) return new TransportError("malformed", `${name}: ${message}`, error);
  if (begun) return new TransportError("cut", `${name}: the connection broke inside the reply (${message})`, error);
  const syscall = (error as { syscall?: string }).syscall;
  const connecting = syscall === "connect" || syscall === "getaddrinfo" || code.startsWith("ERR_TLS") || code.includes("CERT");
  const tooFew = error instanceof AggregateError;
  if (connecting || tooFew || code === "ENOTFOUND" || code === "DEPTH_ZERO_SELF_SIGNED_CERT" || code === "ERR_SSL_WRONG_VERSION_NUMBER") {
    return new TransportError("connect", `${name}: connect failed (${code || message})`, error);
  }
  return new TransportError("reset", `${name}: the connection closed before a response (${code || message})`, error);
}

/** One request and its response, as undici's handler on one side and a pulled body on the other. */
class Exchange implements Dispatcher.DispatchHandler, TransportExchange, TransportResponse {
  readonly response: Promise<TransportResponse>;
  status = 0;
  headers: Record<string, string | string[] | undefined> = {};
  readonly #name: string;
  #resolve!: (response: TransportResponse) => void;
  #reject!: (error: TransportError) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #queue: Buffer[] = [];
  #queued = 0;
  #ended = false;
  #error: TransportError | undefined;
  #waiter: { resolve(chunk: Buffer | undefined): void; reject(error: TransportError): void } | undefined;

  constructor(name: string) {
    this.#name = name;
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  abort(): void {
    if (!this.#ended) this.#fail(new TransportError("aborted", `${this.#name}: aborted`));
  }

  #fail(error: TransportError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    if (this.status === 0) this.#reject(error);
    this.#waiter?.reject(error);
    this.#waiter = undefined;
    this.#controller?.abort(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(this.#error ?? new TransportError("aborted", `${this.#name}: aborted`));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (statusCode < 200) return;
    this.status = statusCode;
    this.headers = headers;
    this.#resolve(this);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#waiter !== undefined) {
      const { resolve } = this.#waiter;
      this.#waiter = undefined;
      resolve(chunk);
      return;
    }
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    if (this.#queued >= READ_AHEAD_BYTES) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#waiter?.resolve(undefined);
    this.#waiter = undefined;
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(toTransportError(this.#name, error, this.status !== 0));
  }

  read(): Promise<Buffer | undefined> {
    const chunk = this.#queue.shift();
    if (chunk !== undefined) {
      this.#queued -= chunk.length;
      if (this.#controller?.paused && this.#queued < READ_AHEAD_BYTES) this.#controller.resume();
      return Promise.resolve(chunk);
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }
}
