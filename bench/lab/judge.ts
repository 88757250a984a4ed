import type { Heard } from "./lane.ts";
import type { Plan, Visit } from "./plan.ts";
import { callArguments, replyText } from "./talk.ts";

/** What an answer is to a careful client, held against what the engines did. */
export interface Verdict {
  /** `ok` = reported as complete; `failed` = an error before anything was sent; `broken` = an error in the stream. */
  readonly end: "ok" | "failed" | "broken" | "left";
  /** The error's code; empty where there is none. */
  readonly code: string;
  readonly tokens: number;
  readonly toolCalls: number;
  readonly completionTokens: number | undefined;
  /** What must never be. */
  readonly wrong: string | undefined;
}

interface Chunk {
  readonly error?: { readonly code?: string };
  readonly usage?: { readonly completion_tokens?: number } | null;
  readonly choices?: readonly {
    readonly delta?: Message;
    readonly message?: Message;
    readonly finish_reason?: string | null;
  }[];
}

interface Message {
  readonly content?: string | null;
  readonly tool_calls?: readonly { readonly function?: { readonly name?: string; readonly arguments?: string } }[];
}

interface Reading {
  content: string;
  arguments: string;
  toolCalls: number;
  finish: string;
  done: boolean;
  code: string;
  completionTokens: number | undefined;
  /** The body ends within an event, or an event cannot be read. */
  garbled: boolean;
}

function readChunk(reading: Reading, chunk: Chunk): void {
  if (chunk.error !== undefined) reading.code = chunk.error.code ?? "unnamed";
  reading.completionTokens = chunk.usage?.completion_tokens ?? reading.completionTokens;
  const choice = chunk.choices?.[0];
  const message = choice?.delta ?? choice?.message;
  reading.content += message?.content ?? "";
  for (const call of message?.tool_calls ?? []) {
    if (call.function?.name !== undefined) reading.toolCalls++;
    reading.arguments += call.function?.arguments ?? "";
  }
  reading.finish ||= choice?.finish_reason ?? "";
}

function read({ head, text, end }: Heard): Reading {
  const reading: Reading = {
    content: "",
    arguments: "",
    toolCalls: 0,
    finish: "",
    done: false,
    code: "",
    completionTokens: undefined,
    garbled: false,
  };
  if (end === "whole" || head !== "") {
    const streamed = head.includes("text/event-stream");
    const events = streamed ? text.split("\n\n") : [text];
    const rest = streamed ? events.pop() : "";
    // A client that left had no time to read to the end.
    reading.garbled = rest !== "" && end !== "left";
    for (const event of events) readEvent(reading, event, streamed);
  }
  return reading;
}

function readEvent(reading: Reading, event: string, streamed: boolean): void {
  // While a tool call is held back the client hears comments.
  if (event.startsWith(":")) return;
  const data = streamed ? event.slice("data: ".length) : event;
  if (data === "[DONE]") {
    reading.done = true;
    return;
  }
  try {
    readChunk(reading, JSON.parse(Buffer.from(data, "latin1").toString()) as Chunk);
  } catch {
    reading.garbled = true;
  }
}

/** The tokens of the engine that was heard; undefined when they are not the beginning of what it said. */
function tokensOf(plan: Plan, text: string, visits: readonly Visit[]): number | undefined {
  if (text === "") return 0;
  for (const { engine } of visits)
    if (replyText(engine, plan.tokens).startsWith(text)) return text.split(" ").length - 1;
  return undefined;
}

/** A reply that was finished says all, once, and some engine has said it to the end. */
function whatIsFalse(plan: Plan, reading: Reading, tokens: number | undefined): string | undefined {
  const told = plan.visits.filter(({ act }) => act.do === "answer" || act.do === "malformed_event");
  if (plan.toolCall) {
    if (reading.finish !== "tool_calls") return `false success: a call that ends with ${reading.finish}`;
    const whole = told.some(({ engine }) => callArguments(engine, plan.tokens) === reading.arguments);
    return whole ? undefined : "false success: not the call that an engine said";
  }
  if (tokens !== plan.tokens) return `false success: ${tokens} of ${plan.tokens} tokens`;
  if (told.length === 0) return "false success: no engine has finished";
  if (reading.completionTokens !== undefined && reading.completionTokens !== plan.tokens)
    return `usage of ${reading.completionTokens} for ${plan.tokens} tokens`;
  return undefined;
}

function wrongOf(plan: Plan, heard: Heard, reading: Reading, tokens: number | undefined): string | undefined {
  const { end, status } = heard;
  if (reading.garbled) return "an event or a body that cannot be read";
  if (tokens === undefined) return `lost, doubled or foreign tokens: ${JSON.stringify(reading.content.slice(0, 200))}`;
  if (end === "left") return undefined;
  if (end === "cut") return status === 0 ? "the connection closed without an answer" : "the answer was cut off";
  const error = reading.code !== "";
  if (status !== 200) return error ? undefined : `status ${status} without an error`;
  const finished = reading.finish !== "" || reading.done;
  if (error) return finished ? "an error in a reply that is said to be finished" : undefined;
  if (plan.stream && !(reading.finish !== "" && reading.done)) return "a stream that ends without a finish or an error";
  return whatIsFalse(plan, reading, tokens);
}

/** Judges one answer by what its plan's engines said. */
export function judge(plan: Plan, heard: Heard): Verdict {
  const reading = read(heard);
  const tokens = tokensOf(plan, reading.content, plan.visits);
  const end = heard.end === "left" ? "left" : heard.status !== 200 ? "failed" : reading.code !== "" ? "broken" : "ok";
  return {
    end,
    code: reading.code,
    tokens: tokens ?? 0,
    toolCalls: reading.toolCalls,
    completionTokens: reading.completionTokens,
    wrong: wrongOf(plan, heard, reading, tokens),
  };
}
