import type { CallOutcome } from "@signalbox/adapter";
import type { Endpoint, ErrorCode, FailureCause, Outcome, Usage } from "@signalbox/protocol";
import type { AttemptRecord, Priority } from "@signalbox/router";
import type { TeamLog } from "../config/compile-privacy.ts";
import type { Transcript } from "../privacy/transcript.ts";
import type { RequestTrace } from "../tracing/request-trace.ts";
import type { TraceContext } from "../tracing/trace-context.ts";
import type { RecoveryNote } from "./recovery/recovery-plan.ts";

/** Tool calls with the same fate. */
export interface CallCount {
  readonly backend: string;
  readonly model: string;
  /** The dialect that they were written in; `engine` when the engine had parsed them. */
  readonly dialect: string;
  /** `failed`: begun, and text in the end; `denied`: kept from the client by the guard. */
  readonly outcome: CallOutcome | "failed" | "denied";
  count: number;
}

/** Choices that never left the thought in which they began. */
interface UnclosedCount {
  readonly backend: string;
  readonly model: string;
  readonly dialect: string;
  count: number;
}

/** A reply that the guard kept from the client, so that another one was asked for. */
interface DeniedReply {
  readonly backend: string;
  readonly model: string;
  readonly usage: Usage;
}

/** Breaches of one of the guard's rules. */
interface ViolationCount {
  readonly model: string;
  readonly rule: string;
  /** What was done about it. */
  readonly action: string;
  count: number;
}

/**
 * What happened to one request, filled in on its way and read once at its end by metrics, log and limits. Holds names,
 * numbers and reasons; never a key, and a prompt and an answer only in the transcript of teams that want one.
 */
export interface Story {
  readonly id: string;
  readonly endpoint: Endpoint;
  /** By `performance.now()`. */
  readonly started: number;
  /** The client's own trace; undefined = it sent none. */
  incoming: TraceContext | undefined;
  /** What is noted for spans; undefined = nothing is traced. */
  trace: RequestTrace | undefined;
  /** The trace that the request belongs to, 32 hex digits; empty = none. */
  traceId: string;
  /** Its spans are exported: known for sure only when `signals` hear of the request's end. */
  traceSampled: boolean;
  team: string;
  /** The id of the key that was shown; empty where none was asked for. */
  key: string;
  /** What may be written down of it. */
  log: TeamLog;
  /** What was said, of a team with `log: full`. */
  transcript: Transcript | undefined;
  /** As the client wrote it. */
  asked: string;
  /** The model of the config that was chosen first; empty before the decision. */
  chosen: string;
  /** The model that answered. */
  model: string;
  backend: string;
  stream: boolean;
  complexity: string | undefined;
  /** What chose the model: a rule's name, or `named`; empty before the decision. */
  rule: string;
  reason: string;
  reasons: readonly string[];
  records: readonly AttemptRecord[];
  /** What was done to bring a stream that broke to its end; undefined = nothing had to be. */
  recoveries: readonly RecoveryNote[] | undefined;
  attempts: number;
  status: number;
  code: ErrorCode | "ok";
  /** Why an error left; for the log alone. */
  fault: string | undefined;
  outcome: Outcome["kind"] | "refused";
  /** Of a failed outcome. */
  cause: FailureCause | undefined;
  promptTokens: number;
  /** Of all its tokens, in billionths of the currency. */
  cost: number;
  /** What they would have cost on the model that all is compared with. */
  baselineCost: number;
  usage: Usage | undefined;
  /** Events with content, when the engine sent no usage. */
  contentEvents: number;
  malformedEvents: number;
  /** What it cost beside the reply that was answered with; undefined = nothing. */
  denied: DeniedReply[] | undefined;
  /** The tool calls of all attempts, by their fate; undefined = none. */
  toolCalls: CallCount[] | undefined;
  /** Undefined = none. */
  unclosed: UnclosedCount[] | undefined;
  /** The guard's rules that they broke; undefined = none. */
  violations: ViolationCount[] | undefined;
  /** Of a request that came to the queue; undefined = its backends had room. */
  priority: Priority | undefined;
  /** Milliseconds in the queue; undefined = it did not wait. */
  queueMs: number | undefined;
  /** Milliseconds spent waiting for backends, behind the queue, before the first content. */
  waitedMs: number;
  firstTokenAt: number | undefined;
  /** When the attempt began to answer that the answer's end came from. */
  committedAt: number | undefined;
  lastEventAt: number | undefined;
}

/** The story of a request that has just come in. */
export function createStory(id: string, endpoint: Endpoint): Story {
  return {
    id,
    endpoint,
    started: performance.now(),
    incoming: undefined,
    trace: undefined,
    traceId: "",
    traceSampled: false,
    team: "",
    key: "",
    log: "metadata",
    transcript: undefined,
    asked: "",
    chosen: "",
    model: "",
    backend: "",
    stream: false,
    complexity: undefined,
    rule: "",
    reason: "",
    reasons: [],
    records: [],
    recoveries: undefined,
    attempts: 0,
    status: 0,
    code: "ok",
    fault: undefined,
    outcome: "refused",
    cause: undefined,
    promptTokens: 0,
    cost: 0,
    baselineCost: 0,
    usage: undefined,
    contentEvents: 0,
    malformedEvents: 0,
    denied: undefined,
    toolCalls: undefined,
    unclosed: undefined,
    violations: undefined,
    priority: undefined,
    queueMs: undefined,
    waitedMs: 0,
    firstTokenAt: undefined,
    committedAt: undefined,
    lastEventAt: undefined,
  };
}

/** Tokens to charge: what the engine counted, or, where it did not, the estimate and one token per event. */
export function tokensOf(story: Pick<Story, "usage" | "firstTokenAt" | "promptTokens" | "contentEvents">): Usage {
  if (story.usage !== undefined) return story.usage;
  if (story.firstTokenAt === undefined) return { promptTokens: 0, completionTokens: 0 };
  return { promptTokens: story.promptTokens, completionTokens: story.contentEvents };
}
