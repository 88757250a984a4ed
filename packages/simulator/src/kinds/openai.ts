import type { EngineState } from "../engine-state.ts";
import type {
  Choice,
  InferenceRequest,
  Reply,
  ResponseHead,
  SimulatedKind,
  StreamWire,
  ToolCall,
  Turn,
} from "../kind.ts";
import { randomAlnum } from "../random.ts";
import { argumentParts, extraLines, httpDate, joinChoices, jsonReply, statusLine } from "../wire-text.ts";

const FINGERPRINT = "fp_51e1070cf2";
const text = (value: string): string => JSON.stringify(value);

function fail(status: number, message: string, type: string, param: string | null, code: string | null): Reply {
  return jsonReply(status, { error: { message, type, param, code } });
}
const invalid = (message: string, param: string | null = null, code: string | null = null): Reply =>
  fail(400, message, "invalid_request_error", param, code);

function head(head: ResponseHead): string {
  let lines = `${statusLine(head.status)}Date: ${httpDate()}\r\n`;
  if (head.contentType) lines += `Content-Type: ${head.contentType}\r\n`;
  lines += head.length === undefined ? "Transfer-Encoding: chunked\r\n" : `Content-Length: ${head.length}\r\n`;
  lines += `${head.close ? "Connection: close" : "Connection: keep-alive"}\r\nopenai-version: 2020-10-01\r\n`;
  return `${lines}${extraLines(head)}\r\n`;
}

function refuse(_state: EngineState, request: InferenceRequest): Reply | undefined {
  const { messages, temperature } = request.body;
  if (request.model === "") return invalid("you must provide a model parameter");
  if (request.endpoint === "chat") {
    if (messages === undefined)
      return invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter");
    if (!Array.isArray(messages)) {
      const type = typeof messages;
      return invalid(
        `Invalid type for 'messages': expected an array of objects, but got a ${type} instead.`,
        "messages",
        "invalid_type",
      );
    }
    if (messages.length === 0) {
      return invalid(
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        "messages",
        "empty_array",
      );
    }
  }
  if (typeof temperature === "number" && (temperature < 0 || temperature > 2)) {
    const side =
      temperature < 0 ? "below minimum value. Expected a value >= 0" : "above maximum value. Expected a value <= 2";
    return invalid(
      `Invalid 'temperature': decimal ${side}, but got ${temperature} instead.`,
      "temperature",
      "decimal_out_of_range",
    );
  }
  return undefined;
}

function tooLong(state: EngineState, request: InferenceRequest): Reply | undefined {
  if (request.promptTokens <= state.context) return undefined;
  const message = `This model's maximum context length is ${state.context} tokens. However, your messages resulted in ${request.promptTokens} tokens. Please reduce the length of the messages.`;
  return invalid(message, "messages", "context_length_exceeded");
}

function usage(turn: Turn): string {
  const total = turn.promptTokens + turn.completionTokens;
  return `{"prompt_tokens":${turn.promptTokens},"completion_tokens":${turn.completionTokens},"total_tokens":${total},"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`;
}

const chatId = (turn: Turn): string => `chatcmpl-${turn.alnum.slice(0, 29)}`;
const callJson = (call: ToolCall): string =>
  `{"id":"${call.id}","type":"function","function":{"name":${text(call.name)},"arguments":${text(call.arguments)}}}`;

function chat(turn: Turn): string {
  const choices = joinChoices(turn, (choice) => {
    const calls = choice.calls.length === 0 ? "" : `,"tool_calls":[${choice.calls.map(callJson).join(",")}]`;
    const content = calls !== "" && choice.text === "" ? "null" : text(choice.text);
    return `{"index":${choice.index},"message":{"role":"assistant","content":${content}${calls},"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"${choice.finish}"}`;
  });
  return `{"id":"${chatId(turn)}","object":"chat.completion","created":${turn.created},"model":${text(turn.model)},"choices":[${choices}],"usage":${usage(turn)},"service_tier":"default","system_fingerprint":"${FINGERPRINT}"}`;
}

function chatStream(turn: Turn): StreamWire {
  const start = `{"id":"${chatId(turn)}","object":"chat.completion.chunk","created":${turn.created},"model":${text(turn.model)},"service_tier":"default","system_fingerprint":"${FINGERPRINT}","choices":[`;
  const tail = turn.includeUsage ? `],"usage":null}` : "]}";
  const event = (choice: Choice, delta: string, finish = "null"): string =>
    `${start}{"index":${choice.index},"delta":{${delta}},"logprobs":null,"finish_reason":${finish}}${tail}`;
  return {
    open: (choice) => [
      event(choice, `"role":"assistant","content":${choice.calls.length > 0 ? "null" : '""'},"refusal":null`),
    ],
    text: (choice) => [
      `${start}{"index":${choice.index},"delta":{"content":`,
      `},"logprobs":null,"finish_reason":null}${tail}`,
    ],
    reasoning: () => undefined,
    call: (choice, call, index) => [
      event(
        choice,
        `"tool_calls":[{"index":${index},"id":"${call.id}","type":"function","function":{"name":${text(call.name)},"arguments":""}}]`,
      ),
      ...argumentParts(call).map((part) =>
        event(choice, `"tool_calls":[{"index":${index},"function":{"arguments":${text(part)}}}]`),
      ),
    ],
    finish: (choice) => [event(choice, "", `"${choice.finish}"`)],
    close: () => (turn.includeUsage ? [`${start}],"usage":${usage(turn)}}`] : []),
  };
}

function completion(turn: Turn): string {
  const choices = joinChoices(
    turn,
    (choice) =>
      `{"text":${text(choice.text)},"index":${choice.index},"logprobs":null,"finish_reason":"${choice.finish}"}`,
  );
  return `{"id":"cmpl-${turn.alnum.slice(0, 29)}","object":"text_completion","created":${turn.created},"model":${text(turn.model)},"choices":[${choices}],"usage":${usage(turn)}}`;
}

function completionStream(turn: Turn): StreamWire {
  const start = `{"id":"cmpl-${turn.alnum.slice(0, 29)}","object":"text_completion","created":${turn.created},"choices":[`;
  const end = `],"model":${text(turn.model)}`;
  const tail = turn.includeUsage ? `${end},"usage":null}` : `${end}}`;
  return {
    open: () => [],
    text: (choice) => [`${start}{"text":`, `,"index":${choice.index},"logprobs":null,"finish_reason":null}${tail}`],
    reasoning: () => undefined,
    call: () => [],
    finish: (choice) => [
      `${start}{"text":"","index":${choice.index},"logprobs":null,"finish_reason":"${choice.finish}"}${tail}`,
    ],
    close: () => (turn.includeUsage ? [`${start}${end},"usage":${usage(turn)}}`] : []),
  };
}

const listed = (state: EngineState, id: string): Record<string, unknown> => ({
  id,
  object: "model",
  created: state.startedAt,
  owned_by: "system",
});

const unknownModel = (asked: string): Reply =>
  fail(
    404,
    `The model \`${asked}\` does not exist or you do not have access to it.`,
    "invalid_request_error",
    null,
    "model_not_found",
  );

/** An OpenAI-compatible service that keeps to the letter. */
export const openai: SimulatedKind = {
  title: "OpenAI",
  defaultModels: ["gpt-4o-mini"],
  defaultContext: 128_000,
  defaultSlots: 1024,
  defaultQueue: 0,
  habits: {
    queuedHeaders: "at_slot",
    loading: "never",
    closesOnError: false,
    idleMs: 60_000,
    maxRequests: 0,
    stampsChunks: false,
    choices: true,
    zeroMaxTokens: "one",
    enforcesToolChoice: true,
    continues: false,
  },
  paths: { chat: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  routes: {
    "GET /v1/models": (state) =>
      jsonReply(200, { object: "list", data: state.models.names.map((id) => listed(state, id)) }),
    "GET /v1/models/{name}": (state, request) => {
      const asked = decodeURIComponent(request.path.slice("/v1/models/".length));
      return state.models.names.includes(asked) ? jsonReply(200, listed(state, asked)) : unknownModel(asked);
    },
  },
  head,
  streamType: "text/event-stream; charset=utf-8",
  escape: JSON.stringify,
  callId: (random) => `call_${randomAlnum(random, 24)}`,
  resolveModel: (state, asked) => state.models.names.find((name) => name === asked),
  refuse,
  tooLong,
  errors: {
    malformedJson: () =>
      invalid(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly.)",
      ),
    unknownModel: (_state, asked) => unknownModel(asked),
    loading: () => fail(503, "The server is overloaded or not ready yet.", "server_error", null, null),
    overloaded: () => ({
      ...fail(429, "Rate limit reached for requests. Please try again in 1s.", "requests", null, "rate_limit_exceeded"),
      headers: [["retry-after", "1"]],
    }),
    unauthorized: () => fail(401, "Incorrect API key provided.", "invalid_request_error", null, "invalid_api_key"),
    unknownRoute: (method, path) => fail(404, `Invalid URL (${method} ${path})`, "invalid_request_error", null, null),
    wrongMethod: () => fail(405, "Method not allowed.", "invalid_request_error", null, "method_not_supported"),
    shape: (status, message) =>
      fail(status, message, status < 500 ? "invalid_request_error" : "server_error", null, null).body,
  },
  chat,
  chatStream,
  completion,
  completionStream,
  embeddings: (model, vectors, promptTokens) => {
    const data = vectors.map((embedding, index) => ({ object: "embedding", index, embedding }));
    return JSON.stringify({
      object: "list",
      data,
      model,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    });
  },
};
