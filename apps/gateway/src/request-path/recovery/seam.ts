import { ReplyEvent, type Usage } from "@signalbox/protocol";
import { type ExpectedText, TextMismatch } from "./expected-text.ts";
import type { SentReply, TextKind } from "./sent-reply.ts";

type Fields = Readonly<Record<string, unknown>>;

export interface SeamOptions {
  /** What the reply was begun with: its id, its time and its model's name. */
  readonly identity: SentReply["identity"];
  readonly expected: ExpectedText;
  /** Tokens of the part before, which the engine of this one has read as prompt; undefined = it wrote all of the reply itself. */
  readonly before: Usage | undefined;
}

const fieldOf: Record<TextKind, "content" | "reasoning_content"> = {
  content: "content",
  reasoning: "reasoning_content",
};

/** Sews another engine's events onto a reply that is under way, so that they read as one. */
export class Seam {
  readonly #options: SeamOptions;

  constructor(options: SeamOptions) {
    this.#options = options;
  }

  /** Nothing of what the client has is still to come. */
  get complete(): boolean {
    return this.#options.expected.complete;
  }

  /**
   * The events that the client is to get.
   * @throws TextMismatch where the reply is not the one that was begun.
   */
  sew(events: readonly ReplyEvent[]): ReplyEvent[] {
    const sewn: ReplyEvent[] = [];
    for (const event of events) {
      const one = this.#sewOne(event);
      if (one !== undefined) sewn.push(one);
    }
    return sewn;
  }

  #sewOne(event: ReplyEvent): ReplyEvent | undefined {
    const { json } = event;
    if (typeof json !== "object" || json === null) return this.#past(event);
    const { choices, usage, ...chunk } = json as Fields & { choices: readonly Fields[] };
    const own = { ...chunk, ...this.#options.identity };
    const [choice] = choices;
    if (choice === undefined && usage === undefined) return undefined;
    if (choice === undefined) return this.#past(ReplyEvent.ofJson({ ...own, choices, usage: this.#sum(usage) }));
    const delta = this.#deltaOf((choice.delta ?? {}) as Fields);
    const ends = typeof choice.finish_reason === "string";
    if (!ends && Object.keys(delta).length === 0) return undefined;
    return this.#past(ReplyEvent.ofJson({ ...own, choices: [{ ...choice, delta }] }));
  }

  /** An end, a call or an answer of another sort before all of the text has come again: it is another reply. */
  #past(event: ReplyEvent): ReplyEvent {
    if (!this.complete && typeof event.json === "object") throw new TextMismatch("an early end");
    return event;
  }

  /** Without the role, which was told, and without the text that the client has. */
  #deltaOf({ role: _, ...delta }: Fields): Fields {
    const rest: Record<string, unknown> = delta;
    for (const kind of ["reasoning", "content"] as const) {
      const field = fieldOf[kind];
      const text = rest[field];
      if (typeof text !== "string") continue;
      // Thoughts come before the text: one in its midst belongs to another reply.
      if (kind === "reasoning" && text !== "" && this.#options.before !== undefined)
        throw new TextMismatch("a thought in the midst of the text");
      const fresh = this.#options.expected.takeOff(kind, text);
      if (fresh === "") delete rest[field];
      else rest[field] = fresh;
    }
    return rest;
  }

  /** The client's prompt was not longer because a part of the reply was read as prompt. */
  #sum(usage: unknown): unknown {
    const { before } = this.#options;
    if (before === undefined || typeof usage !== "object" || usage === null) return usage;
    const { completion_tokens } = usage as { completion_tokens?: unknown };
    const completion = before.completionTokens + (typeof completion_tokens === "number" ? completion_tokens : 0);
    return {
      prompt_tokens: before.promptTokens,
      completion_tokens: completion,
      total_tokens: before.promptTokens + completion,
    };
  }
}
