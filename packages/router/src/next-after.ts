import type { AttemptFailure } from "./attempt-failure.ts";

/** What may still help a request after one of its attempts failed. */
export type Next = "other_backend" | "same_backend" | "larger_model" | "next_model" | "give_up";

/** The connection was dropped unanswered: mostly an idle one that the engine closed as we wrote to it. */
export function isReset({ end }: AttemptFailure): boolean {
  return end.how === "fault" && end.fault === "reset";
}

/** Reads only the failure: what can still help this request? */
export function nextAfter(failure: AttemptFailure): Next {
  const { end, outcome } = failure;
  if (end.how === "denied") return end.escalate ? "next_model" : "give_up";
  if (end.how === "refused") {
    switch (end.error.meaning) {
      case "caller":
      case "content_filter":
        return "give_up";
      case "context_length":
        return "larger_model";
      case "server":
        return end.error.status === 501 ? "other_backend" : "same_backend";
      default:
        return "other_backend";
    }
  }
  if (outcome.kind === "client_gone") return "give_up";
  if (isReset(failure)) return "same_backend";
  return end.how === "timeout" && end.which === "total" ? "give_up" : "other_backend";
}
