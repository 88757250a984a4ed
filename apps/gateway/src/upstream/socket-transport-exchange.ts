import {
  TransportError,
  type TransportExchange,
  type TransportRequest,
  type TransportResponse,
} from "@signalbox/protocol";
import { type Headers, ResponseParser, type ResponseSink } from "./response-parser.ts";

/** Bytes that may wait for a reader before the backend is paused. */
export const READ_AHEAD_BYTES = 64 * 1024;
/** What a waiting piece costs beside its bytes: a backend that sends single bytes is paused, too. */
const PIECE_BYTES = 128;

/** What an exchange asks of the connection that serves it. */
export interface ServingConnection {
  /** Reads on, if it was paused. */
  resume(): void;
  destroy(): void;
}

/** One request and its response: bytes pushed in on one side, pulled out on the other. */
export class Exchange implements TransportExchange, TransportResponse, ResponseSink {
  readonly request: TransportRequest;
  readonly parser: ResponseParser;
  readonly response: Promise<TransportResponse>;
  connection: ServingConnection | undefined;
  /** Of the request, as it is sent. */
  head = "";
  status = 0;
  headers: Headers = {};
  /** Bytes that wait for the reader, and what keeping them costs. */
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
    this.queued += piece.length + PIECE_BYTES;
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
    if (this.status === 0) {
      this.#reject(error);
      // Who aborted may not care to hear of it.
      this.response.catch(() => {});
    }
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  abort(): void {
    if (this.settled) return;
    this.#queue = [];
    this.fail(new TransportError("aborted", `${this.#name}: aborted`));
    this.connection?.destroy();
  }

  read(): Promise<Buffer | undefined> {
    const piece = this.#queue.shift();
    if (piece !== undefined) {
      this.queued -= piece.length + PIECE_BYTES;
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
