import type { CallOutcome } from "./call.ts";

/** As much of a text is gathered, in code units. */
const MAX_TEXT = 64 * 1024;

/** The text of one choice as its engine sent it, gathered for whoever wants to see what became of it. */
export class RawChoice {
  /** The content, without reasoning that the engine has split off; the first 64 Ki code units of it. */
  text = "";
  /** The engine's finish_reason. */
  finish = "";
  /** What became of its calls. */
  readonly outcomes = new Set<CallOutcome | "failed">();

  add(text: string): void {
    const room = MAX_TEXT - this.text.length;
    if (room > 0) this.text += text.length <= room ? text : text.slice(0, room);
  }
}
