/** How an engine ends a reply that it does not finish; `stall` leaves the connection open and says no more. */
export const breaks = ["fin", "reset", "last_chunk", "close_delimited", "stall"] as const;
type Break = (typeof breaks)[number];

/** What an engine does with one attempt. */
export type Act =
  | { readonly do: "answer" }
  | { readonly do: "status"; readonly status: number; readonly retryAfter?: number }
  /** The connection is reset before a response. */
  | { readonly do: "reset" }
  /** Nothing is ever answered. */
  | { readonly do: "silence" }
  /** The body ends after so many bytes. */
  | { readonly do: "break"; readonly bytes: number; readonly how: Break }
  /** A stream whose engine says after so many tokens that it failed, and ends well formed, as vLLM does. */
  | { readonly do: "error_event"; readonly tokens: number }
  /** A whole stream with an event among its tokens that cannot be read. */
  | { readonly do: "malformed_event" };

/** One attempt as the engine saw it. Times by `performance.now()`. */
export interface Visit {
  readonly engine: string;
  readonly act: Act;
  readonly at: number;
  /** The connection closed before the engine was done. */
  closedAt?: number;
  /** All that the act has to say was said. */
  done: boolean;
  endedAt?: number;
}

/** One request: what is asked, what its attempts meet, and what they were. */
export interface Plan {
  /** Stands in the prompt, so that an engine knows whose attempt it has. */
  readonly number: number;
  readonly stream: boolean;
  readonly tokens: number;
  /** A tool call in place of text. */
  readonly toolCall: boolean;
  /** What the attempts meet, in their order; those beyond the list are answered. */
  readonly acts: readonly Act[];
  /** Bytes that leave the engine in one write. */
  readonly pieceBytes: number;
  /** How long the engine takes to begin. */
  readonly delayMs: number;
  /** Milliseconds between two of its writes. */
  readonly paceMs: number;
  /** The client leaves when it has this many tokens; when it is 0, as soon as an engine is at work. */
  readonly leaveAfter?: number;
  readonly visits: Visit[];
}

/** A plan with defaults: 12 tokens of streamed text in one write, answered at once. */
export function planOf(plan: Partial<Plan> & Pick<Plan, "number">): Plan {
  return {
    stream: true,
    tokens: 12,
    toolCall: false,
    acts: [],
    pieceBytes: Number.POSITIVE_INFINITY,
    delayMs: 0,
    paceMs: 0,
    visits: [],
    ...plan,
  };
}
