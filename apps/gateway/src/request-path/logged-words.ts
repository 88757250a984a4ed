import type { GatewayError } from "@signalbox/protocol";
import { AttemptFailure } from "@signalbox/router";

/** What the log may hold of an error. An engine's own words may repeat the prompt; its own log has them under the request's id. */
export function loggedWords(told: GatewayError, error: unknown): string {
  if (told.code === "internal_error") return stackOf(error);
  const failure = told.cause;
  // Why a key is not taken any more is for the log alone.
  if (told.code === "invalid_api_key" && failure instanceof Error) return failure.message;
  if (!(failure instanceof AttemptFailure) || failure.end.how !== "refused") return told.message;
  const { status, meaning } = failure.end.error;
  return `the backend answered with status ${status}, which means ${meaning}`;
}

/** Where a fault of ours came from. V8 quotes what it could not parse, which may be anybody's words. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? String(error);
  return error instanceof SyntaxError ? stack.replace(error.message, () => "a text could not be parsed") : stack;
}
