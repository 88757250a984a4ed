import type { CallOutcome, ToolCall } from "./call.ts";
import { CodeSpans, nowhere } from "./code-spans.ts";
import { Cursor, isSpace, MORE, YES } from "./cursor.ts";
import type { Block, Envelope, Grammar, ThinkTags } from "./dialect.ts";
import { type Entry, PARTIAL } from "./literals.ts";
import type { Openings } from "./openings.ts";
import { surplusOf } from "./surplus-space.ts";
import { Thought } from "./thought.ts";
import type { ToolSet } from "./tools.ts";

/** A block that is longer than this many code units is text. */
export const MAX_BLOCK = 2 * 1024 * 1024;

const MAX_NAME = 256;

/** Takes what a parser makes of a text, in order. */
export interface Sink {
  content(text: string): void;
  reasoning(text: string): void;
  call(call: ToolCall): void;
  /** A call was begun and could not be made: its text is content. */
  failed(): void;
  /** The text began inside a thought and ended by itself, and all of it was that thought. */
  unclosed?(): void;
  /** What was read and is not handed out: tags, and the text of calls. Comes in the order of the text; whitespace between may be missing. */
  consumed?(raw: string): void;
}

export interface ParserOptions {
  /** What to look for: `openingsOf(dialect, extract)`. */
  readonly openings: Openings;
  readonly tools: ToolSet;
  /** The reply begins inside a thought. */
  readonly reasoningFirst: boolean;
  /** The engine should have parsed the calls: those in the text count as leaked. */
  readonly leaks: boolean;
  /** The dialect's name, for the calls. */
  readonly dialect: string;
  createId(): string;
}

interface PendingCall {
  readonly name: string;
  readonly json: string;
  readonly id: string | undefined;
  readonly outcome: CallOutcome;
}

/** A literal that was found, or the beginning of one. */
type Hit = Entry<Envelope | ThinkTags> | typeof PARTIAL | undefined;

/** Where a text is as to blocks: at its start, right after a block (whitespace apart), or in the midst of it. */
type Edge = "start" | "after" | "none";

/**
 * Finds tool calls and thoughts in the text of one choice, which comes in pieces. What it hands out is the same for
 * every way to cut the text; a call is handed out when it is complete, and what cannot be made a call is text again.
 * Linear in the text's length; holds back an open block, or the beginning of what may become one.
 */
export class Parser implements Block {
  weak = false;
  repairs = false;
  readonly tools: ToolSet;
  readonly #options: ParserOptions;
  readonly #sink: Sink;
  readonly #cursor = new Cursor();
  readonly #spans = new CodeSpans();
  readonly #thought: Thought;
  #thinking = false;
  #edge: Edge = "start";
  /** The beginning of what may open a block. */
  #held = "";
  /** Whitespace that leaves only if text follows. */
  #space = "";
  #blockSinceText = false;
  /** Whitespace here stands between a thought and what follows: it is nobody's. */
  #behindThought = false;
  #grammar: ReturnType<Grammar> | undefined;
  #inThought = false;
  #named = false;
  /** What opened the block can only mean a call. */
  #certain = false;
  /** The thought that the text began inside has not ended. */
  #first = false;
  #calls: PendingCall[] = [];
  readonly #ids = new Set<string>();

  constructor(options: ParserOptions, sink: Sink) {
    this.#options = options;
    this.#sink = sink;
    this.tools = options.tools;
    this.#thought = new Thought(options.openings, sink);
    if (options.reasoningFirst && options.openings.thinks.length > 0) {
      this.#think(undefined);
      this.#first = true;
    }
  }

  /** Something is held back: an open block, or what may become one. */
  get holding(): boolean {
    return this.#grammar !== undefined || this.#held !== "";
  }

  /** Nothing can occur any more: `push` hands on what it gets. */
  get isPlain(): boolean {
    return this.#edge === "none" && this.#options.openings.anywhere.isEmpty && !this.#thinking;
  }

  push(text: string): void {
    if (text === "") return;
    if (this.isPlain && this.#grammar === undefined) this.#emit(text, 0, text.length);
    else if (this.#grammar !== undefined) this.#read(this.#feed(text));
    else this.#read(this.#held === "" ? text : this.#held + text);
  }

  /** Reasoning that the engine has split off already. A call in it ends it, where the dialect says so. */
  pushReasoning(text: string): void {
    if (text === "") return;
    if (this.#grammar !== undefined && this.#inThought) this.#read(this.#feed(text));
    else if (this.#edge === "none" || this.#grammar !== undefined) this.#sink.reasoning(text);
    else {
      this.#thinking = true;
      this.#first = false;
      this.#thought.beginSplit();
      this.#read(this.#held === "" ? text : this.#held + text);
    }
  }

  /** The engine's own split is over: what follows is content. */
  endReasoning(): void {
    if (!this.#thinking || this.#grammar !== undefined) return;
    this.#thought.end(this.#held);
    this.#held = "";
    this.#thinking = false;
  }

  /** The end of the text. `finish` is the engine's finish_reason; undefined = it was cut. */
  end(finish: string | undefined): void {
    this.repairs = finish !== undefined && finish !== "length";
    this.#cursor.ended = true;
    if (this.#grammar !== undefined) this.#read(this.#run());
    if (this.#held !== "") this.#read(this.#held);
    if (this.#thinking) this.#thought.end("");
    if (this.#first && this.#thought.begun && this.repairs) this.#sink.unclosed?.();
    if (!this.#blockSinceText && this.#space !== "") this.#sink.content(this.#space);
    this.#space = "";
  }

  #read(text: string): void {
    let rest = text;
    this.#held = "";
    while (rest !== "") rest = this.#thinking ? this.#readThought(rest) : this.#readText(rest);
  }

  #readThought(text: string): string {
    const found = this.#thought.read(text, this.#cursor.ended);
    if (found.envelope !== undefined) return this.#open(found.envelope, found.length, text.slice(found.at));
    if (found.closed) {
      this.#thinking = false;
      this.#first = false;
      this.#behindThought = true;
      return text.slice(found.at);
    }
    this.#held = text.slice(found.at);
    return "";
  }

  /** Reads prose up to the next block, and the block as far as it is there. Answers what is still to be read. */
  #readText(text: string): string {
    let at = 0;
    if (this.#edge !== "none") {
      while (at < text.length && isSpace(text.charCodeAt(at))) at++;
      this.#spans.read(text, 0, at, nowhere);
      if (!this.#behindThought) this.#hold(text.slice(0, at));
      if (at === text.length) return "";
      this.#behindThought = false;
      const found = this.#edgeBlock(text, at);
      if (found !== undefined) return found;
      this.#edge = "none";
    }
    const from = at;
    const { anywhere, stops } = this.#options.openings;
    for (;;) {
      at = this.#spans.read(text, at, text.length, stops);
      if (at === text.length) break;
      const hit = this.#spans.found as Hit;
      const found = this.#admit(hit === PARTIAL && this.#cursor.ended ? anywhere.match(text, at, true) : hit, text, at);
      if (found === PARTIAL) {
        this.#emit(text, from, at);
        this.#held = text.slice(at);
        return "";
      }
      if (found !== undefined) {
        this.#emit(text, from, at);
        return this.#open(found.value as Envelope, found.literal.length, text.slice(at));
      }
      at++;
      this.#spans.step();
    }
    this.#emit(text, from, text.length);
    return "";
  }

  /** At an edge, blocks may begin that elsewhere are text. Undefined = none does; else what is still to be read. */
  #edgeBlock(text: string, at: number): string | undefined {
    const { start, after, unlabelled } = this.#options.openings;
    const ended = this.#cursor.ended;
    const set = this.#edge === "start" ? start : after;
    const found = this.#admit(set.match(text, at, ended), text, at);
    if (found === undefined) {
      for (const envelope of unlabelled) {
        if (envelope.where === "start" && this.#edge !== "start") continue;
        const answer = envelope.lookahead!(text, at, this.tools, ended, at);
        if (answer === YES) return this.#open(envelope, 0, text.slice(at));
        if (answer === MORE) {
          this.#held = text.slice(at);
          return "";
        }
      }
      return undefined;
    }
    if (found === PARTIAL) {
      this.#held = text.slice(at);
      return "";
    }
    const rest = text.slice(at);
    if ("grammar" in found.value) return this.#open(found.value, found.literal.length, rest);
    this.#think(found.value);
    this.#sink.consumed?.(found.literal);
    return rest.slice(found.literal.length);
  }

  /** What was found at `at`, if a block may begin there. */
  #admit(found: Hit, text: string, at: number): Hit {
    if (found === undefined || found === PARTIAL || !("grammar" in found.value)) return found;
    const { lookahead } = found.value;
    if (lookahead === undefined) return found;
    const answer = lookahead(text, at, this.tools, this.#cursor.ended, at + found.literal.length);
    return answer === YES ? found : answer === MORE ? PARTIAL : undefined;
  }

  #think(tags: ThinkTags | undefined): void {
    this.#thinking = true;
    // Whitespace in front of a thought separates nothing that will be seen.
    this.#space = this.#edge === "start" ? "" : this.#space;
    this.#thought.begin(tags);
  }

  #open(envelope: Envelope, skip: number, text: string): string {
    this.weak = envelope.weak;
    this.#certain = !envelope.weak && !envelope.always && envelope.where === "anywhere" && !this.#thinking;
    this.#inThought = this.#thinking;
    this.#named = false;
    this.#calls = [];
    this.#cursor.begin("");
    this.#grammar = envelope.grammar(this.#cursor, this);
    return this.#feed(text, skip);
  }

  /** Gives the open block more text, at most as much as a block may have. Answers what is still to be read. */
  #feed(text: string, skip = 0): string {
    const room = MAX_BLOCK - this.#cursor.length;
    const fits = text.length <= room;
    this.#cursor.feed(fits ? text : text.slice(0, room));
    this.#cursor.skip(skip);
    const rest = this.#run();
    if (fits) return rest;
    // A slice of `text` where it can be: joining the two would copy all of it for every block.
    if (this.#grammar === undefined)
      return rest.length <= room ? text.slice(room - rest.length) : rest + text.slice(room);
    this.#cursor.skip(this.#cursor.rest().length);
    // So long a text that is still like a call was meant for one.
    this.#named = true;
    this.#break();
    return text.slice(room);
  }

  #run(): string {
    const { done, value } = this.#grammar!.next();
    if (!done && !this.#cursor.ended) return "";
    if (done && value) this.#close();
    else this.#break();
    return this.#cursor.rest();
  }

  #close(): void {
    this.commit();
    this.#grammar = undefined;
    if (this.#inThought && this.#thinking) return;
    this.#edge = this.#blockSinceText ? "after" : this.#edge;
  }

  /** What was read since the last commit is text again. */
  #break(): void {
    const raw = this.#cursor.text();
    this.#grammar = undefined;
    // Cut off before its name, or a tag and nothing behind it.
    if (this.#named || (this.#certain && this.#cursor.ended)) this.#sink.failed();
    if (this.#thinking) {
      this.#thought.take(raw);
      return;
    }
    this.#edge = "none";
    this.#spans.read(raw, 0, raw.length, nowhere);
    this.#emit(raw, 0, raw.length);
  }

  accepts(name: string): boolean {
    const isName = name !== "" && name.length <= MAX_NAME;
    const good = this.#options.openings.extract && (this.weak ? this.tools.has(name) : isName);
    this.#named ||= good;
    return good;
  }

  call(name: string, json: string, how: Parameters<Block["call"]>[2] = {}): void {
    const outcome = how.repaired ? "repaired" : how.coerced ? "coerced" : this.#options.leaks ? "leaked" : "clean";
    this.#calls.push({ name, json, id: how.id, outcome });
  }

  commit(): void {
    this.#settle("");
  }

  content(text: string): void {
    this.#settle(text);
    if (this.#thinking) this.#endThought();
    this.#emit(text, 0, text.length);
  }

  reasoning(text: string): void {
    this.#settle(text);
    if (this.#edge === "start") this.#space = "";
    this.#thought.take(text);
  }

  /** Hands out the calls so far. What was read is gone, but for `text` at its end, which has another use. */
  #settle(text: string): void {
    if (this.#sink.consumed !== undefined) {
      const raw = this.#cursor.text();
      this.#sink.consumed(raw.slice(0, raw.length - text.length));
    }
    for (const { name, json, id, outcome } of this.#calls) {
      const own = id !== undefined && id !== "" && !this.#ids.has(id) ? id : this.#options.createId();
      this.#ids.add(own);
      this.#sink.call({ id: own, name, arguments: json, outcome, dialect: this.#options.dialect });
    }
    if (this.#calls.length > 0) {
      this.#blockSinceText = true;
      this.#calls = [];
      if (this.#thinking) this.#endThought();
    }
    this.#named = false;
    this.#cursor.drop();
  }

  #endThought(): void {
    this.#thought.end("");
    this.#thinking = false;
    this.#first = false;
    this.#edge = "after";
  }

  trim(): void {
    this.#space = "";
  }

  /** Hands out prose; whitespace at its end waits for what comes next. */
  #emit(text: string, from: number, to: number): void {
    let last = to;
    const { extract, anywhere } = this.#options.openings;
    // Without calls to come there is nothing that whitespace could stand in front of.
    while (extract && !anywhere.isEmpty && last > from && isSpace(text.charCodeAt(last - 1))) last--;
    if (last === from) {
      this.#hold(text.slice(from, to));
      return;
    }
    const own = from === 0 && last === text.length ? text : text.slice(from, last);
    this.#sink.content(this.#space === "" ? own : this.#space + own);
    this.#space = "";
    if (last < to) this.#hold(text.slice(last, to));
    this.#blockSinceText = false;
    this.#edge = "none";
  }

  /** Keeps whitespace that leaves only if text follows; what is far more than stands around a block leaves anyway. */
  #hold(space: string): void {
    this.#space += space;
    const surplus = surplusOf(this.#space);
    if (surplus === 0) return;
    this.#sink.content(this.#space.slice(0, surplus));
    this.#space = this.#space.slice(surplus);
  }
}
