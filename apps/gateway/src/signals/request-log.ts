import { pino } from "pino";
import type { Transcript } from "../privacy/transcript.ts";
import type { CallCount, Story } from "../request-path/story.ts";
import { tokensOf } from "../request-path/story.ts";
import { isoTime } from "./iso-time.ts";
import { LateWork } from "./late-work.ts";
import { createLineWriter, type LineWriter } from "./line-writer.ts";
import { prettyLine } from "./pretty-line.ts";

/** One line per request, and lines about the gateway itself. Never keys; prompts and answers only of a story with a transcript. */
export interface RequestLog {
  request(story: Story): void;
  info(event: string, facts?: Record<string, unknown>): void;
  warn(event: string, facts?: Record<string, unknown>): void;
  /** Lines that were written and that nobody took. */
  readonly dropped: number;
  /** Writes out what is buffered. */
  flush(): Promise<void>;
}

/** Client-made text is cut to this many bytes. */
const MAX_TEXT_BYTES = 256;
const MAX_ERROR_BYTES = 1024;
/** Of a request's reasons and tries only so many are told. */
const MAX_LISTED = 16;
/** A line is no longer than this; what does not fit goes without its lists. */
const MAX_LINE_BYTES = 4096;

const silent: RequestLog = { request() {}, info() {}, warn() {}, dropped: 0, flush: async () => {} };

export interface LogOptions {
  readonly form: "json" | "pretty" | "silent";
  /** Where lines go; standard output, in the background, unless told. */
  readonly writer?: LineWriter;
}

/** A log that writes in batches and drops nothing at exit; a reader that is slow never holds up a request. */
export function createRequestLog({ form, writer = createLineWriter({ fd: 1 }) }: LogOptions): RequestLog {
  if (form === "silent") return silent;
  const late = new LateWork();
  const flush = (): Promise<void> => {
    late.finish();
    return writer.flush();
  };
  if (form === "pretty") {
    const line = (text: string): void => writer.write(`${text}\n`);
    const full = (story: Story, transcript: Transcript): void => {
      const start = prettyLine(story);
      withTexts(late, writer, transcript, (texts) => line(harmless(`${start} · ${JSON.stringify(texts)}`)));
    };
    return {
      request: (story) => (story.transcript === undefined ? line(prettyLine(story)) : full(story, story.transcript)),
      info: (event, facts) => line(`  ${event}${facts ? ` ${JSON.stringify(facts)}` : ""}`),
      warn: (event, facts) => line(`! ${event}${facts ? ` ${JSON.stringify(facts)}` : ""}`),
      get dropped() {
        return writer.dropped;
      },
      flush,
    };
  }
  const writeLine = (line: string): void => writer.write(harmless(line));
  const options = { base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: "event" };
  const logger = pino(options, { write: writeLine });
  const full = (story: Story, transcript: Transcript): void => {
    const facts = requestFacts(story);
    withTexts(late, writer, transcript, (texts) => writeLine(`${JSON.stringify({ ...facts, ...texts })}\n`));
  };
  return {
    // A line of a known shape needs no logger to walk it: the same form, written at once.
    request: (story) =>
      story.transcript === undefined ? writeLine(requestLine(story)) : full(story, story.transcript),
    info: (event, more) => logger.info(more ?? {}, event),
    warn: (event, more) => logger.warn(more ?? {}, event),
    get dropped() {
      return writer.dropped;
    },
    flush,
  };
}

/** Hands on what was said as soon as there is time to read it through, or why it is not written down. */
function withTexts(late: LateWork, writer: LineWriter, transcript: Transcript, write: (texts: object) => void): void {
  const leftOut = (why: string): void => write({ prompt: `[${why}]`, answer: `[${why}]` });
  const taken = late.add(transcript.bytes, () => {
    // Other lines come first where the reader is slow.
    if (writer.isBehind) leftOut("left out: the reader of the log is behind");
    else write(transcript.facts());
  });
  if (!taken) leftOut("left out: too many at once");
}

/** JSON leaves these as they are: some readers end a line at two of them, and terminals obey the others. */
const unescaped = /[\u007f-\u009f\u2028\u2029]/g;

function harmless(line: string): string {
  return line.replace(unescaped, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const round = (ms: number): number => Math.round(ms * 100) / 100;

/** How many tool calls had which fate; never what they hold. */
function countsOf(calls: readonly CallCount[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome, count } of calls) counts[outcome] = (counts[outcome] ?? 0) + count;
  return counts;
}

/** Text of at most so many bytes as UTF-8, cut between characters. */
function cut(text: string, maxBytes: number): string {
  // No character takes more than three bytes for each of its code units.
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text.slice(0, maxBytes));
  if (bytes.length <= maxBytes) return text.slice(0, maxBytes);
  let end = maxBytes;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}

/** The one line of a request, in pino's form; at most 4 KB. */
function requestLine(story: Story): string {
  const line = `${JSON.stringify(requestFacts(story))}\n`;
  if (line.length * 3 <= MAX_LINE_BYTES || Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
  const short = { ...requestFacts(story), reasons: undefined, tried: undefined, tool_calls: undefined };
  return `${JSON.stringify({ ...short, error: short.error && cut(short.error, MAX_TEXT_BYTES), cut: true })}\n`;
}

function requestFacts(story: Story) {
  const { promptTokens, completionTokens } = tokensOf(story);
  return {
    level: 30,
    time: isoTime(Date.now()),
    request_id: story.id,
    trace_id: story.traceId || undefined,
    span_id: story.trace?.spanId,
    team: story.team,
    key: story.key || undefined,
    endpoint: story.endpoint,
    asked: cut(story.asked, MAX_TEXT_BYTES),
    model: story.model || story.chosen,
    backend: story.backend,
    stream: story.stream,
    status: story.status,
    code: story.code,
    outcome: story.outcome,
    complexity: story.complexity,
    reasons: story.reasons.slice(0, MAX_LISTED),
    attempts: story.attempts,
    input_tokens: promptTokens,
    output_tokens: completionTokens,
    tool_calls: story.toolCalls === undefined ? undefined : countsOf(story.toolCalls),
    priority: story.priority,
    queue_ms: story.queueMs === undefined ? undefined : round(story.queueMs),
    duration_ms: round(performance.now() - story.started),
    first_token_ms: story.firstTokenAt === undefined ? undefined : round(story.firstTokenAt - story.started),
    tried:
      story.attempts === 1 && story.outcome === "ok"
        ? undefined
        : story.records.slice(0, MAX_LISTED).map(({ ms, ...record }) => ({ ...record, ms: round(ms) })),
    recoveries: story.recoveries,
    error: story.fault && cut(story.fault, MAX_ERROR_BYTES),
    event: "request",
  };
}
