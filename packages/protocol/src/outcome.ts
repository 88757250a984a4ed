/** Why an attempt failed. A closed list: metric label, log field and retry rule read it. */
export type FailureCause =
  | "connect" // refused, DNS, TLS, connect timeout
  | "reset" // the connection closed before any byte of a response
  | "first_token" // nothing with content within the first-token limit
  | "stall" // silence after content, longer than the idle limit
  | "cut" // the reply ended without a finish_reason for every choice
  | "malformed" // not HTTP, not JSON, not SSE, empty, or wrong content type
  | "server_error" // 5xx other than 503, or an error event
  | "total"; // the request's deadline passed while this attempt ran

/**
 * The one outcome of an attempt, decided once, at the end of the reply. Breaker, metrics, retries and log read it.
 * - `ok`: a finish_reason was seen for every choice
 * - `client_gone`: the client left first; says nothing about the backend
 * - `cancelled`: we gave it up, because another attempt of the same request had settled it, or because its reply was to be the rest
 *   of another one and was not; says nothing about the backend
 * - `caller_error`: the backend refused the request itself (4xx): it is alive
 * - `backpressure`: 429 or 503: alive but busy; neutral, cools down for Retry-After
 * - `shortage`: we had no descriptor or port to reach the backend with; says nothing about it
 * - `failed`: counts against the backend
 */
export type Outcome =
  | { readonly kind: "ok" }
  | { readonly kind: "client_gone" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "caller_error"; readonly status: number }
  | { readonly kind: "backpressure"; readonly status: number; readonly retryAfterMs: number | undefined }
  | { readonly kind: "shortage" }
  | { readonly kind: "failed"; readonly cause: FailureCause };

export type OutcomeKind = Outcome["kind"];

/**
 * - `caller`: the request is wrong, another backend would say the same
 * - `context_length`: too long for this model; a model with a larger context may take it
 * - `content_filter`: refused for its content: no retry and no fallback
 * - `model_missing`: this backend does not have the model: another deployment may
 * - `busy`: come back later (429, 503, queue full)
 * - `loading`: the model is being loaded: a cold start, not a fault
 * - `auth`: our own key for this backend is wrong: never the caller's fault
 * - `server`: the backend failed
 */
export const upstreamMeanings = [
  "caller",
  "context_length",
  "content_filter",
  "model_missing",
  "busy",
  "loading",
  "auth",
  "server",
] as const;

/** What a backend's error answer means, as its kind's table of error bodies reads it. */
export interface UpstreamError {
  readonly status: number;
  /** Short, from the backend, at most 500 characters; never HTML. */
  readonly message: string;
  readonly meaning: (typeof upstreamMeanings)[number];
  readonly retryAfterMs: number | undefined;
  /** The `error` object as the backend sent it, to pass on with a 4xx. */
  readonly body: unknown;
}
