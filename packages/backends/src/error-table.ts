import type { UpstreamError } from "@signalbox/protocol";
import { type ErrorBody, readErrorBody } from "./error-body.ts";
import type { BackendKind } from "./kind.ts";
import { retryAfterMs } from "./retry-after.ts";

/** One row of a kind's error table: when everything that it names holds, the error has this meaning. First match wins. */
export interface ErrorRule {
  readonly meaning: UpstreamError["meaning"];
  /** The HTTP status, or the one that the body names under a 200. Any of these. */
  readonly status?: readonly number[];
  /** The error's `code` or `type`, in lower case. Any of these. */
  readonly code?: readonly string[];
  /** A part of the message, in lower case. Any of these. */
  readonly message?: readonly string[];
  /** The status that the answer should have had; the backend's own error object is then not passed on. */
  readonly as?: number;
}

const MESSAGE_LIMIT = 500;

/** Wordings that OpenAI set and most engines took over. */
const sharedRules: readonly ErrorRule[] = [
  { meaning: "content_filter", code: ["content_filter", "content_policy_violation", "responsibleaipolicyviolation"] },
  { meaning: "context_length", code: ["context_length_exceeded"] },
  {
    meaning: "context_length",
    status: [400, 413, 422],
    message: ["maximum context length", "context length exceeded", "exceeds the context length"],
  },
  { meaning: "model_missing", code: ["model_not_found"] },
  { meaning: "auth", code: ["invalid_api_key", "authentication_error"] },
  { meaning: "busy", code: ["rate_limit_exceeded", "rate_limit_error", "overloaded_error"] },
];

/** What a status says when no row knows better. */
const statusMeanings: ReadonlyMap<number, UpstreamError["meaning"]> = new Map([
  [401, "auth"],
  [402, "auth"],
  [403, "auth"],
  // The caller's path and method are ours: where they do not exist, this server does not offer what the model needs.
  [404, "model_missing"],
  [405, "model_missing"],
  [501, "model_missing"],
  [408, "server"],
  [413, "context_length"],
  [429, "busy"],
  [503, "busy"],
  [529, "busy"],
]);

/** The status of an error that came under a 200 and names only its type. */
const typeStatuses: ReadonlyMap<string, number> = new Map([
  ["invalid_request_error", 400],
  ["badrequesterror", 400],
  ["authentication_error", 401],
  ["not_found_error", 404],
  ["notfounderror", 404],
  ["rate_limit_error", 429],
  ["rate_limit_exceeded", 429],
  ["overloaded_error", 503],
]);

/** A kind's `readError`, made from its table. The table may be empty: OpenAI's own codes and statuses are always read. */
export function readErrorWith(rules: readonly ErrorRule[]): BackendKind["readError"] {
  const table = [...rules, ...sharedRules];
  return ({ status: sent, headers, body }) => {
    const said = readErrorBody(sent, body);
    const status = sent >= 400 ? sent : statusWithin(said);
    const rule = table.find((row) => holds(row, status, said));
    const meaning = rule?.meaning ?? statusMeanings.get(status) ?? (status < 500 ? "caller" : "server");
    return {
      status: rule?.as ?? status,
      message: showMessage(meaning, status, said.message),
      meaning,
      retryAfterMs: retryAfterMs(status, headers, Date.now()),
      body: meaning === "auth" || rule?.as !== undefined ? undefined : said.object,
    };
  };
}

function statusWithin(said: ErrorBody): number {
  if (said.status !== undefined) return said.status;
  for (const code of said.codes) {
    const status = typeStatuses.get(code);
    if (status !== undefined) return status;
  }
  return 500;
}

function holds(rule: ErrorRule, status: number, said: ErrorBody): boolean {
  if (rule.status !== undefined && !rule.status.includes(status)) return false;
  if (rule.code !== undefined && !said.codes.some((code) => rule.code?.includes(code))) return false;
  if (rule.message === undefined) return true;
  const message = said.message.toLowerCase();
  return rule.message.some((part) => message.includes(part));
}

function showMessage(meaning: UpstreamError["meaning"], status: number, message: string): string {
  // Some servers quote the key that they refuse.
  if (meaning === "auth" && (status === 401 || status === 403))
    return `${status}: the key for this backend was refused`;
  return message.slice(0, MESSAGE_LIMIT).toWellFormed();
}
