import type { ToolCall } from "./call.ts";
import { isNothing, mendArguments, needsNothing, readArguments } from "./engine-arguments.ts";
import { readEngineEntry } from "./engine-entry.ts";
import { type OpenCall, OpenCalls } from "./open-calls.ts";
import type { ToolSet } from "./tools.ts";

/** What an engine took for a call, and what is none. */
interface FailedCall {
  /** The name as the engine wrote it. */
  readonly name: string | undefined;
  /** The text of the arguments as it came; it belongs into the content. */
  readonly raw: string;
}

/** What came out at the end of a choice. */
export interface EngineCallsEnd {
  readonly calls: readonly ToolCall[];
  readonly leftovers: readonly FailedCall[];
}

/** The tool calls of one choice that its engine has parsed, streamed or whole. Nothing that is pushed makes it throw. */
export interface EngineCalls {
  /** Takes the `tool_calls` of one delta or of a whole message; anything may be in there. */
  push(toolCalls: unknown): void;
  /** The calls that are complete now and were not handed out yet, in the order in which they began. */
  take(): readonly ToolCall[];
  /**
   * The end of the choice, with the engine's finish_reason: the last calls, and what could not be made a call.
   * A reply that was cut (`length`, `content_filter`, `abort`, or undefined: no reason came) gets no missing brackets;
   * for an engine that never sends a reason, pass `stop`. Afterwards it is as new, but for the ids that are taken.
   */
  end(finish: string | undefined): EngineCallsEnd;
  /** A call is being assembled. */
  readonly pending: boolean;
}

export interface EngineCallsOptions {
  readonly tools: ToolSet;
  /** An id that was never given before. */
  createId(): string;
}

const cutFinishes: readonly (string | undefined)[] = [undefined, "length", "content_filter", "abort"];

class Assembler implements EngineCalls {
  readonly #tools: ToolSet;
  readonly #createId: () => string;
  #open: OpenCalls;
  /** The calls before this one were handed out. */
  #next = 0;
  /** By the id that the client gets. */
  readonly #given = new Map<string, ToolCall>();

  constructor({ tools, createId }: EngineCallsOptions) {
    this.#tools = tools;
    this.#createId = createId;
    this.#open = new OpenCalls(tools);
  }

  get pending(): boolean {
    return this.#open.calls.length > 0;
  }

  push(toolCalls: unknown): void {
    const entries: readonly unknown[] = Array.isArray(toolCalls) ? toolCalls : [toolCalls];
    for (const raw of entries) {
      const entry = readEngineEntry(raw);
      if (entry !== undefined) this.#open.push(entry);
    }
  }

  take(): readonly ToolCall[] {
    const { calls } = this.#open;
    const made: ToolCall[] = [];
    for (; this.#next < calls.length; this.#next++) {
      const call = calls[this.#next]!;
      if (call.settled === undefined) break;
      this.#handOut(call, call.settled, made);
    }
    return made;
  }

  end(finish: string | undefined): EngineCallsEnd {
    const isCut = cutFinishes.includes(finish);
    const calls: ToolCall[] = [];
    const leftovers: FailedCall[] = [];
    for (const call of this.#open.calls.slice(this.#next)) {
      const json = call.settled ?? this.#lastArguments(call, isCut);
      if (json === undefined) leftovers.push({ name: call.rawName, raw: call.text });
      else this.#handOut(call, json, calls);
    }
    this.#open = new OpenCalls(this.#tools);
    this.#next = 0;
    return { calls, leftovers };
  }

  #lastArguments(call: OpenCall, isCut: boolean): string | undefined {
    const { name, text } = call;
    if (name === "") return undefined;
    const json = readArguments(text);
    if (json !== undefined) return json;
    if (!isNothing(text)) return mendArguments(text, !isCut);
    const mayGoOn = isCut && call === this.#open.calls.at(-1);
    return !mayGoOn && needsNothing(this.#tools.get(name)) ? "{}" : undefined;
  }

  #handOut(call: OpenCall, json: string, to: ToolCall[]): void {
    const { name } = call;
    const before = call.id === undefined ? undefined : this.#given.get(call.id);
    // Some engines send a call again when it is complete.
    if (before?.name === name && before.arguments === json) return;
    let id = before === undefined ? call.id : undefined;
    while (id === undefined || this.#given.has(id)) id = this.#createId();
    const isRepaired = name !== call.rawName || json !== call.text || before !== undefined;
    const made: ToolCall = {
      id,
      name,
      arguments: json,
      outcome: isRepaired ? "repaired" : "clean",
      dialect: "engine",
    };
    this.#given.set(id, made);
    to.push(made);
  }
}

/** Assembles the calls of one choice of a reply to a request with these tools. */
export function createEngineCalls(options: EngineCallsOptions): EngineCalls {
  return new Assembler(options);
}
