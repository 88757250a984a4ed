import type { Cursor } from "../cursor.ts";
import { MORE } from "../cursor.ts";
import { LiteralSet, PARTIAL } from "../literals.ts";

/** Tokens that end a turn, of every family of models: one behind a complete call says that nothing more will come. */
export const turnEnd = LiteralSet.of(
  "<|im_end|>",
  "<|endoftext|>",
  "<|end_of_text|>",
  "<|eot_id|>",
  "<|eom_id|>",
  "<|eot|>",
  "<|eom|>",
  "<|end|>",
  "<|eos|>",
  "</s>",
  "<turn|>",
  "<|user|>",
  "<|observation|>",
  "<eos>",
  "<end_of_turn>",
  "<|END_OF_TURN_TOKEN|>",
  "<｜end▁of▁sentence｜>",
  "<|end▁of▁sentence|>",
  "<|end_of_sentence|>",
  "<seed:eos>",
  "</longcat_s>",
  "[e~[",
);

/** Is nothing left but whitespace and tokens of the turn's end? Reads them; what is answered with false stands behind them. */
export function* onlyTurnEnds(read: Cursor): Generator<undefined, boolean, undefined> {
  for (;;) {
    while (read.space() === MORE) yield;
    if (read.atEnd) return true;
    let token = read.peek(turnEnd);
    for (; token === PARTIAL; token = read.peek(turnEnd)) yield;
    if (token === undefined) return false;
    read.skip(token.literal.length);
  }
}

/** Is all that is left the beginning of one of these tags, at least two characters? It is not read: it leaves as text. */
export function isCutOff(read: Cursor, tags: readonly string[]): boolean {
  const rest = read.ended ? read.rest() : "";
  return rest.length > 1 && tags.some((tag) => tag.startsWith(rest));
}
