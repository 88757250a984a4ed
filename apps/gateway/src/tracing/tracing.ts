import type { TracesConfig } from "../config/config.ts";
import type { HttpExchange } from "../http/exchange.ts";
import type { Story } from "../request-path/story.ts";
import type { Metrics } from "../signals/metrics.ts";
import type { RequestLog } from "../signals/request-log.ts";
import { hasFailed } from "./has-failed.ts";
import { RequestTrace } from "./request-trace.ts";
import type { SpanExport } from "./span-export.ts";
import { readTraceContext } from "./trace-context.ts";
import { createSampler, newTraceId, type Sampler } from "./trace-ids.ts";

export interface TracingOptions {
  /** Of the product. */
  readonly version: string;
  readonly metrics: Metrics;
  readonly log: RequestLog;
}

/** The traces of one gateway, over any number of configs. Nothing of OpenTelemetry's code is loaded before a config wants it. */
export class Tracing {
  readonly #options: TracingOptions;
  #config: TracesConfig | undefined;
  #export: SpanExport | undefined;
  #isSampled: Sampler = () => false;

  constructor(options: TracingOptions) {
    this.#options = options;
  }

  /** Traces by this config from the next request on; what was still to be sent goes where it was to go. */
  async follow(config: TracesConfig | undefined): Promise<void> {
    if (textOf(config) === textOf(this.#config)) return;
    const before = this.#export;
    this.#export = config && (await import("./span-export.ts")).openSpanExport(config, this.#options);
    this.#config = config;
    this.#isSampled = createSampler(config?.sample ?? 0);
    void before?.close();
  }

  /** A request came in: reads its client's trace, and begins ours. */
  begin(story: Story, exchange: HttpExchange): void {
    const traceparent = exchange.header("traceparent");
    if (traceparent !== undefined) story.incoming = readTraceContext(traceparent, exchange.header("tracestate"));
    const { incoming } = story;
    if (incoming !== undefined) story.traceId = incoming.traceId;
    const config = this.#config;
    if (config === undefined) return;
    if (incoming === undefined) story.traceId = newTraceId();
    const follows = incoming !== undefined && config.followsClients;
    const sampled = follows ? incoming.sampled : this.#isSampled(story.traceId);
    story.trace = new RequestTrace(story.traceId, incoming, sampled);
  }

  /** A request is over: its spans are made, if anybody is to see them. */
  settle(story: Story): void {
    const { trace } = story;
    if (trace === undefined || this.#export === undefined) return;
    const failed = hasFailed(story) || performance.now() - story.started > this.#config!.slowMs;
    if (!trace.sampled && !failed) return;
    try {
      story.traceSampled = this.#export.take(story, trace, failed);
    } catch (error) {
      // A fault of ours here is no reason to lose the request's line and its count.
      this.#options.log.warn("a request's spans could not be made", { request_id: story.id, error: String(error) });
    }
  }

  /** Sends what waits, for at most a second. */
  async close(): Promise<void> {
    await this.#export?.close();
    this.#export = undefined;
  }
}

/** A config with its secrets, for comparing. */
function textOf(config: TracesConfig | undefined): string {
  return JSON.stringify(config && [config, config.headers(), config.tls()]) ?? "";
}
