import type { Outcome } from "@signalbox/adapter/vectors";

interface WireCall {
  readonly index?: unknown;
  readonly id: string;
  readonly type: unknown;
  readonly function: { readonly name: string; readonly arguments: string };
}

interface WireChoice {
  readonly index: unknown;
  readonly message?: WireMessage;
  readonly delta?: WireMessage;
  readonly finish_reason: string | null;
}

interface WireMessage {
  readonly role?: unknown;
  readonly content?: string | null;
  readonly reasoning_content?: string;
  readonly tool_calls?: readonly WireCall[];
}

const members = new Set(["role", "content", "reasoning_content", "tool_calls", "refusal", "annotations", "audio"]);

/** Reads the body of a whole reply with one choice. @throws Error that says what a strict client would complain of. */
export function readWhole(text: string): Outcome {
  const reply = JSON.parse(text) as { object?: unknown; choices: readonly WireChoice[] };
  check(reply.object === "chat.completion", "not a chat.completion", reply);
  const [choice, ...others] = reply.choices;
  check(choice?.message !== undefined && others.length === 0, "not one choice", reply);
  const { message, finish_reason } = choice as WireChoice & { message: WireMessage };
  check(message.role === "assistant" && typeof finish_reason === "string", "no role, or no finish_reason", choice);
  check(message.reasoning_content !== "" && message.tool_calls?.length !== 0, "an empty field", message);
  const calls = message.tool_calls ?? [];
  for (const call of calls) check(isWhole(call) && call.index === undefined, "not a whole call", call);
  return {
    content: message.content ?? null,
    reasoning: message.reasoning_content ?? null,
    calls: callsOf(calls),
    finish: String(finish_reason),
  };
}

/**
 * Reads the body of a streamed reply with one choice. @throws Error that says what a strict client would complain of:
 * a call in pieces, indexes that do not count up, a role or finish_reason told twice, nulls, anything behind `[DONE]`.
 */
export function readStream(text: string): Outcome {
  const events = text.split("\n\n").filter((event) => event !== "" && !event.startsWith(":"));
  check(events.pop() === "data: [DONE]", "no [DONE] at the end", text);
  let content = "";
  let reasoning = "";
  const calls: WireCall[] = [];
  let finish: string | null = null;
  for (const [place, event] of events.entries()) {
    check(event.startsWith("data: {"), "not an event", event);
    const chunk = JSON.parse(event.slice("data: ".length)) as { object?: unknown; choices: readonly WireChoice[] };
    const [choice, ...others] = chunk.choices;
    check(chunk.object === "chat.completion.chunk" && others.length === 0, "not a chunk of one choice", event);
    const delta = choice?.delta;
    check(delta !== undefined && choice?.message === undefined && finish === null, "no delta, or behind the end", text);
    check((delta?.role !== undefined) === (place === 0), "a role that is not in the first chunk alone", text);
    for (const [key, value] of Object.entries(delta ?? {}))
      check(members.has(key) && (value !== null || place === 0), `a strange ${key}`, event);
    content += delta?.content ?? "";
    reasoning += delta?.reasoning_content ?? "";
    for (const call of delta?.tool_calls ?? []) {
      check(isWhole(call) && call.index === calls.length, "not a whole call in its place", event);
      calls.push(call);
    }
    finish = choice?.finish_reason ?? null;
  }
  check(finish !== null, "no finish_reason", text);
  return { content, reasoning, calls: callsOf(calls), finish: String(finish) };
}

function isWhole({ id, type, function: called }: WireCall): boolean {
  const texts = [id, called.name, called.arguments].every((value) => typeof value === "string");
  return texts && id !== "" && type === "function";
}

function callsOf(calls: readonly WireCall[]): Outcome["calls"] {
  check(new Set(calls.map(({ id }) => id)).size === calls.length, "ids that are not unique", calls);
  return calls.map(({ id, function: called }) => ({ id, name: called.name, arguments: called.arguments }));
}

function check(holds: boolean, what: string, where: unknown): void {
  if (!holds) throw new Error(`${what}: ${typeof where === "string" ? where : JSON.stringify(where)}`);
}
