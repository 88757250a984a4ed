import type { IncomingMessage, ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { GatewayError } from "@signalbox/protocol";
import type { Context } from "hono";
import { writeLater } from "../runtime/write-later.ts";
import { inPortions } from "./in-portions.ts";
import type { IncomingBody, Intake } from "./intake.ts";
import { closeGently } from "./refusals.ts";
import { watchWriteStall } from "./write-stall.ts";

/** A response's headers, as a flat list of names and values (Node's cheapest form). */
export type HeaderList = string[];

/**
 * One HTTP request and the way back to its client. The only file that knows both ways: Node's own streams where there
 * are any, and the Web's Request and Response otherwise (`app.request()`, other runtimes).
 */
export interface HttpExchange {
  header(name: string): string | undefined;
  /** How many times a header was sent. */
  headerCount(name: string): number;
  readonly remoteAddress: string;
  /** A client that takes nothing of its answer for so many milliseconds is let go. */
  writeStallMs: number;
  /** Calls back when the client has left before its answer was complete. */
  onClientGone(callback: () => void): void;
  /**
   * The body, whole; `intake` says how fast it must come, and has room for it until the exchange is over.
   * @throws GatewayError `request_too_large` over `maxBytes`, `request_timeout`, `gateway_overloaded`, `client_closed_request`.
   */
  readBody(maxBytes: number, intake: Intake): Promise<Buffer>;
  /** The body will not be read: a small one is passed over, and who sends a large one finds the connection closed. */
  leaveBody(): void;
  /** Answers whole. */
  send(status: number, headers: HeaderList, body: Buffer | string): void;
  /** Begins an answer in pieces. */
  start(status: number, headers: HeaderList): void;
  /** A piece of a begun answer. A promise when the client reads more slowly than we write; rejects when it has left. */
  write(piece: Buffer): Promise<void> | undefined;
  end(): void;
  /** Closes the connection, for want of an answer that can be sent. */
  drop(): void;
  /** What the Hono handler returns; resolves when there is something to return. */
  readonly response: Response | Promise<Response>;
}

/** Unless told otherwise. */
const WRITE_STALL_MS = 30_000;
/** A body that is not read is passed over up to this size. */
const MAX_PASSED_BYTES = 64 * 1024;

interface NodeBindings {
  incoming?: IncomingMessage;
  outgoing?: ServerResponse;
}

/** The exchange behind a Hono context. */
export function exchangeOf(c: Context): HttpExchange {
  const { incoming, outgoing } = (c.env ?? {}) as NodeBindings;
  return incoming !== undefined && outgoing !== undefined
    ? new NodeExchange(incoming, outgoing)
    : new WebExchange(c.req.raw);
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError("request_too_large", `the request body is larger than ${maxBytes} bytes`);
}

function clientLeft(): GatewayError {
  return new GatewayError("client_closed_request", "the client closed the connection");
}

class NodeExchange implements HttpExchange, IncomingBody {
  readonly response = RESPONSE_ALREADY_SENT;
  writeStallMs = WRITE_STALL_MS;
  place = -1;
  bodyBegan = 0;
  received = 0;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  #watching = false;
  #onGone: (() => void) | undefined;
  #rejectBody: ((error: GatewayError) => void) | undefined;
  #intake: Intake | undefined;
  /** Bytes of the body that the intake has counted. */
  #held = 0;
  #chunks: Buffer[] = [];

  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  get remoteAddress(): string {
    return this.#incoming.socket.remoteAddress ?? "";
  }

  header(name: string): string | undefined {
    const value = this.#incoming.headers[name];
    return typeof value === "string" ? value : value?.join(", ");
  }

  headerCount(name: string): number {
    const raw = this.#incoming.rawHeaders;
    let count = 0;
    for (let i = 0; i < raw.length; i += 2) {
      if (raw[i]!.length === name.length && raw[i]!.toLowerCase() === name) count++;
    }
    return count;
  }

  onClientGone(callback: () => void): void {
    this.#onGone = callback;
    this.#watchClose();
  }

  /** One listener tells both who waits for the body and who works on the answer. */
  #watchClose(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#outgoing.once("close", () => {
      this.#dropBody();
      if (this.#outgoing.writableFinished) return;
      this.#rejectBody?.(clientLeft());
      if (this.#onGone !== undefined) inPortions(this.#onGone);
    });
  }

  readBody(maxBytes: number, intake: Intake): Promise<Buffer> {
    const incoming = this.#incoming;
    const { headers } = incoming;
    const declared = Number(headers["content-length"] ?? 0);
    const refusal = declared > maxBytes ? tooLarge(maxBytes) : intake.refusal(declared);
    if (refusal !== undefined) {
      this.#closeBehindAnswer();
      return Promise.reject(refusal);
    }
    if (headers.expect !== undefined) this.#outgoing.writeContinue();
    this.#watchClose();
    return new Promise((resolve, reject) => {
      this.#rejectBody = reject;
      this.#intake = intake;
      this.bodyBegan = performance.now();
      intake.begin(this);
      incoming.on("data", (chunk: Buffer) => this.#take(chunk, maxBytes, intake));
      incoming.on("end", () => {
        intake.end(this);
        const chunks = this.#chunks;
        this.#chunks = [];
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      });
    });
  }

  #take(chunk: Buffer, maxBytes: number, intake: Intake): void {
    this.received += chunk.length;
    const held = this.received > maxBytes ? tooLarge(maxBytes) : intake.hold(this.received, this.#held);
    if (typeof held !== "number") this.refuseBody(held);
    else {
      this.#held = held;
      this.#chunks.push(chunk);
    }
  }

  refuseBody(error: GatewayError): void {
    this.#incoming.removeAllListeners("data");
    this.#dropBody();
    this.#closeBehindAnswer();
    this.#rejectBody?.(error);
  }

  #dropBody(): void {
    this.#intake?.end(this);
    this.#intake?.release(this.#held);
    this.#held = 0;
    this.#chunks = [];
  }

  leaveBody(): void {
    const { headers } = this.#incoming;
    const declared =
      headers["transfer-encoding"] === undefined ? Number(headers["content-length"] ?? 0) : Number.POSITIVE_INFINITY;
    if (declared > MAX_PASSED_BYTES || headers.expect !== undefined) this.#closeBehindAnswer();
  }

  /** Answers without reading the rest, and lets the connection go when the answer is out. */
  #closeBehindAnswer(): void {
    this.#outgoing.shouldKeepAlive = false;
    closeGently(this.#incoming);
    this.#incoming.resume();
  }

  send(status: number, headers: HeaderList, body: Buffer | string): void {
    const outgoing = this.#outgoing;
    if (outgoing.headersSent || outgoing.destroyed) return;
    const length = Buffer.byteLength(body);
    headers.push("content-length", String(length));
    // At once, since it throws at a header that cannot be sent; the bytes leave with the body.
    outgoing.writeHead(status, headers);
    // Text leaves in one piece with the head (a buffer would be a second one), and plain ASCII needs no encoding.
    writeLater(() => {
      if (outgoing.destroyed) return;
      outgoing.end(body, length === body.length ? "latin1" : "utf8");
      this.#watchRest();
    });
  }

  start(status: number, headers: HeaderList): void {
    if (!this.#outgoing.destroyed) this.#outgoing.writeHead(status, headers);
  }

  write(piece: Buffer): Promise<void> | undefined {
    const outgoing = this.#outgoing;
    if (outgoing.destroyed) return Promise.reject(clientLeft());
    if (outgoing.write(piece)) return undefined;
    const unwatch = watchWriteStall(outgoing, this.writeStallMs);
    return new Promise((resolve, reject) => {
      const settle = (left: boolean): void => {
        unwatch();
        outgoing.off("drain", onDrain);
        outgoing.off("close", onClose);
        if (left) reject(clientLeft());
        else resolve();
      };
      const onDrain = (): void => settle(false);
      const onClose = (): void => settle(true);
      outgoing.once("drain", onDrain);
      outgoing.once("close", onClose);
    });
  }

  drop(): void {
    this.#outgoing.destroy();
  }

  end(): void {
    if (this.#outgoing.destroyed) return;
    this.#outgoing.end();
    this.#watchRest();
  }

  /** The end of the answer that the system has not taken yet; Node itself sets the socket's limit anew when it has. */
  #watchRest(): void {
    if ((this.#outgoing.socket?.writableLength ?? 0) > 0) watchWriteStall(this.#outgoing, this.writeStallMs);
  }
}

class WebExchange implements HttpExchange {
  readonly response: Promise<Response>;
  readonly remoteAddress = "";
  writeStallMs = WRITE_STALL_MS;
  readonly #request: Request;
  #resolve!: (response: Response) => void;
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  #onGone: (() => void) | undefined;
  #pulled: (() => void) | undefined;

  constructor(request: Request) {
    this.#request = request;
    this.response = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined;
  }

  headerCount(name: string): number {
    return this.#request.headers.has(name) ? 1 : 0;
  }

  onClientGone(callback: () => void): void {
    this.#onGone = callback;
    this.#request.signal.addEventListener("abort", callback, { once: true });
  }

  async readBody(maxBytes: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of (this.#request.body ?? []) as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  leaveBody(): void {}

  send(status: number, headers: HeaderList, body: Buffer | string): void {
    this.#resolve(new Response(new Uint8Array(Buffer.from(body)), { status, headers: pairs(headers) }));
  }

  start(status: number, headers: HeaderList): void {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#stream = controller;
      },
      pull: () => {
        this.#pulled?.();
        this.#pulled = undefined;
      },
      cancel: () => this.#onGone?.(),
    });
    this.#resolve(new Response(body, { status, headers: pairs(headers) }));
  }

  write(piece: Buffer): Promise<void> | undefined {
    this.#stream?.enqueue(piece);
    if ((this.#stream?.desiredSize ?? 1) > 0) return undefined;
    return new Promise((resolve) => {
      this.#pulled = resolve;
    });
  }

  drop(): void {
    this.#resolve(new Response(null, { status: 500 }));
  }

  end(): void {
    try {
      this.#stream?.close();
    } catch {
      // Already closed by its reader.
    }
  }
}

function pairs(headers: HeaderList): [string, string][] {
  return Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i]!, headers[2 * i + 1]!]);
}
