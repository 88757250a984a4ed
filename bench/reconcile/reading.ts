import type { Heard } from "../lab/lane.ts";

/** Tokens as an answer tells them. */
export interface ToldUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens?: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  readonly completion_tokens_details?: { readonly reasoning_tokens?: number } | null;
  readonly reasoning_tokens?: number;
}

/** What a client can tell of an answer. */
export interface Reading {
  readonly status: number;
  readonly left: boolean;
  /** Of the error, in the body or at a stream's end; `ok` = none. */
  readonly code: string;
  readonly usage: ToldUsage | undefined;
  readonly toolCalls: number;
  /** Events of a stream that hold something of the answer. */
  readonly contentEvents: number;
  /** What chose the model: a rule, or `named`; undefined = nobody did. */
  readonly rule: string | undefined;
  readonly complexity: string;
  readonly chosen: string | undefined;
  /** Of an answer. */
  readonly model: string | undefined;
  readonly backend: string | undefined;
}

interface Message {
  readonly content?: string | null;
  readonly tool_calls?: readonly { readonly function?: { readonly name?: string } }[];
}
interface Piece {
  readonly error?: { readonly code?: string };
  readonly usage?: ToldUsage | null;
  readonly choices?: readonly { readonly delta?: Message; readonly message?: Message }[];
}

/** Reads an answer as a client would. */
export function readAnswer(heard: Heard): Reading {
  const { status, end } = heard;
  const pieces = piecesOf(heard);
  const route = headerOf(heard, "x-signalbox-route");
  const left = end === "left";
  const code = pieces.findLast(({ error }) => error !== undefined)?.error?.code;
  return {
    status,
    left,
    code: left ? "client_closed_request" : (code ?? "ok"),
    usage: pieces.findLast(({ usage }) => usage != null)?.usage ?? undefined,
    toolCalls: pieces.reduce((sum, { choices = [] }) => sum + callsIn(choices), 0),
    contentEvents: pieces.filter(({ choices = [] }) => choices.some(({ delta }) => delta?.content)).length,
    rule: route === undefined ? undefined : /^(?:named|alias )/.test(route) ? "named" : /^[\w.-]+/.exec(route)?.[0],
    complexity: /complexity (\w+)/.exec(route ?? "")?.[1] ?? "",
    chosen: / -> (\S+)/.exec(route ?? "")?.[1]?.replace(/;$/, ""),
    model: headerOf(heard, "x-signalbox-model"),
    backend: headerOf(heard, "x-signalbox-backend"),
  };
}

function headerOf({ head }: Heard, name: string): string | undefined {
  return new RegExp(`\r\n${name}: ([^\r]*)`, "i").exec(head)?.[1];
}

function piecesOf({ head, text }: Heard): Piece[] {
  if (!head.includes("text/event-stream")) return [parsed(text)];
  const data = text.split("\n\n").filter((event) => event.startsWith("data: ") && event !== "data: [DONE]");
  return data.map((event) => parsed(event.slice("data: ".length)));
}

function parsed(json: string): Piece {
  try {
    return JSON.parse(json) as Piece;
  } catch {
    return {};
  }
}

const callsIn = (choices: NonNullable<Piece["choices"]>): number =>
  choices
    .flatMap(({ delta, message }) => (delta ?? message)?.tool_calls ?? [])
    .filter((call) => call.function?.name !== undefined).length;
