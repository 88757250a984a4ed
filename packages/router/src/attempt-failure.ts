import type { FailureCause, GatewayError, Outcome, TransportError, UpstreamError } from "@signalbox/protocol";

/** How an attempt ended, as it was seen on the wire. */
export type AttemptEnd =
  | { readonly how: "complete" }
  | { readonly how: "client_gone" }
  /** The backend answered with an error, under any status. */
  | { readonly how: "refused"; readonly error: UpstreamError }
  | { readonly how: "fault"; readonly fault: TransportError["fault"] }
  | { readonly how: "timeout"; readonly which: "first_token" | "stall" | "total" }
  /** The reply ended without a finish_reason for every choice. */
  | { readonly how: "incomplete" }
  /** The reply is sound, but the policy keeps it from the client: its `error` says why. Perhaps another model may answer. */
  | { readonly how: "denied"; readonly escalate: boolean; readonly error: GatewayError }
  /** Not a reply: wrong content type, no JSON, no choices. */
  | { readonly how: "malformed" };

const failed = (cause: FailureCause): Outcome => ({ kind: "failed", cause });

/** The one place where the end of an attempt becomes its outcome. */
export function classifyOutcome(end: AttemptEnd): Outcome {
  switch (end.how) {
    case "complete":
      return { kind: "ok" };
    case "client_gone":
      return { kind: "client_gone" };
    case "timeout":
      return failed(end.which);
    case "incomplete":
      return failed("cut");
    case "malformed":
      return failed("malformed");
    case "fault":
      if (end.fault === "aborted") return { kind: "client_gone" };
      return end.fault === "shortage" ? { kind: "shortage" } : failed(end.fault);
    case "denied":
      return { kind: "caller_error", status: end.error.status };
    case "refused":
      return classifyRefusal(end.error);
  }
}

function classifyRefusal(error: UpstreamError): Outcome {
  switch (error.meaning) {
    case "busy":
    case "loading":
      return { kind: "backpressure", status: error.status, retryAfterMs: error.retryAfterMs };
    case "server":
    case "auth":
      return failed("server_error");
    case "caller":
    case "context_length":
    case "content_filter":
    case "model_missing":
      return { kind: "caller_error", status: error.status };
  }
}

/** Thrown by an attempt that did not commit, and by a reply that broke after it did. `message` names the backend. */
export class AttemptFailure extends Error {
  override readonly name = "AttemptFailure";
  readonly end: AttemptEnd;
  readonly outcome: Outcome;

  constructor(end: AttemptEnd, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.end = end;
    this.outcome = classifyOutcome(end);
  }
}

/** What an attempt threw, as its failure: anything else than an AttemptFailure is a fault of ours, and the log's to tell. */
export function attemptFailureOf(error: unknown, backend: string): AttemptFailure {
  if (error instanceof AttemptFailure) return error;
  return new AttemptFailure({ how: "malformed" }, `${backend}: the attempt could not be made`, error);
}
