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
import { hashText, randomLower } from "../random.ts";
import { extraLines, httpDate, jsonReply, openAiUsage, statusLine } from "../wire-text.ts";

const VERSION = "0.33.0";
const GIN_JSON = "application/json; charset=utf-8";
const KEEP_ALIVE_MS = 300_000;

/** Go's JSON: `<`, `>`, `&` and the two line separators leave as escapes. */
function goEscape(value: string): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Errors of the handlers end in a line feed, those of the middleware before them have another content type. */
function fail(status: number, message: string, type: string): Reply {
  return { status, body: `${errorBody(message, type)}\n` };
}
function refused(status: number, message: string): Reply {
  return { status, body: errorBody(message, "invalid_request_error"), contentType: GIN_JSON };
}
const errorBody = (message: string, type: string): string =>
  `{"error":{"message":${goEscape(message)},"type":"${type}","param":null,"code":null}}`;

function head(head: ResponseHead): string {
  let text = statusLine(head.status) + extraLines(head);
  if (head.contentType) text += `Content-Type: ${head.contentType}\r\n`;
  text += `Date: ${httpDate()}\r\n`;
  text += head.length === undefined ? "Transfer-Encoding: chunked\r\n" : `Content-Length: ${head.length}\r\n`;
  if (head.close) text += "Connection: close\r\n";
  return `${text}\r\n`;
}

const withTag = (name: string): string => (name.includes(":") ? name : `${name}:latest`);

function refuse(_state: EngineState, request: InferenceRequest): Reply | undefined {
  const { messages } = request.body;
  if (request.endpoint !== "chat") return undefined;
  if (messages !== undefined && messages !== null && !Array.isArray(messages)) {
    const type = typeof messages === "object" ? "object" : typeof messages;
    const text = `json: cannot unmarshal ${type} into Go struct field ChatCompletionRequest.messages of type []openai.Message`;
    return refused(400, text);
  }
  if (!Array.isArray(messages) || messages.length === 0) return refused(400, "[] is too short - 'messages'");
  return undefined;
}

function callJson(call: ToolCall, index: number): string {
  return `{"id":"${call.id}","index":${index},"type":"function","function":{"name":${goEscape(call.name)},"arguments":${goEscape(call.arguments)}}}`;
}

function chat(turn: Turn): string {
  const choice = turn.choices[0] as Choice;
  const reasoning = choice.reasoning === "" ? "" : `,"reasoning":${goEscape(choice.reasoning)}`;
  const calls = choice.calls.length === 0 ? "" : `,"tool_calls":[${choice.calls.map(callJson).join(",")}]`;
  return `{"id":"chatcmpl-${turn.number}","object":"chat.completion","created":${turn.created},"model":${goEscape(turn.model)},"system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":${goEscape(choice.text)}${reasoning}${calls}},"finish_reason":"${choice.finish}"}],"usage":${openAiUsage(turn)}}\n`;
}

function chatStream(turn: Turn): StreamWire {
  const start = `{"id":"chatcmpl-${turn.number}","object":"chat.completion.chunk","created":${turn.created},"model":${goEscape(turn.model)},"system_fingerprint":"fp_ollama","choices":[`;
  const delta = `${start}{"index":0,"delta":{`;
  const role = (first: boolean): string => (first ? `"role":"assistant",` : "");
  return {
    open: () => [],
    text: (_choice, first) => [`${delta}${role(first)}"content":`, `},"finish_reason":null}]}`],
    reasoning: (_choice, first) => [`${delta}${role(first)}"content":"","reasoning":`, `},"finish_reason":null}]}`],
    call: (_choice, call, index, first) => [
      `${delta}${role(first)}"content":"","tool_calls":[${callJson(call, index)}]},"finish_reason":null}]}`,
    ],
    finish: (choice) => [`${delta}},"finish_reason":"${choice.finish}"}]}`],
    close: () => (turn.includeUsage ? [`${start}],"usage":${openAiUsage(turn)}}`] : []),
  };
}

function completion(turn: Turn): string {
  const choice = turn.choices[0] as Choice;
  return `{"id":"cmpl-${turn.number}","object":"text_completion","created":${turn.created},"model":${goEscape(turn.model)},"system_fingerprint":"fp_ollama","choices":[{"text":${goEscape(choice.text)},"index":0,"finish_reason":"${choice.finish}"}],"usage":${openAiUsage(turn)}}\n`;
}

function completionStream(turn: Turn): StreamWire {
  const start = `{"id":"cmpl-${turn.number}","object":"text_completion","created":${turn.created},"choices":[`;
  const end = `],"model":${goEscape(turn.model)},"system_fingerprint":"fp_ollama"`;
  return {
    open: () => [],
    text: () => [`${start}{"text":`, `,"index":0,"finish_reason":null}${end}}`],
    reasoning: () => undefined,
    call: () => [],
    finish: (choice) => [`${start}{"text":"","index":0,"finish_reason":"${choice.finish}"}${end}}`],
    close: () => (turn.includeUsage ? [`${start}${end},"usage":${openAiUsage(turn)}}`] : []),
  };
}

const digest = (name: string): string =>
  Array.from({ length: 8 }, (_, index) => hashText(name, index).toString(16).padStart(8, "0")).join("");

const size = (name: string): number => 200_000_000 + (hashText(name) % 4_000_000_000);

function details(name: string): Record<string, unknown> {
  const family = (/^[a-z]+/i.exec(name)?.[0] ?? "llama").toLowerCase();
  const parameters = /(\d+(?:\.\d+)?)b/i.exec(name)?.[1] ?? "1.5";
  const size = `${parameters}B`;
  return {
    parent_model: "",
    format: "gguf",
    family,
    families: [family],
    parameter_size: size,
    quantization_level: "Q4_K_M",
  };
}

function tags(state: EngineState): Reply {
  const models = state.models.names.map((given) => {
    const name = withTag(given);
    return {
      name,
      model: name,
      modified_at: new Date(state.startedAt * 1000).toISOString(),
      size: size(name),
      digest: digest(name),
      details: { ...details(name), context_length: 32_768, embedding_length: 896 },
      capabilities: ["completion", "tools"],
    };
  });
  return { ...jsonReply(200, { models }), contentType: GIN_JSON };
}

function inMemory(state: EngineState): Reply {
  const models = state.models.loaded().map((given) => {
    const name = withTag(given);
    const expires_at = new Date(Date.now() + KEEP_ALIVE_MS).toISOString();
    return {
      name,
      model: name,
      size: size(name),
      digest: digest(name),
      details: details(name),
      expires_at,
      size_vram: 0,
      context_length: state.context,
    };
  });
  return { ...jsonReply(200, { models }), contentType: GIN_JSON };
}

const find = (state: EngineState, asked: string): string | undefined =>
  state.models.names.find((name) => withTag(name) === withTag(asked));

function show(state: EngineState, body: Buffer): Reply {
  let asked = "";
  try {
    const json = JSON.parse(body.toString()) as { model?: unknown; name?: unknown };
    asked = String(json.model ?? json.name ?? "");
  } catch {
    return { ...jsonReply(400, { error: "unexpected EOF" }), contentType: GIN_JSON };
  }
  const name = find(state, asked);
  if (name === undefined) return { ...jsonReply(404, { error: `model '${asked}' not found` }), contentType: GIN_JSON };
  const family = String(details(name).family);
  return {
    ...jsonReply(200, {
      modelfile: `FROM ${name}`,
      parameters: "",
      template: "{{ .Prompt }}",
      details: details(name),
      model_info: { "general.architecture": family, [`${family}.context_length`]: 32_768 },
      capabilities: ["completion", "tools"],
      modified_at: new Date(state.startedAt * 1000).toISOString(),
    }),
    contentType: GIN_JSON,
  };
}

const listed = (id: string, state: EngineState): Record<string, unknown> => ({
  id,
  object: "model",
  created: state.startedAt,
  owned_by: "library",
});

/** Ollama 0.33 with its OpenAI endpoints and its own listing. */
export const ollama: SimulatedKind = {
  title: "Ollama",
  defaultModels: ["qwen2.5:0.5b"],
  defaultContext: 4096,
  defaultSlots: 4,
  defaultQueue: 512,
  habits: {
    queuedHeaders: "at_slot",
    loading: "on_first_request",
    queueBoundWhileLoading: true,
    closesOnError: false,
    idleMs: 0,
    maxRequests: 0,
    stampsChunks: true,
    choices: false,
    zeroMaxTokens: "unlimited",
    enforcesToolChoice: false,
    continues: false,
  },
  paths: { chat: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  routes: {
    "GET /": () => ({ status: 200, body: "Ollama is running", contentType: "text/plain; charset=utf-8" }),
    "GET /api/version": () => ({ ...jsonReply(200, { version: VERSION }), contentType: GIN_JSON }),
    "GET /api/tags": tags,
    "GET /api/ps": inMemory,
    "POST /api/show": (state, request) => show(state, request.body),
    "GET /v1/models": (state) => {
      const data = state.models.names.map((name) => listed(withTag(name), state));
      return { status: 200, body: `${JSON.stringify({ object: "list", data })}\n` };
    },
    "GET /v1/models/{name}": (state, request) => {
      const asked = decodeURIComponent(request.path.slice("/v1/models/".length));
      if (find(state, asked) === undefined) return fail(404, `model '${withTag(asked)}' not found`, "not_found_error");
      return { status: 200, body: `${JSON.stringify(listed(asked, state))}\n` };
    },
  },
  head,
  streamType: "text/event-stream",
  escape: goEscape,
  callId: (random) => `call_${randomLower(random, 8)}`,
  resolveModel: find,
  answerName: (_model, asked) => asked,
  refuse,
  tooLong: () => undefined,
  errors: {
    malformedJson: (body) => refused(400, body.trim() === "" ? "EOF" : jsonProblem(body)),
    unknownModel: (_state, asked) => fail(404, `model '${asked}' not found`, "not_found_error"),
    loading: (model) => fail(503, `model '${model}' is loading`, "api_error"),
    overloaded: () => fail(503, "server busy, please try again.  maximum pending requests exceeded", "api_error"),
    unauthorized: () => fail(401, "unauthorized", "authentication_error"),
    unknownRoute: () => ({ status: 404, body: "404 page not found", contentType: "text/plain" }),
    wrongMethod: (allow) => ({
      status: 405,
      body: "405 method not allowed",
      contentType: "text/plain",
      headers: [["Allow", allow]],
    }),
    shape: (status, message) => errorBody(message, status < 500 ? "invalid_request_error" : "api_error"),
  },
  chat,
  chatStream,
  completion,
  completionStream,
  embeddings: (model, vectors, promptTokens) => {
    const data = vectors.map((embedding, index) => ({ object: "embedding", embedding, index }));
    const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
    return `${JSON.stringify({ object: "list", data, model, usage })}\n`;
  },
};

function jsonProblem(body: string): string {
  try {
    JSON.parse(body);
  } catch (error) {
    const bad = /Unexpected token '?(.)'?/.exec(error instanceof Error ? error.message : "")?.[1];
    if (bad !== undefined) return `invalid character '${bad}' looking for beginning of value`;
  }
  return "unexpected EOF";
}
