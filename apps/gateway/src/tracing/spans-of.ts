import { type Attributes, type AttributeValue, type SpanContext, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { Endpoint } from "@signalbox/protocol";
import type { AttemptRecord } from "@signalbox/router";
import type { Story } from "../request-path/story.ts";
import { tokensOf } from "../request-path/story.ts";
import { inferencePaths } from "../routes/inference-paths.ts";
import { isBroken } from "./has-failed.ts";
import type { AttemptTrace, RequestTrace } from "./request-trace.ts";

/** An event of a span; its time by `performance.now()`. */
interface SpanEvent {
  readonly name: string;
  readonly at: number;
  readonly attributes: Attributes;
}

/** A span that is over, before it is put into OpenTelemetry's form; times by `performance.now()`. */
export interface SpanDraft {
  readonly name: string;
  readonly kind: SpanKind;
  readonly spanId: string;
  readonly parent: Pick<SpanContext, "spanId" | "isRemote"> | undefined;
  readonly from: number;
  readonly until: number;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  /** Undefined = nothing is wrong with it. */
  readonly error: string | undefined;
}

/** What the spans of teams with `log: full` hold besides, as JSON. */
export interface SpanContent {
  readonly prompt: string;
  readonly answer: string;
}

/** Client-made text is cut to this many characters. */
const MAX_TEXT = 256;
/** Of what a request passed over only so much is told. */
const MAX_EVENTS = 16;

/** The names of OpenTelemetry's GenAI conventions. */
const operations: Record<Endpoint, string> = {
  chat_completions: "chat",
  completions: "text_completion",
  embeddings: "embeddings",
};

/** The spans of a request that ends `now`: its own, and one for each attempt. */
export function spansOf(story: Story, trace: RequestTrace, now: number, content?: SpanContent): SpanDraft[] {
  const records = recordsOf(story, trace);
  const parent = trace.parent && { spanId: trace.parent.parentId, isRemote: true };
  const path = inferencePaths[story.endpoint];
  const spans: SpanDraft[] = [
    {
      // OpenTelemetry's GenAI conventions know the client's side alone; what serves it is an HTTP server like any other.
      name: `POST ${path}`,
      kind: SpanKind.SERVER,
      spanId: trace.spanId,
      parent,
      from: story.started,
      until: now,
      attributes: requestAttributes(story, trace, path, content),
      events: requestEvents(story, trace, now),
      error: isBroken(story) ? story.code : undefined,
    },
  ];
  trace.attempts.forEach((attempt, index) => {
    spans.push(attemptSpan(story, trace, attempt, index, records[index], now));
  });
  return spans;
}

/** The record of each attempt. Those of one model on one backend are made one after the other, and end in that order. */
function recordsOf({ records }: Story, { attempts }: RequestTrace): (AttemptRecord | undefined)[] {
  const found: (AttemptRecord | undefined)[] = attempts.map(() => undefined);
  for (const record of records) {
    if (record.outcome === "skipped") continue;
    const index = attempts.findIndex(
      ({ backend, model }, i) => found[i] === undefined && backend.name === record.backend && model === record.model,
    );
    if (index >= 0) found[index] = record;
  }
  return found;
}

function requestAttributes(story: Story, trace: RequestTrace, path: string, content?: SpanContent): Attributes {
  const { promptTokens, completionTokens } = tokensOf(story);
  const { limits } = trace;
  return told({
    "http.request.method": "POST",
    "http.route": path,
    "http.response.status_code": story.status || undefined,
    "error.type": isBroken(story) ? story.code : undefined,
    "signalbox.request_id": story.id,
    "signalbox.team": story.team,
    "signalbox.asked": story.asked.slice(0, MAX_TEXT),
    "signalbox.model": story.model || story.chosen,
    "signalbox.backend": story.backend,
    "signalbox.stream": story.stream,
    "signalbox.outcome": story.outcome,
    "signalbox.code": story.code,
    "signalbox.rule": story.rule,
    "signalbox.reason": story.reason,
    "signalbox.complexity": story.complexity,
    "signalbox.attempts": story.attempts,
    "signalbox.priority": story.priority,
    "signalbox.queue_ms": story.queueMs && Math.round(story.queueMs),
    "signalbox.backend_ms": story.waitedMs > 0 ? Math.round(story.waitedMs) : undefined,
    "signalbox.input_tokens": promptTokens,
    "signalbox.output_tokens": completionTokens,
    "signalbox.limit.requests_remaining": limits?.requests?.remaining,
    "signalbox.limit.tokens_remaining": limits?.tokens?.remaining,
    "signalbox.prompt": content?.prompt,
    "signalbox.answer": content?.answer,
  });
}

function requestEvents(story: Story, trace: RequestTrace, now: number): SpanEvent[] {
  const events: SpanEvent[] = [];
  const add = (name: string, at: number, attributes: Record<string, AttributeValue | undefined> = {}): void => {
    if (at > 0) events.push({ name: `signalbox.${name}`, at, attributes: told(attributes) });
  };
  add("decision", trace.decidedAt, {
    "signalbox.model": story.chosen,
    "signalbox.reasons": story.reasons.slice(0, MAX_EVENTS),
  });
  add("queue.entered", trace.queuedAt);
  add("queue.left", trace.leftQueueAt);
  // A candidate is passed over just before the next attempt begins.
  let begun = 0;
  for (const { outcome, backend, model, cause } of story.records) {
    if (outcome !== "skipped") begun++;
    else if (events.length < MAX_EVENTS) {
      const at = trace.attempts[begun]?.startedAt ?? trace.attempts.at(-1)?.endedAt ?? trace.decidedAt;
      add("skipped", at || now, { "signalbox.backend": backend, "signalbox.model": model, "signalbox.cause": cause });
    }
  }
  trace.recoveredAt?.slice(0, MAX_EVENTS).forEach((at, index) => {
    const { how, outcome, reason, backend } = story.recoveries?.[index] ?? {};
    add("recovery", at, {
      "signalbox.how": how,
      "signalbox.outcome": outcome,
      "signalbox.reason": reason,
      "signalbox.backend": backend,
    });
  });
  add("first_token", story.firstTokenAt ?? 0);
  return events.sort((a, b) => a.at - b.at);
}

function attemptSpan(
  story: Story,
  trace: RequestTrace,
  attempt: AttemptTrace,
  index: number,
  record: AttemptRecord | undefined,
  now: number,
): SpanDraft {
  const answered = record?.outcome === "ok";
  // Nobody waited for the end of an attempt without a record.
  const outcome = (answered ? story.outcome : record?.outcome) ?? "cancelled";
  const cause = answered ? story.cause : record?.cause;
  const events: SpanEvent[] = [];
  if (attempt.firstTokenAt > 0)
    events.push({ name: "signalbox.first_token", at: attempt.firstTokenAt, attributes: {} });
  if (attempt.committedAt > 0) events.push({ name: "signalbox.commit", at: attempt.committedAt, attributes: {} });
  const failed = faulty.has(outcome);
  const error = failed ? (cause ?? outcome) : undefined;
  const address = addressOf(attempt.backend.address);
  return {
    name: `${operations[story.endpoint]} ${attempt.upstreamModel}`,
    kind: SpanKind.CLIENT,
    spanId: attempt.spanId,
    parent: { spanId: trace.spanId },
    from: attempt.startedAt,
    until: attempt.endedAt || now,
    attributes: told({
      "gen_ai.operation.name": operations[story.endpoint],
      "gen_ai.provider.name": attempt.backend.config.kind,
      "gen_ai.request.model": attempt.upstreamModel,
      ...parameters(trace.body),
      ...replyAttributes(attempt),
      "server.address": address.host,
      "server.port": address.port,
      "http.response.status_code": attempt.status || undefined,
      "error.type": error,
      "signalbox.backend": attempt.backend.name,
      "signalbox.model": attempt.model,
      "signalbox.attempt": index + 1,
      "signalbox.outcome": outcome,
      "signalbox.cause": cause,
      "signalbox.hedge_of": record?.hedge,
    }),
    events,
    error,
  };
}

const faulty: ReadonlySet<string> = new Set(["failed", "backpressure", "shortage", "caller_error"]);

/** What the client asked for besides its words. Stop sequences are words, too. */
function parameters(body: RequestTrace["body"]): Record<string, AttributeValue | undefined> {
  const number = (name: string): number | undefined => {
    const value = body?.[name];
    return typeof value === "number" ? value : undefined;
  };
  return {
    "gen_ai.request.max_tokens": number("max_completion_tokens") ?? number("max_tokens"),
    "gen_ai.request.temperature": number("temperature"),
    "gen_ai.request.top_p": number("top_p"),
    "gen_ai.request.top_k": number("top_k"),
    "gen_ai.request.frequency_penalty": number("frequency_penalty"),
    "gen_ai.request.presence_penalty": number("presence_penalty"),
    "gen_ai.request.seed": number("seed"),
    "gen_ai.request.choice.count": number("n"),
    "gen_ai.request.stream": body?.stream === true ? true : undefined,
  };
}

/** What the engine answered, without its words. */
function replyAttributes({
  progress,
  startedAt,
  firstTokenAt,
}: AttemptTrace): Record<string, AttributeValue | undefined> {
  if (progress === undefined) return {};
  const { usage, finishReason } = progress.ledger;
  const { id, model } = (progress.last?.json ?? {}) as { readonly id?: unknown; readonly model?: unknown };
  const text = (value: unknown): string | undefined =>
    typeof value === "string" && value !== "" ? value.slice(0, MAX_TEXT) : undefined;
  return {
    "gen_ai.response.id": text(id),
    "gen_ai.response.model": text(model),
    "gen_ai.response.finish_reasons": finishReason === undefined ? undefined : [finishReason],
    "gen_ai.response.time_to_first_chunk": firstTokenAt > 0 ? (firstTokenAt - startedAt) / 1000 : undefined,
    "gen_ai.usage.input_tokens": usage?.promptTokens,
    "gen_ai.usage.output_tokens": usage?.completionTokens,
    "gen_ai.usage.cache_read.input_tokens": usage?.cachedTokens,
    "gen_ai.usage.reasoning.output_tokens": usage?.reasoningTokens,
  };
}

/** The addresses of backends, read once: they are few, and reading one takes longer than the rest of a span. */
const addresses = new Map<string, { readonly host: string | undefined; readonly port: number | undefined }>();
const MAX_ADDRESSES = 1024;

function addressOf(text: string): { readonly host: string | undefined; readonly port: number | undefined } {
  let address = addresses.get(text);
  if (address === undefined) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const usual = url?.protocol === "https:" ? 443 : 80;
    address = { host: url?.hostname, port: url && (Number(url.port) || usual) };
    if (addresses.size >= MAX_ADDRESSES) addresses.clear();
    addresses.set(text, address);
  }
  return address;
}

/** Only that of which there is something to say. */
function told(attributes: Record<string, AttributeValue | undefined>): Attributes {
  const said: Attributes = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined && value !== "") said[name] = value;
  }
  return said;
}

/** What OpenTelemetry says of a span that failed, or of one that did not. */
export const statusOf = (error: string | undefined) =>
  error === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: error };
