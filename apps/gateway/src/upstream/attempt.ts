import type { Normaliser } from "@signalbox/adapter";
import type { BackendKind } from "@signalbox/backends";
import {
  type Ledger,
  type Reply,
  ReplyEvent,
  type Transport,
  TransportError,
  type TransportExchange,
  type TransportResponse,
} from "@signalbox/protocol";
import { type AttemptEnd, AttemptFailure } from "@signalbox/router";
import type { AttemptCalls } from "../request-path/call-watch.ts";
import type { Cancellation } from "../request-path/cancellation.ts";
import type { AttemptTrace } from "../tracing/request-trace.ts";
import type { GpuClock } from "../usage/gpu-clock.ts";
import {
  createProgress,
  isFinished,
  onceReply,
  type ReadWatch,
  type ReplyOptions,
  type ReplyProgress,
  readBody,
  refusal,
  replyEvents,
  replyForm,
} from "./reply-events.ts";
import { Watchdog } from "./watchdog.ts";

/** An error answer is read up to this many bytes. */
const MAX_ERROR_BYTES = 64 * 1024;
/** Behind the last finish_reason: how long a usage chunk and `[DONE]` may take. */
const FINALISE_MS = 1000;
/** Behind the end of a stream: how long the connection may take to become reusable. */
const DRAIN_MS = 250;
/** How often a cold backend is asked again whether it is still loading. */
const COLD_CHECK_MS = 500;
const MAX_QUIET_EVENTS = 1024;
/** A reply of which all is held back may still be tried elsewhere for this long; then it is begun, to show life. */
const COMMIT_HELD_MS = 2000;
/** A client that waits for a call which is held back hears a comment this often. */
const COMMENT_MS = 1000;
const COMMENT = ReplyEvent.ofComment("a tool call is being written");

interface AttemptLimits {
  /** Until the first content; for a reply that is not streamed, until all of it. */
  readonly firstTokenMs: number;
  readonly idleMs: number;
  /** Instead of `firstTokenMs` while `cold()` says so. */
  readonly coldStartMs: number;
  cold(): boolean;
}

export interface AttemptRequest {
  readonly transport: Transport;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string;
  /** As in TransportRequest. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** Where it is noted what came when, for its span; undefined = nobody asks. */
  readonly trace?: AttemptTrace | undefined;
  readonly body: Buffer;
  readonly options: ReplyOptions;
  readonly limits: AttemptLimits;
  readonly cancellation: Cancellation;
  /** Watches the reply's tool calls; undefined = the endpoint knows none. */
  readonly calls: AttemptCalls | undefined;
  /** Of the backend; undefined = its GPUs are not counted. */
  readonly gpu?: GpuClock | undefined;
  /** Where the attempt's GPU time is added, at its end. */
  readonly spent?: { gpuMs: number };
  /** Told, with the time, of the first content and of everything that comes after it. */
  onAlive?(now: number): void;
  /** Load that rides on response headers is handed here. */
  onHeaders?(headers: TransportResponse["headers"], kind: BackendKind): void;
  /** Told of a reply that was denied before any of it was sent: what it has cost. */
  onDenied?(ledger: Ledger): void;
}

/** A reply whose first content is in hand. */
export interface OpenReply {
  /** From the first event on. Throws AttemptFailure where the reply breaks. Must be read to its end, or returned from. */
  readonly events: Reply;
  readonly progress: ReplyProgress;
  readonly calls: AttemptCalls | undefined;
  /** When the first content came, by `performance.now()`. */
  readonly firstTokenAt: number;
  /** When the last event came; the same as `firstTokenAt` before the reply is read. */
  readonly lastEventAt: () => number;
  /** Knows what is held back until it is complete. */
  readonly normaliser: Normaliser | undefined;
}

type Phase = "first_token" | "stall" | "finalise";

/**
 * One attempt: sends the request and resolves when content is in hand (commit). Every timer and the connection are gone
 * when it throws, and when the reply's iteration ends in any way.
 * @throws AttemptFailure
 */
export async function openAttempt(request: AttemptRequest): Promise<OpenReply> {
  const attempt = new Attempt(request);
  try {
    return await attempt.commit();
  } catch (error) {
    attempt.stop();
    const failure = attempt.failureOf(error);
    if (failure.end.how === "denied") request.onDenied?.(attempt.ledger);
    throw failure;
  }
}

class Attempt implements ReadWatch {
  readonly #request: AttemptRequest;
  readonly #exchange: TransportExchange;
  readonly #watchdog: Watchdog<Phase>;
  readonly #started = performance.now();
  readonly #progress: ReplyProgress;
  #timedOut: { which: "first_token" | "stall"; ms: number } | undefined;
  #waiting = false;
  #waitingSince = 0;
  /** The body has been read to its end: the connection can serve again. */
  #ended = false;
  #lastEventAt = 0;
  #firstTokenAt = 0;
  /** Of the GPUs' clock, at the beginning; undefined = nothing is to be paid, or no more. */
  #gpuReading: number | undefined;

  constructor(request: AttemptRequest) {
    this.#request = request;
    this.#progress = createProgress(request.options.endpoint);
    if (request.trace !== undefined) request.trace.progress = this.#progress;
    this.#watchdog = new Watchdog<Phase>(
      (phase, ms) => {
        if (phase !== "finalise") this.#timedOut = { which: phase, ms };
        this.#exchange.abort();
      },
      (phase) => this.#extension(phase),
    );
    this.#exchange = request.transport.open({
      method: "POST",
      path: request.path,
      headers: request.headers,
      requestId: request.requestId,
      traceparent: request.traceparent,
      tracestate: request.tracestate,
      body: request.body,
    });
    this.#gpuReading = request.gpu?.begin(this.#started);
    request.cancellation.listen(() => this.stop());
    this.#watchdog.arm("first_token", request.limits.firstTokenMs);
  }

  #extension(phase: Phase): number | undefined {
    const { limits } = this.#request;
    // What a slow client took is not the backend's silence.
    if (phase === "stall")
      return this.#waiting ? this.#waitingSince + limits.idleMs - performance.now() : limits.idleMs;
    if (phase !== "first_token" || !limits.cold()) return undefined;
    return Math.min(COLD_CHECK_MS, this.#started + limits.coldStartMs - performance.now());
  }

  get ledger(): Ledger {
    return this.#progress.ledger;
  }

  stop(): void {
    this.#watchdog.stop();
    this.#request.cancellation.unlisten();
    this.#exchange.abort();
    this.#end();
  }

  /** The backend works on this no more: what that took, however it ended. */
  #end(): void {
    this.#request.trace?.end();
    if (this.#gpuReading === undefined) return;
    const { gpu, spent } = this.#request;
    spent!.gpuMs += gpu!.end(this.#gpuReading, performance.now());
    this.#gpuReading = undefined;
  }

  async commit(): Promise<OpenReply> {
    const { options, onHeaders, trace } = this.#request;
    const response = await this.#exchange.response;
    if (trace !== undefined) trace.status = response.status;
    onHeaders?.(response.headers, options.kind);
    if (response.status >= 400) throw await this.#readRefusal(response);
    const form = replyForm(response, options);
    const iterator = replyEvents(response, form, options, this.#progress, this)[Symbol.asyncIterator]();
    let first: readonly ReplyEvent[] = [];
    const { ledger } = this.#progress;
    let ended = false;
    while (!ended && !this.#mayCommit()) {
      const step = await iterator.next();
      if (step.done) ended = true;
      else if (step.value.length > 0) first = first.length === 0 ? step.value : [...first, ...step.value];
      if (ledger.hasContent) this.#begin();
      else if (first.length > MAX_QUIET_EVENTS) throw this.#malformed(`${MAX_QUIET_EVENTS} events without content`);
    }
    if (!ledger.hasContent && !((ledger.usage?.completionTokens ?? 0) > 0)) throw this.#malformed("an empty reply");
    this.#begin();
    let events: Reply;
    if (form === "json") {
      this.stop();
      events = onceReply(async () => first);
    } else {
      events = this.#deliver(first, iterator, response);
    }
    const firstTokenAt = this.#firstTokenAt;
    if (trace !== undefined) trace.committedAt = performance.now();
    const { calls } = this.#request;
    const { normaliser } = options;
    const lastEventAt = (): number => this.#lastEventAt;
    return { events, progress: this.#progress, calls, firstTokenAt, lastEventAt, normaliser };
  }

  /** The first content has come: from now on silence is a stall. */
  #begin(): void {
    if (this.#firstTokenAt !== 0) return;
    this.#firstTokenAt = performance.now();
    this.#lastEventAt = this.#firstTokenAt;
    const { trace } = this.#request;
    if (trace !== undefined) trace.firstTokenAt = this.#firstTokenAt;
    this.#request.onAlive?.(this.#firstTokenAt);
    this.#watchdog.arm("stall", this.#request.limits.idleMs);
  }

  /** Is there something to send? What is only held back may still come from another backend. */
  #mayCommit(): boolean {
    if (!this.#progress.ledger.hasContent) return false;
    const { normaliser } = this.#request.options;
    if (normaliser === undefined || normaliser.sent || isFinished(this.#request.options, this.#progress)) return true;
    // A call that is held back may yet be refused, or asked of another model.
    if (this.#request.calls?.isGuarded === true) return false;
    return performance.now() - this.#firstTokenAt > COMMIT_HELD_MS;
  }

  before(): void {
    this.#waiting = true;
    this.#waitingSince = performance.now();
  }

  after(ended: boolean): void {
    this.#waiting = false;
    this.#ended = ended;
    if (this.#lastEventAt === 0) return;
    this.#lastEventAt = performance.now();
    this.#watchdog.touch();
    this.#request.onAlive?.(this.#lastEventAt);
  }

  async *#deliver(
    first: readonly ReplyEvent[],
    iterator: AsyncIterator<readonly ReplyEvent[]>,
    response: TransportResponse,
  ): Reply {
    let clean = false;
    let finalising = false;
    let spokeAt = this.#lastEventAt;
    try {
      yield first;
      for (;;) {
        if (!finalising && isFinished(this.#request.options, this.#progress)) {
          finalising = true;
          this.#watchdog.arm("finalise", FINALISE_MS);
        }
        const step = await iterator.next();
        if (step.done) break;
        if (step.value.length > 0 || this.#lastEventAt - spokeAt > COMMENT_MS) {
          spokeAt = this.#lastEventAt;
          yield step.value.length > 0 ? step.value : [COMMENT];
        }
      }
      clean = true;
    } catch (error) {
      throw this.failureOf(error);
    } finally {
      this.#end();
      if (clean && !this.#ended) this.#drain(response);
      else this.stop();
    }
  }

  /** Reads what is behind the end, so that the connection can serve again; a backend that goes on is cut off. */
  #drain(response: TransportResponse): void {
    this.#watchdog.arm("finalise", DRAIN_MS);
    readBody(response, MAX_ERROR_BYTES).then(
      () => this.stop(),
      () => this.stop(),
    );
  }

  async #readRefusal(response: TransportResponse): Promise<AttemptFailure> {
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      while (length < MAX_ERROR_BYTES) {
        const chunk = await response.read();
        if (chunk === undefined) break;
        chunks.push(chunk);
        length += chunk.length;
      }
    } catch (error) {
      // The status says enough, if the connection breaks inside the body.
      if (!(error instanceof TransportError) || error.fault === "aborted") throw error;
    }
    const body = Buffer.concat(chunks).toString("utf8", 0, MAX_ERROR_BYTES);
    return refusal(this.#request.options, response.status, body, response.headers);
  }

  #malformed(what: string): AttemptFailure {
    return new AttemptFailure({ how: "malformed" }, `${this.#request.options.backend}: ${what}`);
  }

  /** What an error of this attempt means, in view of the timers and the client. */
  failureOf(error: unknown): AttemptFailure {
    if (error instanceof AttemptFailure) return error;
    const { options, cancellation } = this.#request;
    const failure = (end: AttemptEnd, what: string) => new AttemptFailure(end, `${options.backend}: ${what}`, error);
    if (cancellation.aborted) {
      const end = cancellation.attemptEnd;
      return failure(end, end.how === "timeout" ? "the deadline passed" : "the client left");
    }
    if (this.#timedOut !== undefined) {
      const { which, ms } = this.#timedOut;
      const what = which === "stall" ? `no event within ${ms} ms` : `no first token within ${ms} ms`;
      return failure({ how: "timeout", which }, what);
    }
    if (error instanceof TransportError)
      return new AttemptFailure({ how: "fault", fault: error.fault }, error.message, error);
    // A fault of ours, in reading: the cause is for the log, not for the client.
    return failure({ how: "malformed" }, "the reply could not be read");
  }
}
