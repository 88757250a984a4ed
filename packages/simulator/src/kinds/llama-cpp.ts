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
import { argumentParts, extraLines, joinChoices, jsonReply, metric, statusLine } from "../wire-text.ts";

const BUILD = "b0-vendored";
const JSON_TYPE = "application/json; charset=utf-8";

const text = (value: string): string => JSON.stringify(value);

function fail(code: number, message: string, type: string): Reply {
  return { ...jsonReply(code, { error: { code, message, type } }), contentType: JSON_TYPE };
}
const ok = (value: unknown): Reply => ({ ...jsonReply(200, value), contentType: JSON_TYPE });

function head(head: ResponseHead): string {
  let lines = `${statusLine(head.status)}Server: llama.cpp\r\nAccess-Control-Allow-Origin: \r\n`;
  if (head.length === undefined) lines += "X-Accel-Buffering: no\r\n";
  lines += extraLines(head);
  const type = head.contentType === "application/json" ? JSON_TYPE : head.contentType;
  if (type) lines += `Content-Type: ${type}\r\n`;
  lines += head.length === undefined ? "Transfer-Encoding: chunked\r\n" : `Content-Length: ${head.length}\r\n`;
  return `${lines}${head.close ? "Connection: close" : "Keep-Alive: timeout=5, max=100"}\r\n\r\n`;
}

const served = (state: EngineState): string => state.models.names[0] ?? "model";

function refuse(_state: EngineState, request: InferenceRequest): Reply | undefined {
  const { messages, prompt } = request.body;
  if (request.endpoint === "chat") {
    if (messages === undefined) return fail(400, "'messages' is required", "invalid_request_error");
    if (!Array.isArray(messages)) return fail(400, "Expected 'messages' to be an array", "invalid_request_error");
  }
  if (request.endpoint === "completions" && prompt === undefined) {
    return fail(400, '"prompt" is missing', "invalid_request_error");
  }
  return undefined;
}

function tooLong(state: EngineState, request: InferenceRequest): Reply | undefined {
  const slotContext = state.context;
  if (request.promptTokens < slotContext) return undefined;
  const message = `request (${request.promptTokens} tokens) exceeds the available context size (${slotContext} tokens), try increasing it`;
  const error = {
    code: 400,
    message,
    type: "exceed_context_size_error",
    n_prompt_tokens: request.promptTokens,
    n_ctx: slotContext,
  };
  return { ...jsonReply(400, { error }), contentType: JSON_TYPE };
}

const id = (turn: Turn): string => `"id":"chatcmpl-${turn.alnum}"`;

function timings(turn: Turn): string {
  const promptMs = Math.max(0.001, turn.firstTokenMs);
  const predicted = turn.completionTokens;
  const predictedMs = Math.max(0.001, turn.msPerToken * predicted);
  return `"timings":${JSON.stringify({
    cache_n: 0,
    prompt_n: turn.promptTokens,
    prompt_ms: promptMs,
    prompt_per_token_ms: promptMs / turn.promptTokens,
    prompt_per_second: (turn.promptTokens * 1000) / promptMs,
    predicted_n: predicted,
    predicted_ms: predictedMs,
    predicted_per_token_ms: predictedMs / Math.max(1, predicted),
    predicted_per_second: (predicted * 1000) / predictedMs,
  })}`;
}

function usage(turn: Turn): string {
  const total = turn.promptTokens + turn.completionTokens;
  return `"usage":{"completion_tokens":${turn.completionTokens},"prompt_tokens":${turn.promptTokens},"total_tokens":${total},"prompt_tokens_details":{"cached_tokens":0}}`;
}

function callJson(call: ToolCall): string {
  return `{"type":"function","function":{"name":${text(call.name)},"arguments":${text(call.arguments)}},"id":"${call.id}"}`;
}

function message(choice: Choice): string {
  const reasoning = choice.reasoning === "" ? "" : `,"reasoning_content":${text(choice.reasoning)}`;
  const calls = choice.calls.length === 0 ? "" : `,"tool_calls":[${choice.calls.map(callJson).join(",")}]`;
  return `{"role":"assistant","content":${text(choice.text)}${reasoning}${calls}}`;
}

function chat(turn: Turn): string {
  const choices = joinChoices(
    turn,
    (choice) => `{"finish_reason":"${choice.finish}","index":${choice.index},"message":${message(choice)}}`,
  );
  return `{"choices":[${choices}],"created":${turn.created},"model":${text(turn.model)},"system_fingerprint":"${BUILD}","object":"chat.completion",${usage(turn)},${id(turn)},${timings(turn)}}`;
}

function chatStream(turn: Turn): StreamWire {
  const end = `],"created":${turn.created},${id(turn)},"model":${text(turn.model)},"system_fingerprint":"${BUILD}","object":"chat.completion.chunk"`;
  const start = (choice: Choice): string => `{"choices":[{"finish_reason":null,"index":${choice.index},"delta":`;
  const event = (choice: Choice, delta: string): string => `${start(choice)}${delta}}${end}}`;
  const last = turn.choices.length - 1;
  return {
    open: (choice) => [event(choice, `{"role":"assistant","content":null}`)],
    text: (choice) => [`${start(choice)}{"content":`, `}}${end}}`],
    reasoning: (choice) => [`${start(choice)}{"reasoning_content":`, `}}${end}}`],
    call: (choice, call, index) =>
      argumentParts(call).map((part, at) => {
        const body =
          at === 0
            ? `"id":"${call.id}","type":"function","function":{"name":${text(call.name)},"arguments":${text(part)}}`
            : `"function":{"arguments":${text(part)}}`;
        return event(choice, `{"tool_calls":[{"index":${index},${body}}]}`);
      }),
    finish: (choice) => {
      const tail = choice.index === last && !turn.includeUsage ? `,${timings(turn)}` : "";
      return [`{"choices":[{"finish_reason":"${choice.finish}","index":${choice.index},"delta":{}}${end}${tail}}`];
    },
    close: () => (turn.includeUsage ? [`{"choices":[${end},${usage(turn)},${timings(turn)}}`] : []),
  };
}

function completion(turn: Turn): string {
  const choices = joinChoices(
    turn,
    (choice) =>
      `{"text":${text(choice.text)},"index":${choice.index},"logprobs":null,"finish_reason":"${choice.finish}"}`,
  );
  return `{"choices":[${choices}],"created":${turn.created},"model":${text(turn.model)},"system_fingerprint":"${BUILD}","object":"text_completion",${usage(turn)},${id(turn)},${timings(turn)}}`;
}

function completionStream(turn: Turn): StreamWire {
  const end = `],"created":${turn.created},"model":${text(turn.model)},"system_fingerprint":"${BUILD}","object":"text_completion"`;
  const rest = (choice: Choice, finish: string): string =>
    `,"index":${choice.index},"logprobs":null,"finish_reason":${finish}}`;
  return {
    open: () => [],
    text: (choice) => [`{"choices":[{"text":`, `${rest(choice, "null")}${end},${id(turn)}}`],
    reasoning: () => undefined,
    call: () => [],
    finish: (choice) => [
      `{"choices":[{"text":""${rest(choice, `"${choice.finish}"`)}${end},${usage(turn)},${id(turn)},${timings(turn)}}`,
    ],
    close: () => [],
  };
}

function models(state: EngineState): Reply {
  const name = served(state);
  const details = {
    parent_model: "",
    format: "gguf",
    family: "",
    families: [""],
    parameter_size: "",
    quantization_level: "",
  };
  const model = {
    name,
    model: name,
    modified_at: "",
    size: "",
    digest: "",
    type: "model",
    description: "",
    tags: [""],
    capabilities: ["completion"],
    parameters: "",
    details,
  };
  const meta = {
    vocab_type: 1,
    n_vocab: 262_144,
    n_ctx: state.context,
    n_ctx_train: Math.max(32_768, state.context),
    n_embd: 640,
    n_params: 268_098_176,
    size: 246_587_904,
    ftype: "Q4_K - Medium",
  };
  const created = Math.floor(Date.now() / 1000);
  const entry = { id: name, aliases: [name], tags: [], object: "model", created, owned_by: "llamacpp", meta };
  return ok({ models: [model], object: "list", data: [entry] });
}

function slots(state: EngineState, query: string): Reply {
  const busy = state.running();
  if (busy >= state.slots && /(^|&)fail_on_no_slot=/.test(query))
    return fail(503, "no slot available", "unavailable_error");
  return ok(
    Array.from({ length: state.slots }, (_, slot) => ({
      id: slot,
      n_ctx: state.context,
      speculative: false,
      is_processing: slot < busy,
    })),
  );
}

function props(state: EngineState): Reply {
  return ok({
    default_generation_settings: {
      params: { temperature: 0.8, top_k: 40, top_p: 0.95, max_tokens: -1 },
      n_ctx: state.context,
    },
    total_slots: state.slots,
    model_alias: served(state),
    model_ftype: "Q4_K - Medium",
    model_path: `models/${served(state)}.gguf`,
    modalities: { vision: false, video: false, audio: false },
    endpoint_slots: true,
    endpoint_props: false,
    endpoint_metrics: true,
    chat_template: "{%- for message in messages -%}{{ message.content }}{%- endfor -%}",
    chat_template_caps: {
      supports_object_arguments: false,
      supports_parallel_tool_calls: true,
      supports_preserve_reasoning: false,
      supports_reasoning_effort: false,
      supports_string_content: true,
      supports_system_role: true,
      supports_tool_calls: true,
      supports_tools: true,
      supports_typed_content: false,
    },
    bos_token: "<bos>",
    eos_token: "<eos>",
    build_info: BUILD,
    is_sleeping: false,
    cors_proxy_enabled: false,
  });
}

function metrics(state: EngineState): Reply {
  const body = [
    metric("llamacpp:prompt_tokens_total", "counter", "Number of prompt tokens processed.", state.totals.promptTokens),
    metric("llamacpp:tokens_predicted_total", "counter", "Number of generated tokens.", state.totals.generatedTokens),
    metric("llamacpp:requests_processing", "gauge", "Number of requests processing", state.running()),
    metric("llamacpp:requests_deferred", "gauge", "Number of requests deferred", state.waiting()),
  ].join("");
  return { status: 200, body: `${body}\n`, contentType: "text/plain; version=0.0.4" };
}

const notFound = (): Reply => ({
  ...jsonReply(404, { error: { message: "File Not Found", type: "not_found_error", code: 404 } }),
  contentType: JSON_TYPE,
});
const loading = (): Reply => ({
  ...jsonReply(503, { error: { message: "Loading model", type: "unavailable_error", code: 503 } }),
  contentType: JSON_TYPE,
});

/** llama.cpp's own server, `--jinja --metrics --slots`, with a template that knows tools. */
export const llamaCpp: SimulatedKind = {
  title: "llama.cpp",
  defaultModels: ["gemma-3-270m"],
  defaultContext: 4096,
  defaultSlots: 2,
  defaultQueue: 100_000,
  habits: {
    queuedHeaders: "at_slot",
    loading: "unavailable",
    closesOnError: true,
    idleMs: 5000,
    maxRequests: 100,
    stampsChunks: true,
    choices: true,
    zeroMaxTokens: "one",
    enforcesToolChoice: false,
    callsUnderNone: true,
    continues: false,
  },
  paths: { chat: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  routes: {
    "GET /health": () => ok({ status: "ok" }),
    "GET /v1/models": models,
    "GET /models": models,
    "GET /props": props,
    "GET /slots": (state, request) => slots(state, request.query),
    "GET /metrics": metrics,
  },
  head,
  streamType: "text/event-stream",
  escape: JSON.stringify,
  callId: (random) => randomAlnum(random, 32),
  resolveModel: (state) => served(state),
  refuse,
  tooLong,
  errors: {
    malformedJson: (body) =>
      fail(
        500,
        `[json.exception.parse_error.101] parse error at line 1, column ${body.length + 1}: syntax error while parsing value - unexpected end of input; expected '[', '{', or a literal`,
        "server_error",
      ),
    unknownModel: notFound,
    loading,
    overloaded: () => fail(503, "no slot available", "unavailable_error"),
    unauthorized: () => fail(401, "Invalid API Key", "authentication_error"),
    unknownRoute: notFound,
    shape: (status, message) => fail(status, message, status < 500 ? "invalid_request_error" : "server_error").body,
  },
  chat,
  chatStream,
  completion,
  completionStream,
  embeddings: (model, vectors, promptTokens) => {
    const data = vectors.map((embedding, index) => ({ embedding, index, object: "embedding" }));
    const counts = { prompt_tokens: promptTokens, total_tokens: promptTokens };
    return JSON.stringify({ model, object: "list", usage: counts, data });
  },
};
