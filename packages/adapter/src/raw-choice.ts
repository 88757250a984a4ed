import type { CallOutcome, ToolCall } from "./call.ts";

/** As much of a text is gathered, in code units. */
const MAX_TEXT = 64 * 1024;
/** A thought is gathered until it is longer than this, in code units. */
const MAX_REASONING = 256 * 1024;

/** One choice: its text as the engine sent it, and what became of it, gathered for whoever wants to know. */
export class RawChoice {
  /** The content, without reasoning that the engine has split off; the first 64 Ki code units of it. */
  text = "";
  /** The engine's finish_reason. */
  finish = "";
  /** What became of its calls. */
  readonly outcomes = new Set<CallOutcome | "failed">();
  /** The reasoning as the client gets it, whoever split it off; what is longer than 256 Ki code units is not whole. */
  reasoning = "";
  /** The id of its first call; undefined = no call was made. */
  firstCall: string | undefined;

  add(text: string): void {
    const room = MAX_TEXT - this.text.length;
    if (room > 0) this.text += text.length <= room ? text : text.slice(0, room);
  }

  addReasoning(text: string): void {
    if (this.reasoning.length <= MAX_REASONING) this.reasoning += text;
  }

  addCall({ id, outcome }: ToolCall): void {
    this.firstCall ??= id;
    this.outcomes.add(outcome);
  }
}
