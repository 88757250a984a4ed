/** The one way bytes reach a backend. Small, so that another HTTP client can be put behind it. */
export interface Transport {
  /** Sends a request at once. Redirects are not followed. */
  open(request: TransportRequest): TransportExchange;
  /** Closes idle connections and waits for those in use. */
  close(): Promise<void>;
}

export interface TransportRequest {
  readonly method: "GET" | "POST";
  /** Path and query, beginning with a slash; appended to the backend's own base path. */
  readonly path: string;
  /** Best the same object for every request: what is made of it is kept. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as `x-request-id`, in place of one in `headers`. */
  readonly requestId?: string | undefined;
  /** Sent as the header of that name: the part of a trace that asks. */
  readonly traceparent?: string | undefined;
  /** Sent as the header of that name, unless it is empty. */
  readonly tracestate?: string | undefined;
  readonly body: Uint8Array | undefined;
}

export interface TransportExchange {
  /**
   * Resolves when response headers are there.
   * @throws TransportError `connect` (refused, DNS, TLS, connect timeout), `shortage` (we have no descriptor or port for a
   * connection), `reset` (closed before headers), `malformed`, `aborted`.
   */
  readonly response: Promise<TransportResponse>;
  /** Drops the connection, in every phase. Safe to call at any time, also after the end. */
  abort(): void;
}

export interface TransportResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Record<string, string | string[] | undefined>;
  /**
   * The next piece of the body, as it came from the socket; undefined at a clean end. Nothing is read ahead beyond one
   * socket buffer: a reader that does not pull pauses the backend.
   * @throws TransportError `cut` when the connection breaks before the body's end.
   */
  read(): Promise<Buffer | undefined>;
}

/** A fault on the wire. `message` names the backend, what happened and the number. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly fault: "connect" | "shortage" | "reset" | "cut" | "malformed" | "aborted";
  constructor(fault: TransportError["fault"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.fault = fault;
  }
}
