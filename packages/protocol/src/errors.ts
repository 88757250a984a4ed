/** Who has to act: the caller, the policy's owner, the pool of backends, or Signalbox itself. */
export type FaultDomain = "caller" | "policy" | "backend" | "gateway";

interface ErrorRow {
  /** HTTP status that leaves when nothing was sent yet. */
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly type: string;
  readonly domain: FaultDomain;
  /** May the client send the same request again, unchanged? */
  readonly retryable: boolean;
}

/** Every error that Signalbox answers with. docs/errors.md has a section for each row, held together by a test. */
export const errorTable = {
  invalid_json: { status: 400, type: "invalid_request_error", domain: "caller", retryable: false },
  json_too_deep: { status: 400, type: "invalid_request_error", domain: "caller", retryable: false },
  json_too_many_keys: { status: 400, type: "invalid_request_error", domain: "caller", retryable: false },
  duplicate_key: { status: 400, type: "invalid_request_error", domain: "caller", retryable: false },
  invalid_request: { status: 400, type: "invalid_request_error", domain: "caller", retryable: false },
  context_length_exceeded: { status: 400, type: "invalid_request_error", domain: "caller", retryable: false },
  capability_not_supported: { status: 400, type: "invalid_request_error", domain: "caller", retryable: false },
  rejected_by_backend: { status: 400, type: "invalid_request_error", domain: "caller", retryable: false },
  invalid_api_key: { status: 401, type: "authentication_error", domain: "caller", retryable: false },
  model_not_allowed: { status: 403, type: "permission_error", domain: "policy", retryable: false },
  tool_call_denied: { status: 403, type: "permission_error", domain: "policy", retryable: false },
  data_not_allowed: { status: 403, type: "permission_error", domain: "policy", retryable: false },
  change_not_allowed: { status: 403, type: "permission_error", domain: "policy", retryable: false },
  role_not_sufficient: { status: 403, type: "permission_error", domain: "policy", retryable: false },
  model_not_found: { status: 404, type: "not_found_error", domain: "caller", retryable: false },
  route_not_found: { status: 404, type: "not_found_error", domain: "caller", retryable: false },
  method_not_allowed: { status: 405, type: "invalid_request_error", domain: "caller", retryable: false },
  request_timeout: { status: 408, type: "invalid_request_error", domain: "caller", retryable: true },
  keys_not_stored: { status: 409, type: "invalid_request_error", domain: "policy", retryable: false },
  request_too_large: { status: 413, type: "invalid_request_error", domain: "caller", retryable: false },
  too_many_failed_keys: { status: 429, type: "rate_limit_error", domain: "caller", retryable: true },
  rate_limit_exceeded: { status: 429, type: "rate_limit_error", domain: "policy", retryable: true },
  concurrency_limit_exceeded: { status: 429, type: "rate_limit_error", domain: "policy", retryable: true },
  budget_exceeded: { status: 429, type: "rate_limit_error", domain: "policy", retryable: false },
  team_queue_full: { status: 429, type: "rate_limit_error", domain: "policy", retryable: true },
  client_closed_request: { status: 499, type: "invalid_request_error", domain: "caller", retryable: true },
  internal_error: { status: 500, type: "server_error", domain: "gateway", retryable: true },
  upstream_failed: { status: 502, type: "upstream_error", domain: "backend", retryable: true },
  stream_interrupted: { status: 502, type: "upstream_error", domain: "backend", retryable: true },
  backends_unavailable: { status: 503, type: "overloaded_error", domain: "backend", retryable: true },
  backends_overloaded: { status: 503, type: "overloaded_error", domain: "backend", retryable: true },
  audit_unavailable: { status: 503, type: "server_error", domain: "gateway", retryable: true },
  keys_unavailable: { status: 503, type: "server_error", domain: "gateway", retryable: true },
  gateway_overloaded: { status: 503, type: "overloaded_error", domain: "gateway", retryable: true },
  upstream_timeout: { status: 504, type: "timeout_error", domain: "backend", retryable: true },
  deadline_exceeded: { status: 504, type: "timeout_error", domain: "backend", retryable: true },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

export interface GatewayErrorOptions {
  cause?: unknown;
  /** The field of the request that is wrong, as OpenAI's `error.param`, e.g. `messages.0.role`. */
  param?: string | undefined;
  /** When to come back, in milliseconds; leaves as `retry-after` in whole seconds, rounded up. */
  retryAfterMs?: number | undefined;
  /** Coming back within minutes is of no use: leaves as `x-should-retry: false`, which the official clients obey. */
  final?: boolean | undefined;
  /** Replaces the table's status: only for a backend's own 4xx, which is passed on as it came. */
  status?: number | undefined;
  /** A backend's own error object, passed on to the client as it came (4xx only). */
  upstreamBody?: unknown;
}

/** The one error class. `message` says who, what and the number, and never holds secrets or prompt text. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly retryAfterMs: number | undefined;
  readonly final: boolean;
  readonly upstreamBody: unknown;

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const row: ErrorRow = errorTable[code];
    this.code = code;
    this.status = options.status ?? row.status;
    this.type = row.type;
    this.param = options.param ?? null;
    this.retryAfterMs = options.retryAfterMs;
    this.final = options.final ?? false;
    this.upstreamBody = options.upstreamBody;
  }
}

/** OpenAI's error shape: `{ error: { message, type, param, code } }`. Also the `data:` of an in-band stream error. */
export function errorBody(error: GatewayError): { error: Record<string, unknown> } {
  const upstream = error.upstreamBody;
  const base = { message: error.message, type: error.type, param: error.param, code: error.code as string | null };
  if (typeof upstream !== "object" || upstream === null) return { error: base };
  const own = upstream as Record<string, unknown>;
  return {
    error: {
      message: typeof own.message === "string" ? own.message : base.message,
      type: typeof own.type === "string" ? own.type : base.type,
      param: typeof own.param === "string" ? own.param : base.param,
      code: typeof own.code === "string" ? own.code : base.code,
    },
  };
}
