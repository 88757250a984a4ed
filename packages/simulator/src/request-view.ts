import type { HttpRequest } from "./http-server.ts";
import type { Endpoint, InferenceRequest } from "./kind.ts";
import { countPromptTokens } from "./pieces.ts";

/** One message of a conversation, read as loosely as engines read it. */
export interface Message {
  readonly role: string;
  readonly text: string;
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part: unknown) => {
      const text = (part as { text?: unknown } | null)?.text;
      return typeof text === "string" ? text : "";
    })
    .join("\n");
}

/** The messages of a chat request; an empty list when there are none. */
export function messagesOf(body: Readonly<Record<string, unknown>>): Message[] {
  if (!Array.isArray(body.messages)) return [];
  return body.messages.map((message: unknown) => {
    const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown };
    return { role: typeof role === "string" ? role : "user", text: textOf(content) };
  });
}

/** The text that the answer is to go on from; undefined = it begins anew. */
export function begunText(
  body: Readonly<Record<string, unknown>>,
  how: "as_is" | "trimmed" | false,
): string | undefined {
  if (how === false || body.continue_final_message !== true) return undefined;
  const last = messagesOf(body).at(-1);
  if (last?.role !== "assistant") return undefined;
  return how === "trimmed" ? last.text.trimEnd() : last.text;
}

function promptOf(endpoint: Endpoint, body: Readonly<Record<string, unknown>>): string {
  if (endpoint === "chat") {
    const text = messagesOf(body)
      .map((message) => `${message.role}: ${message.text}`)
      .join("\n");
    return Array.isArray(body.tools) ? `${text}\n${JSON.stringify(body.tools)}` : text;
  }
  const value = endpoint === "completions" ? body.prompt : body.input;
  if (Array.isArray(value)) return value.map(String).join("\n");
  return typeof value === "string" ? value : "";
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** Reads a parsed body as an inference request; wrong types are left for the kind to refuse. */
export function readInferenceRequest(
  endpoint: Endpoint,
  http: HttpRequest,
  body: Readonly<Record<string, unknown>>,
): InferenceRequest {
  const prompt = promptOf(endpoint, body);
  const streamOptions = body.stream_options as
    | { include_usage?: unknown; continuous_usage_stats?: unknown }
    | null
    | undefined;
  return {
    endpoint,
    http,
    body,
    model: typeof body.model === "string" ? body.model : "",
    stream: body.stream === true && endpoint !== "embeddings",
    includeUsage: streamOptions?.include_usage === true,
    continuousUsage: streamOptions?.include_usage === true && streamOptions.continuous_usage_stats === true,
    prompt,
    promptTokens: countPromptTokens(prompt),
    maxTokens: numberOf(body.max_tokens) ?? numberOf(body.max_completion_tokens),
  };
}
