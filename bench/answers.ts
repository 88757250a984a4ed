/** The model that the upstream serves under two names. */
export const servedModels = ["bench-small", "bench-large"] as const;

/** The text of every answer that is not streamed. */
export const completionText = "A signal box works the points and signals of a railway.";

/** An OpenAI chat completion of some 330 bytes. */
export const completionBody = JSON.stringify({
  id: "chatcmpl-0123456789abcdef01234567",
  object: "chat.completion",
  created: 1_763_000_000,
  model: "bench-small",
  choices: [{ index: 0, message: { role: "assistant", content: completionText }, finish_reason: "stop" }],
  usage: { prompt_tokens: 84, completion_tokens: 13, total_tokens: 97 },
});

/** The list of models as vLLM gives it. */
export const modelsBody = JSON.stringify({
  object: "list",
  data: servedModels.map((id) => ({ id, object: "model", owned_by: "vllm", root: id, max_model_len: 131_072 })),
});

/** An error body in OpenAI's shape. */
export const errorBody = (message: string) =>
  JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code: null } });

/** The text of the content event at this place of a stream. */
export const tokenText = (index: number) => ` word${index % 1_000}`;

/** A stream's events, framed as HTTP chunks, ready to be written. */
export interface StreamParts {
  readonly role: Buffer;
  readonly content: readonly Buffer[];
  /** The finish_reason, usage where it was asked for, `[DONE]`, and the end of the body. */
  readonly ending: Buffer;
}

/** Events of a stream that are not content: role, finish_reason, usage (asked for in every bench) and `[DONE]`. */
export const extraEvents = 4;

const made = new Map<string, StreamParts>();

/** A stream of so many content events of some 230 bytes each. The buffers are shared: never change them. */
export function streamParts(tokens: number, withUsage: boolean): StreamParts {
  const key = `${tokens} ${withUsage}`;
  let parts = made.get(key);
  if (parts === undefined) {
    parts = makeStream(tokens, withUsage);
    made.set(key, parts);
  }
  return parts;
}

function makeStream(tokens: number, withUsage: boolean): StreamParts {
  const content = Array.from({ length: tokens }, (_, index) => frame(event({ content: tokenText(index) }, null)));
  const usage = { prompt_tokens: 84, completion_tokens: tokens, total_tokens: 84 + tokens };
  const ending = [
    frame(event({}, "stop")),
    ...(withUsage ? [frame(JSON.stringify({ ...chunkHead, choices: [], usage }))] : []),
    frame("[DONE]"),
    Buffer.from("0\r\n\r\n"),
  ];
  return { role: frame(event({ role: "assistant", content: "" }, null)), content, ending: Buffer.concat(ending) };
}

const chunkHead = {
  id: "chatcmpl-0123456789abcdef01234567",
  object: "chat.completion.chunk",
  created: 1_763_000_000,
  model: "bench-small",
};

function event(delta: Record<string, string>, finishReason: "stop" | null): string {
  return JSON.stringify({
    ...chunkHead,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason, token_ids: null }],
  });
}

function frame(data: string): Buffer {
  const bytes = `data: ${data}\n\n`;
  return Buffer.from(`${Buffer.byteLength(bytes).toString(16)}\r\n${bytes}\r\n`);
}
