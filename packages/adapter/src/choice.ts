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
  /** Where this is given, the text of each choice is gathered, and handed over at its end; not if the reply broke off. */
  ended?(raw: RawChoice): void;
}

type Fields = Readonly<Record<string, unknown>>;
const noFields: Fields = {};

/** Is what came out just the text of the delta, in the same field? */
function saysOnly(
  { content, reasoning_content, reasoning, reasoning_details }: Fields,
  pieces: readonly Piece[],
): boolean {
  if (reasoning !== undefined || reasoning_details !== undefined) return false;
  const [piece] = pieces;
  if (piece === undefined) return !content && !reasoning_content;
  if (pieces.length > 1 || piece.kind === "call") return false;
  return piece.kind === "content"
    ? piece.text === content && !reasoning_content
    : piece.text === reasoning_content && !content;
}

/** Fields that OpenAI's messages do not have, or nulls in their place. */
function isUntidyMessage({ tool_calls, reasoning_content }: Fields): boolean {
  return (Array.isArray(tool_calls) && tool_calls.length > 0) || tool_calls === null || reasoning_content === null;
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
  /** Of deltas whose text is held back. */
  logprobs: unknown;
  #calls = 0;
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

  constructor(options: ParserOptions, watch: CallWatch, streamed: boolean) {
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
    const fine =
      !again &&
      this.finish === finish &&
      this.logprobs === undefined &&
      saysOnly(delta, this.pieces) &&
      this.#isTidy(json, delta);
    if (fine && delta.role !== undefined) this.role = "told";
    return fine;
  }

  /** No nulls that say nothing, no role that was told, no fields of other shapes. */
  #isTidy(json: Fields, delta: Fields): boolean {
    if (this.#details === undefined) return json.delta === undefined && !isUntidyMessage(delta);
    const { role } = delta;
    if (role === undefined ? delta.content === null || this.role === "due" : role === null || this.role === "told")
      return false;
    return json.message === undefined && delta.reasoning_content !== null && delta.tool_calls === undefined;
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
    return finish === undefined ? undefined : trueFinish(finish, this.#calls > 0);
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
    this.#raw?.outcomes.add(call.outcome);
    this.#seen[source].push(call);
    this.#calls++;
    this.pieces.push({ kind: "call", call });
  }
}
