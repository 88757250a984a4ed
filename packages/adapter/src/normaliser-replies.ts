import { ReplyEvent } from "@signalbox/protocol";
import type { ToolCall } from "./call.ts";
import { Normaliser, type NormaliserOptions } from "./normaliser.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Two tools, of which one needs an argument. */
export const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
  { type: "function", function: { name: "noargs", parameters: { type: "object", properties: {} } } },
];

/** What came of a reply. */
export interface Normalised {
  /** The payloads that left. */
  readonly out: readonly Fields[];
  readonly events: readonly ReplyEvent[];
  /** Calls that left, and the dialects of those that failed. */
  readonly calls: readonly ToolCall[];
  readonly failed: readonly string[];
}

export type More = Partial<NormaliserOptions> & { readonly cut?: boolean };

function create(streamed: boolean, more: More) {
  const calls: ToolCall[] = [];
  const failed: string[] = [];
  const normaliser = new Normaliser({
    dialect: "auto",
    tools,
    toolChoice: undefined,
    reasoningFirst: false,
    engineParses: true,
    streamed,
    includeUsage: false,
    watch: { call: (call) => void calls.push(call), failed: (dialect) => void failed.push(dialect) },
    ...more,
  });
  return { normaliser, calls, failed };
}

/** The payload of an event as OpenAI's, around its choices. */
export function chunk(choices: readonly Fields[], more: Fields = {}): Fields {
  return { id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices, ...more };
}

/** A chunk of one choice. */
export function delta(part: Fields, finish: string | null = null, more: Fields = {}): Fields {
  return chunk([{ index: 0, delta: part, finish_reason: finish, ...more }]);
}

/** A whole reply of one choice. */
export function reply(message: Fields, finish = "stop", more: Fields = {}): Fields {
  return {
    id: "c1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message, finish_reason: finish, ...more }],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
  };
}

/** An entry of `tool_calls`. */
export function call(id: string, name: string, json: string, index?: number): Fields {
  return { ...(index === undefined ? {} : { index }), id, type: "function", function: { name, arguments: json } };
}

/** Gives the chunks of a stream to a normaliser. */
export function normaliseStream(chunks: readonly unknown[], more: More = {}): Normalised {
  const { normaliser, calls, failed } = create(true, more);
  const events: ReplyEvent[] = [];
  for (const one of chunks) normaliser.push(one instanceof ReplyEvent ? one : ReplyEvent.ofJson(one), events);
  if (more.cut) normaliser.cut(events);
  else normaliser.end(events);
  return { out: events.map(({ json }) => json as Fields), events, calls, failed };
}

/** Gives a whole reply to a normaliser. */
export function normaliseWhole(body: Fields | ReplyEvent, more: More = {}): Normalised & { readonly message: Fields } {
  const { normaliser, calls, failed } = create(false, more);
  const event = normaliser.whole(
    body instanceof ReplyEvent ? body : ReplyEvent.ofBody(Buffer.from(JSON.stringify(body))),
  );
  const out = event.json as { choices: [{ message: Fields }] } & Fields;
  return { out: [out], events: [event], calls, failed, message: out.choices[0].message };
}

/** A choice as OpenAI's clients put it together from deltas. */
export interface Accumulated {
  role?: unknown;
  content?: string;
  reasoning_content?: string;
  tool_calls?: { id?: string; type?: string; function: { name: string; arguments: string } }[];
  finish_reason?: unknown;
}

/**
 * Adds deltas up as OpenAI's clients do: texts are joined, calls found by their index.
 * Throws where such a client would fall: a role told twice, a call without an index or out of turn, a second finish_reason.
 */
export function accumulate(chunks: readonly Fields[], index = 0): Accumulated {
  const all: Accumulated = {};
  for (const { choices } of chunks) {
    for (const choice of choices as readonly Fields[]) {
      if (choice.index === index) addDelta(all, choice);
    }
  }
  return all;
}

function addDelta(all: Accumulated, choice: Fields): void {
  const { role, content, reasoning_content, tool_calls, ...others } = choice.delta as Fields;
  if (Object.keys(others).length > 0) throw new Error(`members that OpenAI does not have: ${Object.keys(others)}`);
  if (role !== undefined && all.role !== undefined) throw new Error("a role that was told");
  if (role === undefined && all.role === undefined) throw new Error("a first delta without a role");
  if (all.finish_reason !== undefined) throw new Error("a delta behind the end");
  all.role ??= role;
  if (typeof content === "string") all.content = (all.content ?? "") + content;
  if (typeof reasoning_content === "string") all.reasoning_content = (all.reasoning_content ?? "") + reasoning_content;
  for (const one of (tool_calls ?? []) as { index: number; id?: string; type?: string; function: Fields }[]) {
    all.tool_calls ??= [];
    const calls = all.tool_calls;
    if (one.index !== calls.length) throw new Error(`a call with index ${one.index} behind ${calls.length}`);
    const { name, arguments: json } = one.function as { name: string; arguments: string };
    calls.push({ id: one.id!, type: one.type!, function: { name, arguments: json } });
  }
  if (choice.finish_reason !== null) all.finish_reason = choice.finish_reason;
}
