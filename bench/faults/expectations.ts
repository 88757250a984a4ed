import { TOKENS } from "./pool.ts";
import type { ClientExpectation, Expectation } from "./scenario.ts";

/** How an attempt is put down: `outcome` and, of a failure, `cause`, as the metrics name them. */
export type Tried = Readonly<{ outcome: string; cause: string }>;

/** A failed attempt, by its cause. */
export const failed = (cause: string): Tried => ({ outcome: "failed", cause });
/** The engine is alive, but has no room. */
export const busy: Tried = { outcome: "backpressure", cause: "" };

type Bounds = Pick<ClientExpectation, "after" | "within">;

/** The fallback's whole answer after `tries` attempts at the primary, which the engine saw unless `unseen`. */
export function fallbackAnswers(
  tried: Tried,
  { tries = 1, unseen = false, ...bounds }: Bounds & { readonly tries?: number; readonly unseen?: boolean } = {},
): Expectation {
  return {
    client: { status: 200, end: "whole", from: "fallback", attempts: tries + 1, ...bounds },
    engines: { primary: unseen ? 0 : tries, fallback: 1 },
    metrics: [
      ["attempts_total", { backend: "primary", ...tried }, tries],
      ["attempts_total", { backend: "fallback", outcome: "ok" }, 1],
      ["fallbacks_total", { from_model: "large", to_model: "small" }, 1],
      ["requests_total", { model: "small", status: "200", code: "ok" }, 1],
      // Only who answered is paid.
      ["tokens_total", { backend: "primary", type: "output" }, 0],
      ["tokens_total", { backend: "fallback", type: "output" }, TOKENS],
      ["breaker_transitions_total", { backend: "primary" }, 0],
    ],
  };
}

/** The primary's whole answer, after `failures` that the client does not see. */
export function primaryAnswers(
  options: Bounds &
    Pick<ClientExpectation, "content"> & {
      readonly failures?: number;
      readonly tried?: Tried;
      readonly tokens?: number;
      readonly more?: Expectation["metrics"];
    } = {},
): Expectation {
  const { failures = 0, tried = failed("server_error"), tokens = TOKENS, more = [], ...client } = options;
  return {
    client: { status: 200, end: "whole", from: "primary", attempts: failures + 1, ...client },
    engines: { primary: failures + 1, fallback: 0 },
    metrics: [
      ["attempts_total", { backend: "primary", ...tried }, failures],
      ["attempts_total", { backend: "primary", outcome: "ok" }, 1],
      ["requests_total", { model: "large", status: "200", code: "ok" }, 1],
      ["tokens_total", { backend: "primary", type: "output" }, tokens],
      ["breaker_transitions_total", { backend: "primary" }, 0],
      ...more,
    ],
  };
}

/** The primary's answer broke after its first content: what came, and an error event. */
export function breaksOff(
  cause: string,
  options: Bounds & Pick<ClientExpectation, "content" | "hides"> & { readonly more?: Expectation["metrics"] } = {},
): Expectation {
  const { more = [], ...client } = options;
  return {
    client: { status: 200, end: "broken", from: "primary", code: "stream_interrupted", attempts: 1, ...client },
    engines: { primary: 1, fallback: 0 },
    metrics: [
      ["attempts_total", { backend: "primary", outcome: "failed", cause }, 1],
      ["attempts_total", { backend: "primary", outcome: "ok" }, 0],
      ["requests_total", { model: "large", status: "200", code: "stream_interrupted" }, 1],
      ...more,
    ],
  };
}

/** The primary's answer broke, and a replica brought it to its end: nothing lost, nothing doubled. */
export function goesOn(cause: string, how: "continuation" | "restart", bounds: Bounds = {}): Expectation {
  // A continuation is asked for without the space at the end of the words: its engine writes it again, as a token of its own.
  const tokens = how === "continuation" ? TOKENS + 1 : TOKENS;
  return {
    // What the head names is what it was sent for.
    client: { status: 200, end: "whole", from: "primary", attempts: 1, ...bounds },
    engines: { primary: 1, fallback: 1 },
    metrics: [
      ["attempts_total", { backend: "primary", outcome: "failed", cause }, 1],
      ["attempts_total", { backend: "fallback", outcome: "ok" }, 1],
      ["stream_recoveries_total", { model: "large", how, outcome: "finished" }, 1],
      ["requests_total", { model: "large", status: "200", code: "ok" }, 1],
      ["tokens_total", { model: "large", type: "output" }, tokens],
    ],
  };
}

/** An error in place of an answer. `counted`: the code in the metrics, where it is not the one that the client gets. */
export function refused(
  { counted, ...client }: Omit<ClientExpectation, "end"> & { readonly code: string; readonly counted?: string },
  tried: Tried,
  tries = 1,
): Expectation {
  return {
    client: { end: "refused", attempts: tries, ...client },
    engines: { primary: tries, fallback: 0 },
    metrics: [
      ["attempts_total", { backend: "primary", ...tried }, tries],
      ["attempts_total", { backend: "fallback" }, 0],
      ["requests_total", { model: "large", status: String(client.status), code: counted ?? client.code }, 1],
      ["breaker_transitions_total", { backend: "primary" }, 0],
    ],
  };
}
