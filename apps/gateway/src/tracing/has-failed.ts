import type { Story } from "../request-path/story.ts";

const lettingDown: ReadonlySet<string> = new Set(["failed", "backpressure", "shortage"]);

/** Did the client get an error that is not its own: a 5xx, or an answer that broke off? */
export function isBroken({ code, status }: Story): boolean {
  if (code === "ok" || code === "client_closed_request") return false;
  // After 200 nothing is the client's fault any more.
  return status >= 500 || status === 200;
}

/** Did anything let the request down, even if another attempt saved it? */
export function hasFailed(story: Story): boolean {
  if (isBroken(story) || story.recoveries !== undefined) return true;
  return story.attempts > 1 && story.records.some(({ outcome }) => lettingDown.has(outcome));
}
