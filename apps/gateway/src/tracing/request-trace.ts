import type { LimitState } from "../teams/limits.ts";
import type { ReplyProgress } from "../upstream/reply-events.ts";
import { type TraceContext, traceparentOf } from "./trace-context.ts";
import { newSpanId } from "./trace-ids.ts";

/** Whom an attempt asked. */
export interface AskedBackend {
  readonly name: string;
  readonly config: { readonly kind: string };
  /** Scheme, host and port. */
  readonly address: string;
}

/** What is noted of one attempt on its way, for its span; times by `performance.now()`, 0 = it did not come to that. */
export class AttemptTrace {
  readonly spanId = newSpanId();
  /** The header for the backend. */
  readonly header: string;
  readonly backend: AskedBackend;
  /** Of the config. */
  readonly model: string;
  /** As the backend is asked for it. */
  readonly upstreamModel: string;
  readonly startedAt = performance.now();
  firstTokenAt = 0;
  committedAt = 0;
  /** The backend worked on it no more. */
  endedAt = 0;
  /** Of the backend's answer; 0 = none came. */
  status = 0;
  progress: ReplyProgress | undefined;

  constructor(request: RequestTrace, backend: AskedBackend, model: string, upstreamModel: string) {
    this.backend = backend;
    this.model = model;
    this.upstreamModel = upstreamModel;
    this.header = traceparentOf(request.traceId, this.spanId, request.sampled);
  }

  end(): void {
    if (this.endedAt === 0) this.endedAt = performance.now();
  }
}

/** What is noted of one request on its way, for its spans; times as in AttemptTrace. Little, since most of it is never told. */
export class RequestTrace {
  readonly traceId: string;
  readonly spanId = newSpanId();
  /** The client's span. */
  readonly parent: TraceContext | undefined;
  /** The engines are told so, too; of what fails there are spans in any case. */
  readonly sampled: boolean;
  /** What the client asked for. */
  body: Readonly<Record<string, unknown>> | undefined;
  limits: LimitState | undefined;
  decidedAt = 0;
  queuedAt = 0;
  leftQueueAt = 0;
  readonly attempts: AttemptTrace[] = [];
  /** Of each of the story's recoveries; undefined = there were none. */
  recoveredAt: number[] | undefined;

  constructor(traceId: string, parent: TraceContext | undefined, sampled: boolean) {
    this.traceId = traceId;
    this.parent = parent;
    this.sampled = sampled;
  }

  /** An attempt begins. */
  begin(backend: AskedBackend, model: string, upstreamModel: string): AttemptTrace {
    const attempt = new AttemptTrace(this, backend, model, upstreamModel);
    this.attempts.push(attempt);
    return attempt;
  }

  /** It waited in the queue; a second time counts on. */
  wait(from: number, until: number): void {
    if (this.queuedAt === 0) this.queuedAt = from;
    this.leftQueueAt = until;
  }

  recover(): void {
    this.recoveredAt ??= [];
    this.recoveredAt.push(performance.now());
  }
}
