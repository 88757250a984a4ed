import type { ReplyEvent } from "./reply.ts";
import type { Endpoint } from "./request.ts";
import { readUsage, type Usage } from "./usage.ts";

/**
 * What an event of a reply is:
 * - `content`: text, reasoning, a tool call or an embedding: the reply has begun
 * - `quiet`: well-formed, but nothing that a reader waits for (role, empty delta, usage with choices)
 * - `finish`: ends one choice or more (may carry content as well)
 * - `aborted`: the engine ended a choice without finishing it (`finish_reason: "abort"` and the like)
 * - `usage`: tokens and no choices
 * - `error`: an error object in place of a chunk
 * - `done`: `[DONE]`
 * - `malformed`: not JSON, or nothing that this endpoint sends
 */
export type EventKind = "content" | "quiet" | "finish" | "aborted" | "usage" | "error" | "done" | "malformed";

/** Engines end a choice with these when they were stopped, not when the model finished. */
const abortedReasons = new Set(["abort", "error", "load", "unload"]);

interface Choice {
  index?: unknown;
  text?: unknown;
  delta?: unknown;
  message?: unknown;
  finish_reason?: unknown;
}

function hasText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function hasItems(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

/** Text, reasoning (under any of its names), a refusal or a tool call. */
function bearsContent(choice: Choice): boolean {
  if (hasText(choice.text)) return true;
  const part = (choice.delta ?? choice.message) as Record<string, unknown> | null | undefined;
  if (typeof part !== "object" || part === null) return false;
  return (
    hasText(part.content) ||
    hasItems(part.content) ||
    hasText(part.reasoning_content) ||
    hasText(part.reasoning) ||
    hasItems(part.reasoning_details) ||
    hasItems(part.tool_calls) ||
    hasText(part.refusal) ||
    (typeof part.function_call === "object" && part.function_call !== null) ||
    (typeof part.audio === "object" && part.audio !== null)
  );
}

/** Follows one reply, event by event, and knows at any time whether it is complete. */
export interface Ledger {
  observe(event: ReplyEvent): EventKind;
  /** Every choice that was seen has its finish_reason, and there was at least one. */
  readonly complete: boolean;
  /** How many choices have begun. */
  readonly choices: number;
  /** The choices that began and have no finish_reason yet. */
  readonly open: readonly number[];
  /** Some event bore content. */
  readonly hasContent: boolean;
  /** A choice has tool calls. */
  readonly hasToolCalls: boolean;
  /** The last usage that the engine sent. */
  readonly usage: Usage | undefined;
  /** Events with content: a floor for the tokens when the engine sent no usage. */
  readonly contentEvents: number;
  /** The last finish_reason seen. */
  readonly finishReason: string | undefined;
}

/** A ledger for a reply of `endpoint`. */
export function createLedger(endpoint: Endpoint): Ledger {
  return new LiveLedger(endpoint);
}

interface OpenChoice {
  readonly index: number;
  finished: boolean;
}

// A class, as everything is that each request makes and that has getters: an object literal with getters gets a hidden
// class of its own every time, which only a full garbage collection takes away again.
class LiveLedger implements Ledger {
  hasToolCalls = false;
  usage: Usage | undefined = undefined;
  contentEvents = 0;
  finishReason: string | undefined = undefined;
  readonly #endpoint: Endpoint;
  readonly #choices: OpenChoice[] = [];
  #unfinished = 0;
  #embedded = false;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  get complete(): boolean {
    return this.#endpoint === "embeddings" ? this.#embedded : this.#choices.length > 0 && this.#unfinished === 0;
  }

  get choices(): number {
    return this.#choices.length;
  }

  get open(): readonly number[] {
    return this.#choices.filter(({ finished }) => !finished).map(({ index }) => index);
  }

  get hasContent(): boolean {
    return this.contentEvents > 0;
  }

  observe(event: ReplyEvent): EventKind {
    if (event.isDone) return "done";
    const kind = this.#observeJson(event.json);
    if (kind === "content") this.contentEvents++;
    return kind;
  }

  #observeJson(json: unknown): EventKind {
    if (typeof json !== "object" || json === null) return "malformed";
    const reply = json as Record<string, unknown>;
    if (isErrorObject(reply)) return "error";
    if (reply.usage !== undefined && reply.usage !== null) this.usage = readUsage(reply.usage) ?? this.usage;
    if (this.#endpoint === "embeddings") {
      if (!hasItems(reply.data)) return "malformed";
      this.#embedded = true;
      return "content";
    }
    const { choices } = reply;
    if (!Array.isArray(choices)) return reply.usage ? "usage" : "malformed";
    if (choices.length === 0) return reply.usage ? "usage" : "quiet";
    let kind: EventKind = "quiet";
    for (const choice of choices as unknown[]) {
      if (typeof choice !== "object" || choice === null) return "malformed";
      const one = this.#observeChoice(choice as Choice);
      if (one === "aborted") return "aborted";
      if (one === "content" || (one === "finish" && kind === "quiet")) kind = one;
    }
    return kind;
  }

  #choice(index: number): OpenChoice {
    for (const choice of this.#choices) if (choice.index === index) return choice;
    const choice = { index, finished: false };
    this.#choices.push(choice);
    this.#unfinished++;
    return choice;
  }

  #observeChoice(choice: Choice): EventKind {
    const known = this.#choice(typeof choice.index === "number" ? choice.index : 0);
    const content = bearsContent(choice);
    if (content && !this.hasToolCalls) {
      const part = (choice.delta ?? choice.message) as { tool_calls?: unknown } | undefined;
      this.hasToolCalls = part !== undefined && hasItems(part.tool_calls);
    }
    const reason = choice.finish_reason;
    if (typeof reason !== "string" || reason === "") return content ? "content" : "quiet";
    if (abortedReasons.has(reason)) return "aborted";
    this.finishReason = reason;
    if (!known.finished) {
      known.finished = true;
      this.#unfinished--;
    }
    return content ? "content" : "finish";
  }
}

/** OpenAI's `{error}`, SGLang's flat `{object: "error"}`, MiniMax's `base_resp` with a code. */
function isErrorObject(reply: Record<string, unknown>): boolean {
  if ((reply.error !== undefined && reply.error !== null) || reply.object === "error") return true;
  const base = reply.base_resp as { status_code?: unknown } | null | undefined;
  return typeof base?.status_code === "number" && base.status_code !== 0;
}
