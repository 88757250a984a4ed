import type { Normaliser } from "@signalbox/adapter";
import type { BackendKind } from "@signalbox/backends";
import {
  createLedger,
  createSseDecoder,
  type Endpoint,
  type Ledger,
  type Reply,
  ReplyEvent,
  type TransportResponse,
} from "@signalbox/protocol";
import { AttemptFailure } from "@signalbox/router";

/** A JSON reply is read up to this many bytes. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

const DONE = ReplyEvent.ofText("[DONE]");

export interface ReplyOptions {
  readonly backend: string;
  readonly kind: BackendKind;
  readonly endpoint: Endpoint;
  /** The client asked for a stream. */
  readonly stream: boolean;
  /** The client asked for the usage chunk of a stream. */
  readonly includeUsage: boolean;
  /** Choices that were asked for; 1 unless told. */
  readonly choices?: number | undefined;
  /** Makes the reply what OpenAI's would be; chat completions have one. */
  readonly normaliser?: Normaliser | undefined;
  /** What is held back when the reply breaks stays where it is: `heldBack` has it. */
  readonly keepsHeld?: boolean;
}

/** What a reader of the reply may ask while it runs and after it. */
export interface ReplyProgress {
  readonly ledger: Ledger;
  /** Events that were skipped because they could not be read. */
  malformed: number;
  /** The last event of a stream that had choices; of a reply that came whole, all of it. */
  last: ReplyEvent | undefined;
}

/** Is this a reply at all? By its status and headers alone; an error answer is the caller's to read. */
export function replyForm(response: TransportResponse, { backend, stream }: ReplyOptions): "stream" | "json" {
  const type = String(response.headers["content-type"] ?? "").toLowerCase();
  const encoding = response.headers["content-encoding"];
  const malformed = (what: string) => new AttemptFailure({ how: "malformed" }, `${backend}: ${what}`);
  if (response.status !== 200) throw malformed(`status ${response.status} in place of a reply`);
  if (encoding !== undefined && encoding !== "identity")
    throw malformed("a compressed body, though identity was asked");
  if (type.startsWith("text/event-stream") && stream) return "stream";
  if (type.startsWith("application/json")) return "json";
  throw malformed(`content-type «${type.slice(0, 60)}» in place of ${stream ? "an event stream" : "JSON"}`);
}

/** Follows the reading of a reply: who waits for whom. */
export interface ReadWatch {
  /** The backend is waited for from now on. */
  before(): void;
  /** Something came, or the body is at its end. */
  after(ended: boolean): void;
}

const unwatched: ReadWatch = { before() {}, after() {} };

/**
 * The reply as batches of events that may leave as they are: errors, junk, unasked usage and what follows the end are
 * gone, and `[DONE]` stands at the end of a stream that is complete.
 * @throws AttemptFailure where the reply breaks; what came before it has been handed on.
 */
export function replyEvents(
  response: Pick<TransportResponse, "read" | "status" | "headers">,
  form: "stream" | "json",
  options: ReplyOptions,
  progress: ReplyProgress,
  watch: ReadWatch = unwatched,
): Reply {
  if (form === "stream") return streamedReply(response, options, progress, watch);
  return onceReply(() => wholeReply(response, options, progress));
}

/** A reply of one batch. Much cheaper than a generator, and most replies are of this sort. */
export function onceReply(batch: () => Promise<readonly ReplyEvent[]>): Reply {
  let asked = false;
  const next = async (): Promise<IteratorResult<readonly ReplyEvent[], undefined>> => {
    if (asked) return { done: true, value: undefined };
    asked = true;
    return { done: false, value: await batch() };
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

async function* streamedReply(
  response: Pick<TransportResponse, "read">,
  options: ReplyOptions,
  progress: ReplyProgress,
  watch: ReadWatch,
): Reply {
  const decoder = createSseDecoder();
  for (;;) {
    let chunk: Buffer | undefined;
    watch.before();
    try {
      chunk = await response.read();
    } catch (error) {
      // A connection that breaks behind the last finish_reason is an end like any other.
      if (!progress.ledger.complete) {
        yield* tellHeld(options);
        throw error;
      }
    }
    watch.after(chunk === undefined);
    const events = chunk === undefined ? decoder.end() : decoder.push(chunk);
    const { malformed } = progress;
    const batch = passable(events, options, progress);
    // The beginning of an event is what a cut leaves, and no event that could not be read.
    if (chunk === undefined) progress.malformed = malformed;
    // As long as a client has nothing to read, the reply may still be asked of another backend.
    if (batch.failure !== undefined && options.normaliser?.sent === false) throw batch.failure;
    // An empty batch says that the backend is alive, though there is nothing to send yet.
    if (batch.events.length > 0 || options.normaliser?.holding === true) yield batch.events;
    if (batch.failure !== undefined) {
      if (batch.failure.end.how !== "denied") yield* tellHeld(options);
      throw batch.failure;
    }
    if (batch.done && progress.ledger.complete) return;
    if (!batch.done && chunk !== undefined) continue;
    yield* ending(batch.done, options, progress);
    return;
  }
}

function* tellHeld(options: ReplyOptions): Generator<readonly ReplyEvent[]> {
  if (options.keepsHeld === true) return;
  const events = heldBack(options);
  if (events.length > 0) yield events;
}

/** What was held back of a reply that broke: nothing that came is lost, where the client has some of it already. */
export function heldBack({ normaliser }: Pick<ReplyOptions, "normaliser">): readonly ReplyEvent[] {
  const events: ReplyEvent[] = [];
  try {
    if (normaliser?.sent === true) normaliser.cut(events);
  } catch (error) {
    // A call among it that is denied stays back; what the client is told is that the reply broke.
    if (!(error instanceof AttemptFailure)) throw error;
  }
  return events;
}

/** Every choice that was asked for has begun and has its finish_reason; an engine that ignores `n` says so with `[DONE]`. */
export function isFinished({ choices = 1 }: Pick<ReplyOptions, "choices">, { ledger }: ReplyProgress): boolean {
  return ledger.complete && (ledger.choices >= choices || choices === 1);
}

interface Batch {
  readonly events: ReplyEvent[];
  readonly done: boolean;
  readonly failure?: AttemptFailure;
}

/** Of the events of one read: what may leave, whether the stream is over, and what broke it. */
function passable(events: readonly ReplyEvent[], options: ReplyOptions, progress: ReplyProgress): Batch {
  const passed: ReplyEvent[] = [];
  try {
    return { events: passed, done: passEvents(events, options, progress, passed) };
  } catch (error) {
    if (error instanceof AttemptFailure) return { events: passed, done: false, failure: error };
    throw error;
  }
}

/** Hands on what may leave to `passed`. True = the stream is over. */
function passEvents(
  events: readonly ReplyEvent[],
  options: ReplyOptions,
  progress: ReplyProgress,
  passed: ReplyEvent[],
): boolean {
  const { ledger } = progress;
  const { normaliser } = options;
  for (const event of events) {
    const over = isFinished(options, progress);
    switch (ledger.observe(event)) {
      case "usage":
        if (options.includeUsage) pass(event, normaliser, passed);
        break;
      case "malformed":
        progress.malformed++;
        break;
      case "error":
        throw refusal(options, 200, event.text);
      case "aborted":
        throw incomplete(options, "the engine stopped the reply");
      case "done":
        if (ledger.complete) {
          normaliser?.end(passed);
          passed.push(event);
        }
        return true;
      case "finish":
        // A finish_reason that comes twice would end the reply twice.
        if (!over) pass(event, normaliser, passed);
        break;
      default:
        progress.last = event;
        pass(event, normaliser, passed);
    }
  }
  return false;
}

function pass(event: ReplyEvent, normaliser: Normaliser | undefined, passed: ReplyEvent[]): void {
  if (normaliser === undefined) passed.push(event);
  else normaliser.push(event, passed);
}

/** The stream is over without a `[DONE]` behind a finish_reason (`done`: with one before it): is it complete all the same? */
function* ending(done: boolean, options: ReplyOptions, progress: ReplyProgress): Generator<readonly ReplyEvent[]> {
  const { ledger } = progress;
  const { normaliser } = options;
  const last: ReplyEvent[] = [];
  if (isFinished(options, progress)) {
    normaliser?.end(last);
    yield [...last, DONE];
    return;
  }
  if (done && options.kind.omitsFinishReason && ledger.hasContent) {
    const finish_reason = ledger.hasToolCalls ? "tool_calls" : "stop";
    const choices = ledger.open.map((index) => ({ index, delta: {}, finish_reason }));
    const { id, created, model } = progress.last!.json as { id?: unknown; created?: unknown; model?: unknown };
    pass(ReplyEvent.ofJson({ id, object: "chat.completion.chunk", created, model, choices }), normaliser, last);
    normaliser?.end(last);
    yield [...last, DONE];
    return;
  }
  yield* tellHeld(options);
  throw incomplete(options, "the stream ended without a finish_reason");
}

function incomplete({ backend }: ReplyOptions, what: string): AttemptFailure {
  return new AttemptFailure({ how: "incomplete" }, `${backend}: ${what}`);
}

/** The failure that a backend's error answer is, read by its kind. */
export function refusal(
  { backend, kind }: ReplyOptions,
  status: number,
  body: string,
  headers: TransportResponse["headers"] = {},
): AttemptFailure {
  const error = kind.readError({ status, headers, body });
  return new AttemptFailure({ how: "refused", error }, `${backend}: ${error.message}`);
}

/** Reads a body whole, at most `maxBytes`. Undefined = longer than that. */
export async function readBody(
  response: Pick<TransportResponse, "read">,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for (let chunk = await response.read(); chunk !== undefined; chunk = await response.read()) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

async function wholeReply(
  response: Pick<TransportResponse, "read" | "status" | "headers">,
  options: ReplyOptions,
  progress: ReplyProgress,
): Promise<readonly ReplyEvent[]> {
  const body = await readBody(response, MAX_REPLY_BYTES);
  if (body === undefined) {
    throw new AttemptFailure({ how: "malformed" }, `${options.backend}: a reply of more than ${MAX_REPLY_BYTES} bytes`);
  }
  const event = ReplyEvent.ofBody(body);
  const kind = progress.ledger.observe(event);
  if (kind === "error") throw refusal(options, response.status, event.text, response.headers);
  if (kind === "aborted") throw incomplete(options, "the engine stopped the reply");
  if (!progress.ledger.complete) {
    const what = kind === "malformed" ? "a body that is not a reply" : "a reply without a finish_reason";
    throw new AttemptFailure({ how: "malformed" }, `${options.backend}: ${what}`);
  }
  progress.last = event;
  if (options.stream) return [...chunksOf(event, options), DONE];
  return [options.normaliser?.whole(event) ?? event];
}

/** A whole reply told as a stream, for a client that asked for one and an engine that did not give it. */
function chunksOf(event: ReplyEvent, { normaliser, includeUsage }: ReplyOptions): ReplyEvent[] {
  const reply = event.json as Record<string, unknown> & { choices: Record<string, unknown>[] };
  const { choices, usage, ...rest } = reply;
  const isChat = typeof choices[0]?.message === "object";
  const object = isChat ? "chat.completion.chunk" : "text_completion";
  const chunk = (list: unknown[], more = {}) => ReplyEvent.ofJson({ ...rest, object, choices: list, ...more });
  const chunks: ReplyEvent[] = [];
  // A message is a delta that says everything.
  const deltas = choices.map(({ message, ...choice }, place) => ({ index: place, ...choice, delta: message }));
  pass(chunk(isChat ? deltas : choices), normaliser, chunks);
  if (includeUsage && usage) chunks.push(chunk([], { usage }));
  return chunks;
}

/** What is known of a reply before it begins. */
export function createProgress(endpoint: Endpoint): ReplyProgress {
  return { ledger: createLedger(endpoint), malformed: 0, last: undefined };
}
