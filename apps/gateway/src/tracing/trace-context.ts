/** The trace that a client's request belongs to, as W3C Trace Context carries it. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** The client's own span: 16 hex digits. */
  readonly parentId: string;
  readonly sampled: boolean;
  /** `tracestate`, at most 512 characters; empty = none. */
  readonly state: string;
  /** The `traceparent` to pass on where nothing of ours stands between. */
  readonly header: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
const MAX_STATE = 512;
const MAX_MEMBERS = 32;
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Reads a client's headers by https://www.w3.org/TR/trace-context/: a `traceparent` that is not well-formed counts as none,
 * and takes its `tracestate` with it; one of a later version is read as far as this one knows it.
 */
export function readTraceContext(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent);
  if (match === null) return undefined;
  const [, version, traceId, parentId, flags, more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (traceId === NO_TRACE || parentId === NO_SPAN) return undefined;
  const sampled = (Number.parseInt(flags!, 16) & 1) === 1;
  const header = traceparentOf(traceId!, parentId!, sampled);
  return { traceId: traceId!, parentId: parentId!, sampled, state: readState(tracestate), header };
}

/** A list that is too long or not well-formed is dropped whole: the trace does not depend on it. */
function readState(text: string | undefined): string {
  if (text === undefined || text.length > MAX_STATE) return "";
  const members = text.split(",").map((member) => member.trim());
  const named = members.filter((member) => member !== "");
  return named.length <= MAX_MEMBERS && named.every((member) => MEMBER.test(member)) ? named.join(",") : "";
}

/** The header for who is asked next, on behalf of this span. */
export function traceparentOf(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}
