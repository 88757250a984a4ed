import type { ReplyEvent } from "@signalbox/protocol";
import { KeptText } from "./kept-text.ts";

/** As much of a reply is kept, in bytes of text; what is longer is not recovered. */
export const MAX_SENT_BYTES = 1024 * 1024;

/** Why a reply cannot be recovered in any way, from what was sent of it. */
export type UnfitReply =
  | "several_choices"
  | "finished"
  | "tool_call"
  | "logprobs"
  | "other_output"
  | "too_long"
  | "broken_text";

type Fields = Readonly<Record<string, unknown>>;

export type TextKind = "content" | "reasoning";

/** A stretch of one kind. */
export interface Stretch {
  readonly kind: TextKind;
  readonly text: string;
}

const textFields = new Set(["role", "content", "reasoning_content"]);

/**
 * What the client has of a streamed chat reply: kept while it may have to be recovered. Reads the events that leave,
 * which have OpenAI's shape: the normaliser has seen to it.
 */
export class SentReply {
  /** The members that are the same in all events of a reply. */
  identity: { readonly id: unknown; readonly created: unknown; readonly model: unknown } | undefined;
  #unfit: UnfitReply | undefined;
  #stretches: { readonly kind: TextKind; readonly text: KeptText }[] = [];
  #size = 0;

  /** Undefined = what was sent may be recovered, as far as it alone tells. */
  get unfit(): UnfitReply | undefined {
    return this.#unfit;
  }

  /** All text, in the order in which it was sent. */
  stretches(): readonly Stretch[] {
    const all = this.#stretches.map(({ kind, text }) => ({ kind, text: text.text() }));
    if (this.#stretches.some(({ text }) => !text.isWellFormed)) this.#give("broken_text");
    return all;
  }

  take(events: readonly ReplyEvent[]): void {
    if (this.#unfit !== undefined) return;
    for (const event of events) this.#take(event.json);
  }

  #take(json: unknown): void {
    // Comments and `[DONE]` are no JSON.
    if (typeof json !== "object" || json === null) return;
    const { id, created, model, choices } = json as Fields & { choices?: readonly Fields[] };
    this.identity ??= { id, created, model };
    const choice = choices?.[0];
    if (choices === undefined || choice === undefined) return;
    const unfit = unfitChoice(choice, choices.length);
    if (unfit !== undefined) {
      this.#give(unfit);
      return;
    }
    const { reasoning_content, content } = (choice.delta ?? {}) as Fields;
    this.#add("reasoning", reasoning_content);
    this.#add("content", content);
    if (typeof choice.finish_reason === "string") this.#give("finished");
  }

  #add(kind: TextKind, piece: unknown): void {
    if (typeof piece !== "string" || piece === "") return;
    let last = this.#stretches.at(-1);
    if (last?.kind !== kind) {
      last = { kind, text: new KeptText() };
      this.#stretches.push(last);
    }
    const before = last.text.size;
    last.text.add(piece);
    this.#size += last.text.size - before;
    if (this.#size > MAX_SENT_BYTES) this.#give("too_long");
  }

  /** Nothing is kept of what will not be recovered. */
  #give(why: UnfitReply): void {
    this.#unfit ??= why;
    this.#stretches = [];
  }
}

/** What of a choice is neither text nor its beginning. */
function unfitChoice(choice: Fields, count: number): UnfitReply | undefined {
  if (count > 1 || choice.index !== 0) return "several_choices";
  if (choice.logprobs !== undefined && choice.logprobs !== null) return "logprobs";
  const delta = (choice.delta ?? {}) as Fields;
  for (const key in delta) {
    const value = delta[key];
    if (value === null || (textFields.has(key) && typeof value === "string")) continue;
    return key === "tool_calls" ? "tool_call" : "other_output";
  }
  return undefined;
}
