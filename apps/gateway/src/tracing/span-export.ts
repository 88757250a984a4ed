import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { hostname } from "node:os";
import { createTraceState, type HrTime, TraceFlags } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { TracesConfig } from "../config/config.ts";
import type { Story } from "../request-path/story.ts";
import { LateWork } from "../signals/late-work.ts";
import type { RequestTrace } from "./request-trace.ts";
import { type QueuedSpan, SpanQueue, type SpanQueueOptions } from "./span-queue.ts";
import { type SpanContent, type SpanDraft, spansOf, statusOf } from "./spans-of.ts";

/** Characters of content that count as one more span of the queue. */
const CONTENT_PER_SPAN = 4096;

/** Makes spans of requests and hands them to a collector. */
export interface SpanExport {
  /** Makes the spans of a request that has just ended; false = there is no room, and they are lost. */
  take(story: Story, trace: RequestTrace, important: boolean): boolean;
  /** Sends what waits, for at most a second; what is left then is lost. */
  close(): Promise<void>;
}

type SpanExportOptions = Pick<SpanQueueOptions, "metrics" | "log"> & { readonly version: string };

/** The way of spans to the collector of a config. Loads OpenTelemetry's exporter: import this file only where it is wanted. */
export function openSpanExport(config: TracesConfig, { version, metrics, log }: SpanExportOptions): SpanExport {
  const { ca, cert, key } = config.tls() ?? {};
  const secure = config.endpoint.startsWith("https:");
  const options = { keepAlive: true, maxSockets: 1 };
  const agent = secure
    ? new HttpsAgent({ ...options, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) })
    : new HttpAgent(options);
  const exporter = new OTLPTraceExporter({
    url: config.endpoint,
    headers: { ...config.headers() },
    timeoutMillis: config.timeoutMs,
    httpAgentOptions: () => agent,
  });
  const queue = new SpanQueue({
    send: (spans, done) =>
      exporter.export([...spans], ({ error, code }) => done(code === 0 ? undefined : (error ?? new Error("refused")))),
    hangUp: () => agent.destroy(),
    endpoint: config.endpoint,
    limit: config.queue,
    timeoutMs: config.timeoutMs,
    metrics,
    log,
  });
  const resource = resourceFromAttributes({
    "service.name": config.serviceName,
    "service.version": version,
    "service.instance.id": `${hostname()}-${process.pid}`,
    ...config.attributes,
  });
  const scope = { name: "signalbox", version };
  const late = new LateWork();
  const add = (story: Story, trace: RequestTrace, now: number, texts: number, content?: SpanContent): void => {
    const shift = Date.now() - performance.now();
    const place = { trace, shift, resource, scope };
    let drafts: readonly SpanDraft[];
    try {
      drafts = spansOf(story, trace, now, content);
    } catch (error) {
      queue.release(1 + trace.attempts.length + texts);
      throw error;
    }
    for (const draft of drafts) queue.add(new FinishedSpan(draft, place, draft === drafts[0] ? 1 + texts : 1));
  };
  return {
    take(story, trace, important) {
      const { transcript } = story;
      const told = config.content ? transcript : undefined;
      const texts = told === undefined ? 0 : Math.ceil(told.bytes / CONTENT_PER_SPAN);
      const spans = 1 + trace.attempts.length;
      if (!queue.reserve(spans, spans + texts, important)) return false;
      const now = performance.now();
      const tell = (): void => {
        const { prompt, answer } = told!.facts();
        add(story, trace, now, texts, { prompt: JSON.stringify(prompt) ?? "", answer: JSON.stringify(answer) ?? "" });
      };
      if (told === undefined || !late.add(told.bytes, tell)) add(story, trace, now, texts);
      return true;
    },
    close() {
      late.finish();
      return queue.close();
    },
  };
}

/** Where a span belongs. */
interface SpanPlace {
  readonly trace: RequestTrace;
  /** From the draft's clock to milliseconds since 1970. */
  readonly shift: number;
  readonly resource: Resource;
  readonly scope: ReadableSpan["instrumentationScope"];
}

/** A span in the form that the exporter takes. The SDK's own are for what is still going on; this one has been. */
class FinishedSpan implements QueuedSpan {
  readonly name: string;
  readonly kind: ReadableSpan["kind"];
  readonly parentSpanContext?: NonNullable<ReadableSpan["parentSpanContext"]>;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly duration: HrTime;
  readonly status: ReadableSpan["status"];
  readonly attributes: ReadableSpan["attributes"];
  readonly events: ReadableSpan["events"];
  readonly links: ReadableSpan["links"] = [];
  readonly ended = true;
  readonly resource: Resource;
  readonly instrumentationScope: ReadableSpan["instrumentationScope"];
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;
  readonly weight: number;
  readonly #context: ReturnType<ReadableSpan["spanContext"]>;

  constructor(draft: SpanDraft, { trace, shift, resource, scope }: SpanPlace, weight: number) {
    const { traceId, parent } = trace;
    const traceFlags = TraceFlags.SAMPLED;
    const state = parent?.state ? { traceState: createTraceState(parent.state) } : {};
    this.#context = { traceId, spanId: draft.spanId, traceFlags, ...state };
    if (draft.parent !== undefined) this.parentSpanContext = { traceId, traceFlags, ...draft.parent };
    this.name = draft.name;
    this.kind = draft.kind;
    this.startTime = hrTime(draft.from + shift);
    this.endTime = hrTime(Math.max(draft.from, draft.until) + shift);
    this.duration = hrTime(Math.max(0, draft.until - draft.from));
    this.status = statusOf(draft.error);
    this.attributes = draft.attributes;
    this.events = draft.events.map(({ name, at, attributes }) => ({ name, time: hrTime(at + shift), attributes }));
    this.resource = resource;
    this.instrumentationScope = scope;
    this.weight = weight;
  }

  spanContext(): ReturnType<ReadableSpan["spanContext"]> {
    return this.#context;
  }
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.floor((ms - seconds * 1000) * 1e6)];
}
