import { sampleJson } from "./json-sample.ts";
import type { Choice, InferenceRequest, SimulatedKind } from "./kind.ts";
import { toPieces } from "./pieces.ts";
import { createRandom, hashText } from "./random.ts";
import { begunText, messagesOf } from "./request-view.ts";
import type { ScriptReply } from "./script.ts";
import { composeReasoning, composeSentences } from "./sentences.ts";
import { type PlannedCall, planCalls } from "./tool-choice.ts";
import { writtenCalls } from "./written-calls.ts";

/** One choice with the pieces that a stream sends. */
export interface Answer extends Choice {
  readonly reasoningPieces: readonly string[];
  readonly textPieces: readonly string[];
  /** The same as JSON strings, escaped as the kind does. */
  readonly reasoningJson: readonly string[];
  readonly textJson: readonly string[];
}

interface Draft {
  readonly reasoning: string;
  readonly text: string;
  readonly pieces: readonly string[] | undefined;
  readonly calls: readonly PlannedCall[];
  readonly finish: string | undefined;
}

/** What the simulator needs to know to make an answer up. */
export interface AnswerOptions {
  readonly kind: SimulatedKind;
  /** The name that the answer gives. */
  readonly model: string;
  /** The model that answers, whatever name it was asked by; it decides on thinking. */
  readonly served: string;
  readonly seed: number;
  /** The engine has a parser: without one, calls stay in the text as the model writes them. */
  readonly parsesCalls: boolean;
}

function scripted(reply: ScriptReply): Draft {
  const pieces = reply.deltas;
  return {
    reasoning: reply.reasoning ?? "",
    text: reply.text ?? pieces?.join("") ?? "",
    pieces,
    calls: (reply.tool_calls ?? []).map((call) => ({
      name: call.name,
      arguments: typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments),
    })),
    finish: reply.finish_reason,
  };
}

const plain = (text: string, reasoning = ""): Draft => ({
  reasoning,
  text,
  pieces: undefined,
  calls: [],
  finish: undefined,
});

function jsonAnswer(request: InferenceRequest): string | undefined {
  const format = request.body.response_format as
    | { type?: unknown; json_schema?: { schema?: unknown } }
    | null
    | undefined;
  if (format?.type === "json_object") return '{"answer": "simulated", "ok": true}';
  if (format?.type !== "json_schema") return undefined;
  return JSON.stringify(sampleJson(format.json_schema?.schema, (name) => `simulated ${name}`));
}

function draft(request: InferenceRequest, options: AnswerOptions, index: number): Draft {
  const { kind, model, seed } = options;
  if (request.endpoint === "completions")
    return plain(` ${composeSentences(kind.title, model, request.prompt, seed + index)}`);
  const messages = messagesOf(request.body);
  if (begunText(request.body, kind.habits.continues) !== undefined) messages.pop();
  const last = messages.at(-1);
  const asked = messages.findLast((message) => message.role === "user")?.text ?? "";
  const json = jsonAnswer(request);
  if (json !== undefined) return plain(json);
  if (last?.role === "tool") {
    return plain(`This is ${model} on a simulated ${kind.title}. The tool says: ${last.text.trim().slice(0, 400)}`);
  }
  // Without a parser, `none` keeps an engine from parsing and not the model from calling.
  const keptOut = kind.habits.callsUnderNone === true && request.body.tool_choice === "none";
  const parses = options.parsesCalls && !keptOut;
  const body = parses ? request.body : { ...request.body, tool_choice: "auto" };
  const calls = planCalls(body, kind.habits.enforcesToolChoice);
  const thinks = /minimax/i.test(options.served);
  if (calls.length > 0) {
    const reasoning = thinks ? composeReasoning(asked) : "";
    if (!parses) return plain(writtenCalls(calls, options.served), reasoning);
    return { ...plain("", reasoning), calls };
  }
  const text = composeSentences(kind.title, model, asked, seed + index);
  return plain(text, thinks ? composeReasoning(asked) : "");
}

function stopsOf(body: InferenceRequest["body"]): string[] {
  const stop = body.stop;
  if (typeof stop === "string") return stop === "" ? [] : [stop];
  return Array.isArray(stop) ? stop.filter((entry): entry is string => typeof entry === "string" && entry !== "") : [];
}

function firstStop(text: string, stops: readonly string[]): { at: number; stop: string } | undefined {
  let found: { at: number; stop: string } | undefined;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at >= 0 && (found === undefined || at < found.at)) found = { at, stop };
  }
  return found;
}

function tokenLimit(request: InferenceRequest, kind: SimulatedKind): number {
  if (request.maxTokens === undefined || request.maxTokens < 0) return Number.POSITIVE_INFINITY;
  if (request.maxTokens > 0) return request.maxTokens;
  return kind.habits.zeroMaxTokens === "unlimited" ? Number.POSITIVE_INFINITY : 1;
}

function finished(given: Draft, request: InferenceRequest, options: AnswerOptions, index: number): Answer {
  const limit = tokenLimit(request, options.kind);
  const draft = options.kind.inlinesReasoning?.(options.served) === true ? inlined(given) : given;
  const random = createRandom(hashText(request.prompt, options.seed + index + 7));
  const found = firstStop(draft.text, stopsOf(request.body));
  const wanted = found === undefined ? draft.text : draft.text.slice(0, found.at);
  const allReasoning = toPieces(draft.reasoning);
  const allText = found === undefined && draft.pieces !== undefined ? draft.pieces : toPieces(wanted);
  const reasoningPieces = allReasoning.slice(0, limit);
  const textPieces = allText.slice(0, Math.max(0, limit - reasoningPieces.length));
  let tokens = reasoningPieces.length + textPieces.length;
  let cut = tokens < allReasoning.length + allText.length;
  const calls = [];
  for (const call of draft.calls) {
    const cost = Math.max(1, Math.ceil((call.arguments.length + call.name.length) / 4));
    const left = limit - tokens;
    if (cut || left <= 0) {
      cut = true;
      break;
    }
    cut = cost > left;
    tokens += Math.min(cost, left);
    // A call that meets the limit comes whole as a call whose arguments do not parse.
    const kept = cut ? call.arguments.slice(0, Math.max(1, left * 4 - call.name.length)) : call.arguments;
    calls.push({ name: call.name, arguments: kept, id: options.kind.callId(random) });
  }
  const natural = calls.length > 0 ? "tool_calls" : "stop";
  return {
    index,
    reasoning: reasoningPieces.join(""),
    text: textPieces.join(""),
    calls,
    finish: cut ? "length" : (draft.finish ?? natural),
    stop: cut ? undefined : found?.stop,
    tokens: Math.max(1, tokens),
    reasoningPieces,
    textPieces,
    reasoningJson: reasoningPieces.map(options.kind.escape),
    textJson: textPieces.map(options.kind.escape),
  };
}

/** What is left to say of an answer that was begun; all of it where it does not begin so. */
function rest(draft: Draft, begun: string | undefined): Draft {
  if (begun === undefined || begun === "" || !draft.text.startsWith(begun)) return draft;
  let left = begun.length;
  const pieces = draft.pieces?.flatMap((piece) => {
    const kept = piece.slice(left);
    left = Math.max(0, left - piece.length);
    return kept === "" ? [] : [kept];
  });
  return { ...draft, reasoning: "", text: draft.text.slice(begun.length), pieces };
}

function inlined(draft: Draft): Draft {
  if (draft.reasoning === "") return draft;
  const thought = `<think>\n${draft.reasoning}\n</think>\n\n`;
  const pieces = draft.pieces === undefined ? undefined : [...toPieces(thought), ...draft.pieces];
  return { ...draft, reasoning: "", text: thought + draft.text, pieces };
}

/** The answers to a request, one for each choice, the same for the same seed and prompt. */
export function composeAnswers(
  request: InferenceRequest,
  options: AnswerOptions,
  reply: ScriptReply | undefined,
): readonly Answer[] {
  const wanted = typeof request.body.n === "number" && options.kind.habits.choices ? Math.floor(request.body.n) : 1;
  const count = Math.min(16, Math.max(1, wanted));
  const begun = begunText(request.body, options.kind.habits.continues);
  return Array.from({ length: count }, (_, index) => {
    const made = reply === undefined ? draft(request, options, index) : scripted(reply);
    return finished(rest(made, begun), request, options, index);
  });
}
