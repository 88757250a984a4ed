import { ReplyEvent } from "@signalbox/protocol";
import type { ToolCall } from "./call.ts";
import { createCallId } from "./call-id.ts";
import { type CallWatch, Choice, othersOf, type Piece } from "./choice.ts";
import { type DialectName, dialects } from "./dialects.ts";
import { openingsOf } from "./openings.ts";
import type { ParserOptions } from "./parser.ts";
import { noTools, readTools } from "./tools.ts";

export interface NormaliserOptions {
  readonly dialect: DialectName;
  /** The request's `tools` and `tool_choice`, as the client sent them. */
  readonly tools: unknown;
  readonly toolChoice: unknown;
  /** The reply begins inside a thought. */
  readonly reasoningFirst: boolean;
  /** The engine parses calls by itself: those in the text count as leaked. */
  readonly engineParses: boolean;
  /** The reply comes as chunks. */
  readonly streamed: boolean;
  /** The client asked for the usage chunk of a stream. */
  readonly includeUsage: boolean;
  readonly watch: CallWatch;
}

type Fields = Record<string, unknown>;
const noFields: Fields = {};

/**
 * Makes one reply of chat completions what OpenAI's would be, whatever engine and model wrote it: calls and thoughts out
 * of the text, one shape for what the engine parsed, a true finish_reason. An event in which nothing is to be changed is
 * handed on as it is.
 */
export class Normaliser {
  /** Something that a client reads came out. */
  sent = false;
  readonly #options: NormaliserOptions;
  readonly #parser: ParserOptions;
  readonly #choices = new Map<number, Choice>();
  #last: Choice | undefined;
  #lastIndex = -1;
  #usage: unknown;
  #base: Fields | undefined;

  constructor(options: NormaliserOptions) {
    this.#options = options;
    const declared = readTools(options.tools);
    const extract = declared.size > 0 && options.toolChoice !== "none";
    const { toolChoice } = options;
    const forced = toolChoice === "required" || (typeof toolChoice === "object" && toolChoice !== null);
    this.#parser = {
      // An engine that was forced to call may leave the bare JSON of its grammar as content.
      openings: openingsOf(dialects[options.dialect], extract, extract && forced && options.dialect !== "none"),
      tools: extract ? declared : noTools,
      reasoningFirst: options.reasoningFirst,
      leaks: options.engineParses,
      dialect: options.dialect,
      createId: createCallId,
    };
  }

  /** Something is held back until it is complete. */
  get holding(): boolean {
    if (this.#choices.size === 1) return this.#last!.holding;
    for (const choice of this.#choices.values()) if (choice.holding) return true;
    return false;
  }

  #choice(index: number): Choice {
    if (index === this.#lastIndex) return this.#last!;
    let choice = this.#choices.get(index);
    if (choice === undefined) {
      choice = new Choice(this.#parser, this.#options.watch, this.#options.streamed, index);
      this.#choices.set(index, choice);
    }
    this.#last = choice;
    this.#lastIndex = index;
    return choice;
  }

  /** Takes a chunk of a stream; what may leave now goes to `out`. */
  push(event: ReplyEvent, out: ReplyEvent[]): void {
    const chunk = event.json as Fields;
    const choices = chunk.choices as readonly Fields[];
    const usage = chunk.usage ?? undefined;
    if (choices.length === 0) {
      // The usage chunk: none has to be made of what other chunks said.
      if (usage !== undefined) this.#usage = undefined;
      out.push(event);
      return;
    }
    const alone = choices.length === 1 && usage === undefined;
    if (alone && choices[0]!.index === this.#lastIndex && this.#last!.isPlainText(choices[0]!)) {
      this.sent = true;
      out.push(event);
      return;
    }
    for (const json of choices) {
      const choice = this.#choice(typeof json.index === "number" ? json.index : 0);
      const fine = choice.take(json);
      if (alone && fine) {
        if (choice.pieces.length > 0 || othersOf(json.delta as Fields) !== undefined) this.sent = true;
        choice.leave(json, event, out);
        return;
      }
      if (alone && choice.keep(json, event)) return;
      this.#base = baseOf(chunk);
      this.#write(choice, json, out);
    }
    if (usage !== undefined) this.#usage = usage;
  }

  /**
   * Another engine began the reply with this text, which the client has: what comes is read as what follows it. False =
   * this text would not have come out as it is, and what comes cannot be told from a part of something else.
   */
  resume(text: string): boolean {
    const choice = this.#choice(0);
    choice.take({ index: 0, delta: { role: "assistant", content: text }, finish_reason: null });
    const same = choice.pieces.map((piece) => (piece.kind === "content" ? piece.text : undefined)).join("") === text;
    choice.pieces = [];
    choice.role = "told";
    return same && !choice.holding;
  }

  /** The stream is complete: the usage, if the client asked for it and the engine hid it in other chunks. */
  end(out: ReplyEvent[]): void {
    if (this.#usage !== undefined && this.#options.includeUsage)
      out.push(ReplyEvent.ofJson({ ...this.#base, choices: [], usage: this.#usage }));
    this.#usage = undefined;
  }

  /** The stream was cut: what was held back comes out as it is. */
  cut(out: ReplyEvent[]): void {
    for (const choice of this.#choices.values()) {
      if (choice.finished) continue;
      choice.end();
      this.#write(choice, noFields, out);
    }
  }

  /** Makes chunks of what a choice has to say: reasoning, content, calls and the end each in their own. */
  #write(choice: Choice, json: Fields, out: ReplyEvent[]): void {
    const { pieces, finish } = choice;
    choice.pieces = [];
    choice.finish = undefined;
    choice.drop();
    choice.addLogprobs(json.logprobs);
    const deltas = deltasOf(pieces, choice);
    const others = othersOf((json.delta ?? json.message ?? noFields) as Fields);
    if (others !== undefined) deltas.push(others);
    if (deltas.length > 0) this.sent = true;
    if (finish !== undefined) deltas.push({});
    for (const [place, delta] of deltas.entries()) {
      const last = place === deltas.length - 1;
      const own = memberOf(choice, json);
      own.delta = choice.role === "due" ? { role: "assistant", ...delta } : delta;
      choice.role = "told";
      if (choice.logprobs !== undefined) own.logprobs = choice.logprobs;
      choice.logprobs = undefined;
      own.finish_reason = last && finish !== undefined ? finish : null;
      out.push(ReplyEvent.ofJson({ ...this.#base, choices: [own] }));
    }
  }

  /** A whole reply. The same event, when there is nothing to change. */
  whole(event: ReplyEvent): ReplyEvent {
    this.sent = true;
    const reply = event.json as Fields & { choices: readonly Fields[] };
    let changed = false;
    const choices = reply.choices.map((json, place) => {
      const choice = this.#choice(typeof json.index === "number" ? json.index : place);
      if (choice.take(json)) return json;
      changed = true;
      const own = memberOf(choice, json);
      own.message = messageOf((json.message ?? json.delta ?? noFields) as Fields, choice.pieces);
      if (json.logprobs !== undefined) own.logprobs = json.logprobs;
      own.finish_reason = choice.finish;
      return own;
    });
    if (!changed) return event;
    return ReplyEvent.ofBody(Buffer.from(JSON.stringify({ ...baseOf(reply), choices, usage: reply.usage })));
  }
}

function isCapital(code: number): boolean {
  return code >= 0x41 && code <= 0x5a;
}

/** The members of a chunk that are the same in all of them. Some engines add their own, in another spelling. */
function baseOf(chunk: Fields): Fields {
  const base: Fields = {};
  for (const key in chunk) {
    if (key !== "choices" && key !== "usage" && !isCapital(key.charCodeAt(0))) base[key] = chunk[key];
  }
  return base;
}

/** The members of a choice that are not made anew; its index first. */
function memberOf({ index }: Choice, json: Fields): Fields {
  const { index: _, delta: __, message: ___, logprobs: ____, finish_reason: _____, ...rest } = json;
  return { index, ...rest };
}

/** Neighbours of one kind in one delta. */
function deltasOf(pieces: readonly Piece[], choice: Choice): Fields[] {
  const deltas: Fields[] = [];
  let last: Piece["kind"] | undefined;
  for (const piece of pieces) {
    const before = last === piece.kind ? deltas.at(-1) : undefined;
    last = piece.kind;
    if (piece.kind === "call") {
      const call = { index: choice.told++, ...wireCall(piece.call) };
      if (before === undefined) deltas.push({ tool_calls: [call] });
      else (before.tool_calls as unknown[]).push(call);
    } else {
      const field = piece.kind === "content" ? "content" : "reasoning_content";
      if (before === undefined) deltas.push({ [field]: piece.text });
      else before[field] = `${before[field]}${piece.text}`;
    }
  }
  return deltas;
}

function wireCall({ id, name, arguments: json }: ToolCall): Fields {
  return { id, type: "function", function: { name, arguments: json } };
}

/** The message with what came out of it in place of what was in it. */
function messageOf(message: Fields, pieces: readonly Piece[]): Fields {
  const {
    content: was,
    reasoning: _,
    reasoning_details: __,
    reasoning_content: ___,
    tool_calls: ____,
    ...rest
  } = message;
  let content = "";
  let reasoning = "";
  const calls: Fields[] = [];
  for (const piece of pieces) {
    if (piece.kind === "call") calls.push(wireCall(piece.call));
    else if (piece.kind === "content") content += piece.text;
    else reasoning += piece.text;
  }
  const empty = calls.length > 0 || reasoning !== "" ? null : "";
  const made: Fields = { role: "assistant", ...rest, content: content === "" ? empty : content };
  // A list of parts was not looked into.
  if (Array.isArray(was))
    made.content = content === "" ? was : [...(was as unknown[]), { type: "text", text: content }];
  if (reasoning !== "") made.reasoning_content = reasoning;
  if (calls.length > 0) made.tool_calls = calls;
  return made;
}
