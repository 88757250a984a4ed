/**
 * How a call came to be:
 * - `clean`: as the engine parsed it, or as its dialect is written
 * - `leaked`: left in the text by an engine that should have parsed it, or without its envelope
 * - `coerced`: a value was cast to the declared type by more than reading it as JSON
 * - `repaired`: closers, commas, quotes or ids were put right
 */
export type CallOutcome = "clean" | "leaked" | "coerced" | "repaired";

/** A complete tool call, as the client gets it. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text of an object: the model's own slice where it was valid. */
  readonly arguments: string;
  readonly outcome: CallOutcome;
  /** The dialect that it was written in; `engine` when the engine had parsed it. */
  readonly dialect: string;
}
