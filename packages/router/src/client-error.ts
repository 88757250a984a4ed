import { GatewayError } from "@signalbox/protocol";
import type { AttemptFailure } from "./attempt-failure.ts";

/** What a failed last attempt is to the client. `retryAfterMs` is told where the backend itself did not say. */
export function clientErrorOf(failure: AttemptFailure, retryAfterMs: number): GatewayError {
  const { end, outcome, message } = failure;
  const cause = failure;
  if (end.how === "denied") return end.error;
  if (end.how === "refused") {
    const { error } = end;
    switch (error.meaning) {
      case "caller":
      case "content_filter":
        return new GatewayError("rejected_by_backend", message, {
          cause,
          status: error.status,
          upstreamBody: error.body,
        });
      case "context_length":
        return new GatewayError("context_length_exceeded", message, { cause, upstreamBody: error.body });
      case "busy":
      case "loading":
        return new GatewayError("backends_overloaded", message, {
          cause,
          retryAfterMs: error.retryAfterMs ?? retryAfterMs,
        });
      default:
        // 501: the engine was started without what the request needs (embeddings, mostly).
        return new GatewayError(error.status === 501 ? "capability_not_supported" : "upstream_failed", message, {
          cause,
        });
    }
  }
  if (outcome.kind === "client_gone") return new GatewayError("client_closed_request", message, { cause });
  if (outcome.kind === "shortage")
    return new GatewayError("gateway_overloaded", message, { cause, retryAfterMs: 1000 });
  if (end.how === "timeout") {
    return new GatewayError(end.which === "total" ? "deadline_exceeded" : "upstream_timeout", message, { cause });
  }
  if (end.how === "fault" && end.fault === "connect") {
    return new GatewayError("backends_unavailable", message, { cause, retryAfterMs });
  }
  return new GatewayError("upstream_failed", message, { cause });
}
