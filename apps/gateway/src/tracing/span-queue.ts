import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Metrics, NumberSeries } from "../signals/metrics.ts";
import type { RequestLog } from "../signals/request-log.ts";

/** So many spans are put into one message: what that takes is time in which nothing is answered. */
const BATCH = 64;
/** A message that is not full goes after so long. */
const LINGER_MS = 500;
/** Of the room this share is for requests that failed. */
const KEPT_FOR_FAILURES = 0.25;
const CLOSE_MS = 1000;

/** A span that is over. */
export interface QueuedSpan extends ReadableSpan {
  /** How much of the room it takes: 1, and more where it holds long texts. */
  readonly weight: number;
}

export interface SpanQueueOptions {
  /** Sends a batch and calls back once, with an error or nothing. */
  send(spans: readonly QueuedSpan[], done: (error: Error | undefined) => void): void;
  /** Closes the connections of what is being sent. */
  hangUp(): void;
  /** Names the collector in the log. */
  readonly endpoint: string;
  /** Spans that may wait, those that are being sent among them. */
  readonly limit: number;
  /** A batch that is not taken by then is lost. */
  readonly timeoutMs: number;
  readonly metrics: Metrics;
  readonly log: RequestLog;
}

/** Spans on their way to a collector: so many and no more, one batch at a time, and nobody waits for any of it. */
export class SpanQueue {
  readonly #options: SpanQueueOptions;
  #waiting: QueuedSpan[] = [];
  /** What room was promised to, until it has left: spans that wait, are being sent, or are not made yet. */
  #held = 0;
  #sending: Sending | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Spans that were lost since the collector took the last ones; undefined = it takes them. */
  #lost: number | undefined;
  readonly #exported: NumberSeries;
  readonly #dropped: Readonly<Record<"queue_full" | "not_taken" | "shutdown", NumberSeries>>;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
    const { metrics } = options;
    const dropped = (reason: string) => metrics.counter("signalbox_trace_spans_dropped_total", { reason });
    this.#exported = metrics.counter("signalbox_trace_spans_exported_total", {});
    this.#dropped = {
      queue_full: dropped("queue_full"),
      not_taken: dropped("not_taken"),
      shutdown: dropped("shutdown"),
    };
  }

  /**
   * Room for the spans of a request; false = there is none, and they are counted as lost. A quarter of it is for important
   * ones alone, so that what was merely sampled never takes the place of a failure.
   */
  reserve(spans: number, weight: number, important: boolean): boolean {
    const { limit } = this.#options;
    const room = important ? limit : limit * (1 - KEPT_FOR_FAILURES);
    if (!this.#closed && this.#held + weight <= room) {
      this.#held += weight;
      return true;
    }
    this.#drop("queue_full", spans);
    return false;
  }

  /** Room that was reserved, and is not needed after all. */
  release(weight: number): void {
    this.#held -= weight;
  }

  /** A span that room was reserved for. */
  add(span: QueuedSpan): void {
    this.#waiting.push(span);
    this.#arm();
  }

  /** Sends what waits, for at most a second, and as long as the collector takes it; what is left then is lost. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const over = delay(CLOSE_MS);
    while (this.#sending !== undefined || this.#waiting.length > 0) {
      this.#sending ??= this.#send();
      const { ended } = this.#sending;
      if (!(await Promise.race([ended, over.promise]))) break;
    }
    over.stop();
    this.#drop("shutdown", this.#waiting.length);
    this.#waiting = [];
    this.#sending?.settle(new Error("the gateway stops"));
    this.#options.hangUp();
  }

  #arm(): void {
    if (this.#closed || this.#sending !== undefined || this.#waiting.length === 0) return;
    if (this.#waiting.length >= BATCH) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#sending = this.#send();
    } else this.#timer ??= setTimeout(() => this.#ring(), LINGER_MS).unref();
  }

  #ring(): void {
    this.#timer = undefined;
    if (!this.#closed && this.#sending === undefined) this.#sending = this.#send();
  }

  #send(): Sending {
    const { send, hangUp, timeoutMs } = this.#options;
    const spans = this.#waiting.splice(0, BATCH);
    const { promise: ended, resolve } = Promise.withResolvers<boolean>();
    let over = false;
    const settle = (error: Error | undefined): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      for (const { weight } of spans) this.#held -= weight;
      this.#sending = undefined;
      this.#tell(spans.length, error);
      this.#arm();
      resolve(error === undefined);
    };
    const timer = setTimeout(() => {
      settle(new Error(`no answer within ${timeoutMs} ms`));
      hangUp();
    }, timeoutMs).unref();
    // In a turn of its own, behind what is being answered in this one.
    setImmediate(() => send(spans, settle));
    return { ended, settle };
  }

  #tell(spans: number, error: Error | undefined): void {
    const { log, endpoint } = this.#options;
    if (error !== undefined) {
      if (this.#lost === undefined)
        log.warn("the collector does not take traces: they are lost", { endpoint, error: reasonOf(error) });
      this.#lost ??= 0;
      this.#drop("not_taken", spans);
      return;
    }
    this.#exported.value += spans;
    if (this.#lost !== undefined) log.info("the collector takes traces again", { endpoint, lost_spans: this.#lost });
    this.#lost = undefined;
  }

  #drop(reason: "queue_full" | "not_taken" | "shutdown", spans: number): void {
    this.#dropped[reason].value += spans;
    if (this.#lost !== undefined) this.#lost += spans;
  }
}

/** An HTTP status with its words, or what the system says. */
function reasonOf(error: Error & { readonly code?: unknown }): string {
  const { code, message } = error;
  if (typeof code === "number") return `status ${code}`;
  return message === "" ? String(code) : message;
}

interface Sending {
  /** True = it was taken. */
  readonly ended: Promise<boolean>;
  settle(error: Error | undefined): void;
}

/** False after so long. */
function delay(ms: number): { readonly promise: Promise<boolean>; stop(): void } {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  return { promise, stop: () => clearTimeout(timer) };
}
