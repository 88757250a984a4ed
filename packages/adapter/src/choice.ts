import type { ReplyEvent } from "@signalbox/protocol";
import type { ToolCall } from "./call.ts";
import { ContentTail } from "./content-tail.ts";
import { createEngineCalls, type EngineCalls } from "./engine-calls.ts";
import { trueFinish } from "./finish-reason.ts";
import { Parser, type ParserOptions, type Sink } from "./parser.ts";
import { RawChoice } from "./raw-choice.ts";
import { createReasoningDetails, type ReasoningDetails, reasoningOf } from "./reasoning-of.ts";
import { callKey } from "./same-call.ts";

/** A part of a choice, as the client gets it. */
export type Piece =
  | { readonly kind: "content" | "reasoning"; readonly text: string }
  | { readonly kind: "call"; readonly call: ToolCall };

/** Hears of the calls of a reply. */
export interface CallWatch {
  /** A call is about to leave; throws to keep it, and the rest of the reply, back. */
  call(call: ToolCall): void;
  /** A call was begun, or its end came without its beginning, and its text is content now. */
  failed(dialect: string): void;
  /** A choice began inside a thought and ended by itself without leaving it: all of it is reasoning. */
  unclosed?(dialect: string): void;
  /** Where this is given, each choice is gathered, and handed over at its end; not if the reply broke off. */
  readonly ended?: ((raw: RawChoice) => void) | undefined;
}

type Fields = Readonly<Record<string, unknown>>;
const noFields: Fields = {};

/** So many events are kept as they came: more are a call, mostly. */
const maxKept = 16;

/** Members that are read, and told anew. Content is, too, where it is text. */
const readMembers = new Set(["role", "reasoning_content", "reasoning", "reasoning_details", "tool_calls"]);

/** The members of a delta that are neither text nor calls: a refusal, audio, the parts of a content that is a list. */
export function othersOf(delta: Fields): Fields | undefined {
  let others: Record<string, unknown> | undefined;
  for (const key in delta) {
    const value = delta[key];
    if (value === null || readMembers.has(key) || (key === "content" && typeof value === "string")) continue;
    others ??= {};
    others[key] = value;
  }
  return others;
}

/** Is what came out just the text of the delta, behind that of the deltas before it, in the same field? */
function saysOnly(
  { content, reasoning_content, reasoning, reasoning_details }: Fields,
  pieces: readonly Piece[],
  before: string,
): boolean {
  if (reasoning !== undefined || reasoning_details !== undefined) return false;
  const [piece] = pieces;
  if (piece === undefined) return (!content || typeof content !== "string") && !reasoning_content && before === "";
  if (piece.kind === "reasoning")
    return pieces.length === 1 && piece.text === reasoning_content && !content && before === "";
  if (reasoning_content) return false;
  if (pieces.length === 1 && before === "") return piece.kind === "content" && piece.text === content;
  return contentOf(pieces) === `${before}${content ?? ""}`;
}

/** The text of pieces that are all content. */
function contentOf(pieces: readonly Piece[]): string | undefined {
  let text = "";
  for (const piece of pieces) {
    if (piece.kind !== "content") return undefined;
    text += piece.text;
  }
  return text;
}

/** In OpenAI's shape: nothing of the engine's own, and no nulls or empty lists where OpenAI has nothing. */
function isTidyMessage({ role, tool_calls, reasoning_content }: Fields): boolean {
  return typeof role === "string" && tool_calls === undefined && reasoning_content !== null;
}

/** One choice of a reply, whole or in deltas: what the engine split off, and what is in its text, in one shape. */
export class Choice implements Sink {
  /** What came out and was not taken yet. */
  pieces: Piece[] = [];
  /** Calls that were told to the client. */
  told = 0;
  finished = false;
  /** The finish_reason that is to leave with what came out last. */
  finish: string | undefined;
  /** A role leaves with the first delta, and with no other. */
  role: "due" | "told" = "due";
  /** Of deltas whose text is held back: they leave with the next one. */
  logprobs: Record<string, unknown> | undefined;
  readonly index: number;
  /** Events whose text is held back, as they came: if it is text in the end, they may leave so. */
  readonly #kept: ReplyEvent[] = [];
  #keptText = "";
  #keptRole = false;
  #calls = 0;
  /** What calls were before `tool_calls`: an engine of today sends it only to who asks so. */
  #hasFunctionCall = false;
  readonly #parser: Parser;
  readonly #options: ParserOptions;
  readonly #watch: CallWatch;
  readonly #details: ReasoningDetails | undefined;
  readonly #tail: ContentTail | undefined;
  readonly #raw: RawChoice | undefined;
  #failed = false;
  #engine: EngineCalls | undefined;
  /** The engine splits the reasoning off by itself, and this is in it. */
  #split = false;
  /** Calls of one source, which may come again from the other: by what they do. */
  readonly #seen = { text: [] as ToolCall[], engine: [] as ToolCall[] };

  constructor(options: ParserOptions, watch: CallWatch, streamed: boolean, index = 0) {
    this.index = index;
    this.#options = options;
    this.#watch = watch;
    this.#parser = new Parser(options, this);
    this.#details = streamed ? createReasoningDetails() : undefined;
    this.#tail = options.openings.closers.length > 0 ? new ContentTail() : undefined;
    this.#raw = watch.ended === undefined ? undefined : new RawChoice();
  }

  /** Something is held back until it is complete. */
  get holding(): boolean {
    return this.#parser.holding || this.#engine?.pending === true;
  }

  /**
   * Takes the choice of a chunk, or of a whole reply. True = it says what came out of it, in OpenAI's shape, and may leave
   * as it is; else what came out is in `pieces` and `finish`.
   */
  take(json: Readonly<Record<string, unknown>>): boolean {
    const delta = (json.delta ?? json.message ?? noFields) as Fields;
    const finish = typeof json.finish_reason === "string" && json.finish_reason !== "" ? json.finish_reason : undefined;
    const again = this.finished;
    this.#read(delta);
    this.finish = finish === undefined || again ? undefined : this.#end(finish);
    return (
      !again &&
      this.finish === finish &&
      this.logprobs === undefined &&
      saysOnly(delta, this.pieces, this.#keptText) &&
      this.#isTidy(json, delta)
    );
  }

  /**
   * Is this nothing but text, where nothing but text can come any more? Most events of most streams are: they pass
   * without being read.
   */
  isPlainText(json: Fields): boolean {
    if (this.finished || this.role === "due" || this.#raw !== undefined || this.#tail !== undefined) return false;
    if (this.logprobs !== undefined || this.#kept.length > 0 || !this.#parser.isPlain) return false;
    const delta = json.delta as Fields | null | undefined;
    if (typeof delta !== "object" || delta === null || json.message !== undefined) return false;
    if (json.finish_reason || typeof delta.content !== "string" || delta.content === "") return false;
    for (const key in delta) if (key !== "content") return false;
    return true;
  }

  /** No nulls that say nothing, no role that was told, no fields of other shapes. */
  #isTidy(json: Fields, delta: Fields): boolean {
    if (json.index !== this.index) return false;
    if (this.#details === undefined) return json.delta === undefined && isTidyMessage(delta);
    const { role } = delta;
    if (role === undefined ? delta.content === null || this.role === "due" : role === null || this.role === "told")
      return false;
    if (json.delta !== delta || json.message !== undefined) return false;
    return delta.reasoning_content !== null && delta.tool_calls === undefined;
  }

  /**
   * Keeps an event whose text is held back, to let it leave as it came if that turns out to be nothing but text.
   * False = that is not possible.
   */
  keep(json: Fields, event: ReplyEvent): boolean {
    const delta = (json.delta ?? noFields) as Fields;
    const { content, reasoning_content, reasoning, role } = delta;
    if (typeof content !== "string" || content === "" || reasoning_content || reasoning !== undefined) return false;
    if (this.pieces.length > 0 || this.finish !== undefined || this.#kept.length === maxKept) return false;
    if (!this.#isTidy(json, delta)) return false;
    this.#kept.push(event);
    this.#keptText += content;
    if (role !== undefined) {
      this.role = "told";
      this.#keptRole = true;
    }
    return true;
  }

  /** Lets an event leave as it came, and those before it that were kept. */
  leave(json: Fields, event: ReplyEvent, out: ReplyEvent[]): void {
    this.pieces = [];
    if ((json.delta as Fields).role !== undefined) this.role = "told";
    if (this.#kept.length > 0) {
      for (const kept of this.#kept) out.push(kept);
      this.#forget();
    }
    out.push(event);
  }

  /** What came of the events that were kept leaves in another way: only their logprobs are still to be told. */
  drop(): void {
    if (this.#kept.length === 0) return;
    for (const { json } of this.#kept) this.addLogprobs((json as { choices: [Fields] }).choices[0].logprobs);
    if (this.#keptRole) this.role = "due";
    this.#forget();
  }

  #forget(): void {
    this.#kept.length = 0;
    this.#keptText = "";
    this.#keptRole = false;
  }

  addLogprobs(logprobs: unknown): void {
    if (typeof logprobs !== "object" || logprobs === null) return;
    this.logprobs ??= {};
    for (const [key, value] of Object.entries(logprobs)) {
      const before = this.logprobs[key];
      if (!Array.isArray(value)) this.logprobs[key] = value;
      else if (!Array.isArray(before)) this.logprobs[key] = [...(value as unknown[])];
      else for (const one of value as unknown[]) before.push(one);
    }
  }

  /** The end of the choice: what was held back comes out. */
  end(): void {
    this.#end(undefined);
  }

  #read(part: Fields): void {
    if (part.reasoning_content || part.reasoning || part.reasoning_details) {
      const reasoning = this.#details === undefined ? reasoningOf(part) : this.#details.next(part);
      if (reasoning !== "") {
        this.#split = true;
        this.#parser.pushReasoning(reasoning);
      }
    }
    const { content } = part;
    if (typeof content === "string" && content !== "") {
      if (this.#split) {
        this.#split = false;
        this.#parser.endReasoning();
      }
      this.#raw?.add(content);
      this.#parser.push(content);
    }
    if (part.tool_calls !== undefined && part.tool_calls !== null) this.#readCalls(part.tool_calls);
    if (part.function_call) this.#hasFunctionCall = true;
  }

  #readCalls(toolCalls: unknown): void {
    if (Array.isArray(toolCalls) && toolCalls.length === 0) return;
    this.#engine ??= createEngineCalls(this.#options);
    this.#engine.push(toolCalls);
    for (const call of this.#engine.take()) this.#add(call, "engine");
  }

  /** Answers the true finish_reason; undefined in, undefined out. */
  #end(finish: string | undefined): string | undefined {
    this.finished = true;
    this.#parser.end(finish);
    if (this.#engine !== undefined) {
      const { calls, leftovers } = this.#engine.end(finish);
      for (const call of calls) this.#add(call, "engine");
      for (const { raw } of leftovers) {
        this.#fail("engine");
        this.#raw?.add(raw);
        if (raw !== "") this.content(raw);
      }
    }
    this.#lookBack();
    if (finish !== undefined && this.#raw !== undefined) {
      this.#raw.finish = finish;
      this.#watch.ended?.(this.#raw);
    }
    if (finish === undefined || (finish === "function_call" && this.#hasFunctionCall)) return finish;
    return trueFinish(finish, this.#calls > 0);
  }

  /** A closing tag at the end of a content without calls: the head of a call was lost on its way. */
  #lookBack(): void {
    if (this.#calls > 0 || this.#failed || this.#tail === undefined) return;
    if (this.#tail.endsWith(this.#options.openings.closers)) this.failed();
  }

  content(text: string): void {
    this.#tail?.add(text);
    this.pieces.push({ kind: "content", text });
  }

  reasoning(text: string): void {
    this.#raw?.addReasoning(text);
    this.pieces.push({ kind: "reasoning", text });
  }

  call(call: ToolCall): void {
    this.#add(call, "text");
  }

  failed(): void {
    this.#fail(this.#options.dialect);
  }

  unclosed(): void {
    this.#watch.unclosed?.(this.#options.dialect);
  }

  #fail(dialect: string): void {
    this.#failed = true;
    this.#raw?.outcomes.add("failed");
    this.#watch.failed(dialect);
  }

  /** Some engines parse a call and leave its text in the content: it is one call. */
  #add(call: ToolCall, source: "text" | "engine"): void {
    const others = this.#seen[source === "text" ? "engine" : "text"];
    if (others.length > 0) {
      const key = callKey(call);
      const twin = others.findIndex((other) => callKey(other) === key);
      if (twin >= 0) {
        others.splice(twin, 1);
        return;
      }
    }
    this.#watch.call(call);
    this.#raw?.addCall(call);
    this.#seen[source].push(call);
    this.#calls++;
    this.pieces.push({ kind: "call", call });
  }
}
