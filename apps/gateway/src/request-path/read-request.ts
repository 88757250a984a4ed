import {
  type Endpoint,
  GatewayError,
  type JsonCaps,
  type JsonMember,
  requestSchemas,
  scanMembers,
} from "@signalbox/protocol";
import type { z } from "zod";
import { isPlainChat } from "./plain-chat.ts";
import { findReasoning, type ReasoningHistory } from "./reasoning-history.ts";

/** A request body: its bytes, where its members stand, and the parsed value, which is never changed. */
export interface ReadRequest {
  readonly endpoint: Endpoint;
  readonly bytes: Buffer;
  readonly members: readonly JsonMember[];
  readonly body: Readonly<Record<string, unknown>>;
  readonly model: string;
  readonly stream: boolean;
  /** The client asked for the usage chunk of a stream. */
  readonly includeUsage: boolean;
  /** The reasoning of earlier turns, if the client sends any back. */
  readonly history: ReasoningHistory | undefined;
}

/**
 * Reads a body: scanned under the caps, parsed once, checked against the endpoint's schema.
 * @throws GatewayError `invalid_json`, `json_too_deep`, `json_too_many_keys`, `duplicate_key`, or `invalid_request` with the field.
 */
export function readRequest(endpoint: Endpoint, bytes: Buffer, caps: JsonCaps): ReadRequest {
  if (bytes.length === 0) throw new GatewayError("invalid_json", "the request body is empty");
  const members = scanMembers(bytes, caps);
  const body = parse(bytes);
  const isChat = endpoint === "chat_completions";
  let history: ReasoningHistory | undefined;
  if (!isChat || !isPlainChat(body)) {
    const checked = requestSchemas[endpoint].safeParse(body);
    if (!checked.success) throw invalidRequest(checked.error.issues[0]!);
    if (isChat) history = findReasoning(bytes, members, body.messages as readonly Record<string, unknown>[]);
  }
  const { model, stream, stream_options } = body as {
    model: string;
    stream?: unknown;
    stream_options?: { include_usage?: unknown } | null;
  };
  return {
    endpoint,
    bytes,
    members,
    body,
    model,
    // Nobody streams embeddings, whatever the body says.
    stream: stream === true && endpoint !== "embeddings",
    includeUsage: stream_options?.include_usage === true,
    history,
  };
}

/** How many choices a request asks for: `n`, for each of its prompts. */
export function choicesOf({ body: { n, prompt } }: ReadRequest): number {
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== "number" ? prompt.length : 1;
  return (typeof n === "number" ? n : 1) * prompts;
}

function parse(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    // V8 quotes the text around the fault; only the position may leave.
    const at = /position (\d+)/.exec(String(error))?.[1];
    throw new GatewayError(
      "invalid_json",
      `the request body is not JSON${at === undefined ? "" : ` (at character ${at})`}`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new GatewayError("invalid_json", "the request body must be a JSON object");
  }
  return value as Record<string, unknown>;
}

type Issue = z.core.$ZodIssue;

interface Telling {
  readonly path: PropertyKey[];
  readonly message: string;
  /** The type is right, the value is not. */
  readonly ofValue: boolean;
}

/** The most telling issue: of a union, that of the member which got furthest. */
function deepest(issue: Issue, path: PropertyKey[] = []): Telling {
  const here = [...path, ...issue.path];
  if (issue.code !== "invalid_union") {
    const message = issue.message.replace(/^(Invalid input|Too small|Too big): /, "");
    return { path: here, message, ofValue: issue.code !== "invalid_type" };
  }
  const inner = issue.errors.flatMap((issues) => issues.map((one) => deepest(one, here)));
  const furthest = inner.reduce((best, one) => (one.path.length > best.path.length ? one : best), inner[0]!);
  if (furthest.path.length > here.length) return furthest;
  const value = inner.find(({ ofValue }) => ofValue);
  if (value !== undefined) return value;
  const wanted = [...new Set(inner.map(({ message }) => /expected (\w+)/.exec(message)?.[1]).filter(Boolean))];
  return {
    path: here,
    message: wanted.length > 0 ? `expected ${wanted.join(" or ")}` : "has a wrong type",
    ofValue: false,
  };
}

function invalidRequest(issue: Issue): GatewayError {
  const { path, message } = deepest(issue);
  const param = path.map(String).join(".").slice(0, 256);
  const text = message.charAt(0).toLowerCase() + message.slice(1);
  return new GatewayError("invalid_request", `${param === "" ? "the request body" : param}: ${text}`, {
    param: param || undefined,
  });
}
