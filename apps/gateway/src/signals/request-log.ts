import { pino } from "pino";
import type { CallCount, Story } from "../request-path/story.ts";
import { tokensOf } from "../request-path/story.ts";
import { createLineWriter, type LineWriter } from "./line-writer.ts";
import { prettyLine } from "./pretty-line.ts";

/** One line per request, and lines about the gateway itself. Never prompt text, answers or keys. */
export interface RequestLog {
  request(story: Story): void;
  info(event: string, facts?: Record<string, unknown>): void;
  warn(event: string, facts?: Record<string, unknown>): void;
  /** Lines that were written and that nobody took. */
  readonly dropped: number;
  /** Writes out what is buffered. */
  flush(): Promise<void>;
}

/** Client-made text is cut to this many characters. */
const MAX_TEXT = 256;

const silent: RequestLog = { request() {}, info() {}, warn() {}, dropped: 0, flush: async () => {} };

export interface LogOptions {
  readonly form: "json" | "pretty" | "silent";
  /** Where lines go; standard output, in the background, unless told. */
  readonly writer?: LineWriter;
}

/** A log that writes in batches and drops nothing at exit; a reader that is slow never holds up a request. */
export function createRequestLog({ form, writer = createLineWriter({ fd: 1 }) }: LogOptions): RequestLog {
  if (form === "silent") return silent;
  const flush = (): Promise<void> => writer.flush();
  if (form === "pretty") {
    const line = (text: string): void => writer.write(`${text}\n`);
    return {
      request: (story) => line(prettyLine(story)),
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
  return {
    // A line of a known shape needs no logger to walk it: the same form, written at once.
    request: (story) => writeLine(requestLine(story)),
    info: (event, more) => logger.info(more ?? {}, event),
    warn: (event, more) => logger.warn(more ?? {}, event),
    get dropped() {
      return writer.dropped;
    },
    flush,
  };
}

/** JSON leaves these as they are: some readers end a line at two of them, and terminals obey the others. */
const unescaped = /[\u007f-\u009f\u2028\u2029]/g;

function harmless(line: string): string {
  return line.replace(unescaped, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const round = (ms: number): number => Math.round(ms * 100) / 100;

/** ISO time of now; the text is made once per millisecond. */
let clock = { ms: 0, text: "" };
function isoNow(): string {
  const ms = Date.now();
  if (ms !== clock.ms) clock = { ms, text: new Date(ms).toISOString() };
  return clock.text;
}

/** How many tool calls had which fate; never what they hold. */
function countsOf(calls: readonly CallCount[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome, count } of calls) counts[outcome] = (counts[outcome] ?? 0) + count;
  return counts;
}

/** The one line of a request, in pino's form. */
function requestLine(story: Story): string {
  const { promptTokens, completionTokens } = tokensOf(story);
  const line = {
    level: 30,
    time: isoNow(),
    request_id: story.id,
    team: story.team,
    endpoint: story.endpoint,
    asked: story.asked.slice(0, MAX_TEXT),
    model: story.model || story.chosen,
    backend: story.backend,
    stream: story.stream,
    status: story.status,
    code: story.code,
    outcome: story.outcome,
    complexity: story.complexity,
    reasons: story.reasons,
    attempts: story.attempts,
    input_tokens: promptTokens,
    output_tokens: completionTokens,
    tool_calls: story.toolCalls === undefined ? undefined : countsOf(story.toolCalls),
    duration_ms: round(performance.now() - story.started),
    first_token_ms: story.firstTokenAt === undefined ? undefined : round(story.firstTokenAt - story.started),
    tried:
      story.attempts === 1 && story.outcome === "ok"
        ? undefined
        : story.records.map(({ ms, ...record }) => ({ ...record, ms: round(ms) })),
    recoveries: story.recoveries,
    error: story.fault?.slice(0, 1024),
    event: "request",
  };
  return `${JSON.stringify(line)}\n`;
}
