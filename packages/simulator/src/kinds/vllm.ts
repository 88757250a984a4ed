import { type EngineState, kvUse } from "../engine-state.ts";
import type { Choice, InferenceRequest, Reply, SimulatedKind, StreamWire, Turn } from "../kind.ts";
import { randomHex } from "../random.ts";
import { argumentParts, joinChoices, jsonReply, metric, pythonFloat } from "../wire-text.ts";
import { uvicornHead } from "./uvicorn.ts";

const VERSION = "0.32.0";
const FINGERPRINT = `vllm-${VERSION}-d0e45e52`;
const BUSY =
  "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.";

function fail(status: number, message: string, type: string, param: string | null = null): Reply {
  return jsonReply(status, { error: { message, type, param, code: status } });
}
const badRequest = (message: string, param: string | null = null): Reply =>
  fail(400, message, "BadRequestError", param);

function invalid(type: string, place: string, text: string, input: string): Reply {
  const message = `1 validation error:\n  {'type': '${type}', 'loc': '${place}', 'msg': '${text}', 'input': ${input}}`;
  return fail(400, message, "Bad Request", place);
}

const unsupportedMedia = (): Reply =>
  fail(400, "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed", "Bad Request");

function toolChoiceRefusal(body: InferenceRequest["body"]): Reply | undefined {
  const choice = body.tool_choice;
  if (!Array.isArray(body.tools) || choice === "none") return undefined;
  if (choice === "required") return badRequest('tool_choice="required" requires --tool-call-parser to be set');
  const name = (choice as { function?: { name?: unknown } } | null | undefined)?.function?.name;
  if (typeof name === "string") {
    return badRequest(`tool_choice=function "${name}" requires --tool-call-parser to be set`);
  }
  return badRequest('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set');
}

function refuse(state: EngineState, request: InferenceRequest): Reply | undefined {
  const { body, http } = request;
  const type = http.headers["content-type"] ?? "";
  if (!/json/i.test(type)) return unsupportedMedia();
  if (request.endpoint === "chat") {
    const members = Object.keys(body).length;
    if (body.messages === undefined) {
      return invalid("missing", "body.messages", "Field required", `'<dict of ${members} items>'`);
    }
    if (!Array.isArray(body.messages)) {
      return invalid("list_type", "body.messages", "Input should be a valid list", `'${String(body.messages)}'`);
    }
    if (body.messages.length === 0) {
      return badRequest("Cannot apply chat template to an empty conversation. Provide at least one message.");
    }
  }
  const continuing = request.endpoint === "chat" && body.continue_final_message === true;
  if (continuing && body.add_generation_prompt === true) {
    const text = "Cannot set both `continue_final_message` and `add_generation_prompt` to True.";
    return invalid("value_error", "body", `Value error, ${text}`, `'<dict of ${Object.keys(body).length} items>'`);
  }
  if (continuing && body.add_generation_prompt !== false) {
    return badRequest(
      "continue_final_message and add_generation_prompt are not compatible. Use continue_final_message when you want the model to continue the final message, and add_generation_prompt when you want to add a header that will prompt it to start a new assistant message instead.",
    );
  }
  const temperature = body.temperature;
  if (typeof temperature === "number" && temperature < 0) {
    const value = pythonFloat(temperature);
    return badRequest(
      `temperature must be non-negative, got ${value}. (parameter=temperature, value=${value})`,
      "temperature",
    );
  }
  const max = request.maxTokens;
  if (max !== undefined && max < 1) {
    return badRequest(`max_tokens must be at least 1, got ${max}. (parameter=max_tokens, value=${max})`, "max_tokens");
  }
  if (max !== undefined && max > state.context) {
    const text = `max_tokens=${max} cannot be greater than max_model_len=${state.context}. Please request fewer output tokens.`;
    return badRequest(`${text} (parameter=max_tokens, value=${max})`, "max_tokens");
  }
  return state.options.toolParser ? undefined : toolChoiceRefusal(body);
}

function tooLong(state: EngineState, request: InferenceRequest): Reply | undefined {
  const limit = `This model's maximum context length is ${state.context} tokens. However, `;
  const characters = request.prompt.length;
  const bound = state.context * 13;
  if (characters > bound) {
    const text = `your prompt contains ${characters} characters (more than ${bound} characters, which is the upper bound for ${state.context} input tokens). Please reduce the length of the input prompt.`;
    return badRequest(`${limit}${text} (parameter=input_text, value=${characters})`, "input_text");
  }
  const wanted = request.maxTokens ?? 0;
  if (request.promptTokens + Math.max(1, wanted) <= state.context) return undefined;
  const text = `you requested ${wanted} output tokens and your prompt contains at least ${request.promptTokens} input tokens, for a total of at least ${request.promptTokens + wanted} tokens. Please reduce the length of the input prompt or the number of requested output tokens.`;
  return badRequest(`${limit}${text} (parameter=input_tokens, value=${request.promptTokens})`, "input_tokens");
}

const chatId = (turn: Turn): string => `chatcmpl-${turn.requestId ?? turn.hex.slice(0, 16)}`;
const completionId = (turn: Turn): string => `cmpl-${turn.requestId ?? turn.hex.slice(0, 16)}`;
const text = (value: string): string => JSON.stringify(value);
const stopReason = (choice: Choice): string => (choice.stop === undefined ? "null" : text(choice.stop));

function usage({ promptTokens, completionTokens }: Turn, details: string): string {
  return usageOf(promptTokens, completionTokens, details);
}
function usageOf(prompt: number, completion: number, details = ""): string {
  return `{"prompt_tokens":${prompt},"total_tokens":${prompt + completion},"completion_tokens":${completion}${details}}`;
}
const NULL_DETAILS = `,"prompt_tokens_details":null,"completion_tokens_details":null`;

function chatChoice(choice: Choice): string {
  const calls = choice.calls.map(
    (call) =>
      `{"id":${text(call.id)},"type":"function","function":{"name":${text(call.name)},"arguments":${text(call.arguments)}}}`,
  );
  const content = calls.length > 0 && choice.text === "" ? "null" : text(choice.text);
  const toolCalls = calls.length > 0 ? `"tool_calls":[${calls.join(",")}],` : "";
  const reasoning = choice.reasoning === "" ? "null" : text(choice.reasoning);
  return `{"index":${choice.index},"message":{"role":"assistant","content":${content},"refusal":null,"annotations":null,"audio":null,"function_call":null,${toolCalls}"reasoning":${reasoning}},"logprobs":null,"finish_reason":"${choice.finish}","stop_reason":${stopReason(choice)},"token_ids":null,"routed_experts":null}`;
}

function chat(turn: Turn): string {
  return `{"id":${text(chatId(turn))},"object":"chat.completion","created":${turn.created},"model":${text(turn.model)},"choices":[${joinChoices(turn, chatChoice)}],"service_tier":null,"system_fingerprint":"${FINGERPRINT}","usage":${usage(turn, NULL_DETAILS)},"prompt_logprobs":null,"prompt_token_ids":null,"prompt_text":null,"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}`;
}

function chatStream(turn: Turn): StreamWire {
  const start = `{"id":${text(chatId(turn))},"object":"chat.completion.chunk","created":${turn.created},"model":${text(turn.model)},"choices":[`;
  const last = turn.choices.length - 1;
  const delta = (choice: Choice, body: string): string =>
    `${start}{"index":${choice.index},"delta":{${body}},"logprobs":null,"finish_reason":null,"token_ids":null}]}`;
  const finishTail = (choice: Choice): string => {
    const tail = choice.index === last && !turn.includeUsage ? `,"system_fingerprint":"${FINGERPRINT}"` : "";
    return `,"logprobs":null,"finish_reason":"${choice.finish}","stop_reason":${stopReason(choice)},"token_ids":null}]${tail}}`;
  };
  return {
    open: (choice) => [
      `${start}{"index":${choice.index},"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null}`,
    ],
    text: (choice) => [
      `${start}{"index":${choice.index},"delta":{"content":`,
      `},"logprobs":null,"finish_reason":null,"token_ids":null}]}`,
    ],
    reasoning: (choice) => [
      `${start}{"index":${choice.index},"delta":{"reasoning":`,
      `},"logprobs":null,"finish_reason":null,"token_ids":null}]}`,
    ],
    call: (choice, call, index) => [
      delta(
        choice,
        `"content":null,"tool_calls":[{"id":${text(call.id)},"type":"function","index":${index},"function":{"name":${text(call.name)}}}]`,
      ),
      ...argumentParts(call).map((part) =>
        delta(choice, `"content":null,"tool_calls":[{"index":${index},"function":{"arguments":${text(part)}}}]`),
      ),
    ],
    // The engine's batches decide whether the last text and the finish_reason share a chunk; here usage decides.
    finishWithText: (choice) =>
      turn.includeUsage
        ? undefined
        : [`${start}{"index":${choice.index},"delta":{"content":`, `}${finishTail(choice)}`],
    finish: (choice) => [`${start}{"index":${choice.index},"delta":{}${finishTail(choice)}`],
    close: () =>
      turn.includeUsage ? [`${start}],"usage":${usage(turn, "")},"system_fingerprint":"${FINGERPRINT}"}`] : [],
  };
}

function completion(turn: Turn): string {
  const choices = joinChoices(
    turn,
    (choice) =>
      `{"index":${choice.index},"text":${text(choice.text)},"logprobs":null,"finish_reason":"${choice.finish}","stop_reason":${stopReason(choice)},"token_ids":null,"prompt_logprobs":null,"prompt_token_ids":null,"routed_experts":null}`,
  );
  return `{"id":${text(completionId(turn))},"object":"text_completion","created":${turn.created},"model":${text(turn.model)},"choices":[${choices}],"service_tier":null,"system_fingerprint":"${FINGERPRINT}","usage":${usage(turn, NULL_DETAILS)},"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}`;
}

function completionStream(turn: Turn): StreamWire {
  const start = `{"id":${text(completionId(turn))},"object":"text_completion","created":${turn.created},"model":${text(turn.model)},"choices":[`;
  const after = `,"logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}`;
  const last = turn.choices.length - 1;
  return {
    open: () => [],
    text: (choice) => [`${start}{"index":${choice.index},"text":`, after],
    reasoning: () => undefined,
    call: () => [],
    finish: (choice) => {
      const tail = choice.index === last && !turn.includeUsage ? `,"system_fingerprint":"${FINGERPRINT}"` : "";
      return [
        `${start}{"index":${choice.index},"text":"","logprobs":null,"finish_reason":"${choice.finish}","stop_reason":${stopReason(choice)},"prompt_token_ids":null,"token_ids":null}]${tail}}`,
      ];
    },
    close: () =>
      turn.includeUsage ? [`${start}],"usage":${usage(turn, "")},"system_fingerprint":"${FINGERPRINT}"}`] : [],
  };
}

function models(state: EngineState): Reply {
  const data = state.models.names.map((id) => ({
    id,
    object: "model",
    created: state.startedAt,
    owned_by: "vllm",
    root: id,
    parent: null,
    max_model_len: state.context,
    permission: [
      {
        id: `modelperm-${id.length.toString(16).padStart(16, "a0ecf405fed96d97")}`,
        object: "model_permission",
        created: state.startedAt,
        allow_create_engine: false,
        allow_sampling: true,
        allow_logprobs: true,
        allow_search_indices: false,
        allow_view: true,
        allow_fine_tuning: false,
        organization: "*",
        group: null,
        is_blocking: false,
      },
    ],
  }));
  return jsonReply(200, { object: "list", data });
}

function metrics(state: EngineState): Reply {
  const name = JSON.stringify(state.models.names[0] ?? "");
  const labels = `{engine="0",model_name=${name}}`;
  const reason = (why: string): string => `{engine="0",model_name=${name},reason="${why}"}`;
  const gauge = (id: string, help: string, value: number): string =>
    `# HELP ${id} ${help}\n# TYPE ${id} gauge\n${id}${labels} ${pythonFloat(value)}\n`;
  const waiting = state.waiting();
  const body = [
    gauge("vllm:num_requests_running", "Number of requests in model execution batches.", state.running()),
    gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed.", waiting),
    "# HELP vllm:num_requests_waiting_by_reason Number of requests waiting, by reason.\n",
    "# TYPE vllm:num_requests_waiting_by_reason gauge\n",
    `vllm:num_requests_waiting_by_reason${reason("capacity")} ${pythonFloat(waiting)}\n`,
    `vllm:num_requests_waiting_by_reason${reason("deferred")} 0.0\n`,
    gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", kvUse(state)),
    metric("vllm:prompt_tokens_total", "counter", "Prefill tokens processed.", state.totals.promptTokens, labels),
    metric(
      "vllm:generation_tokens_total",
      "counter",
      "Generation tokens processed.",
      state.totals.generatedTokens,
      labels,
    ),
  ].join("");
  return { status: 200, body, contentType: "text/plain; version=1.0.0; charset=utf-8" };
}

function loadReport(state: EngineState, request: InferenceRequest): readonly (readonly [string, string])[] {
  const format = request.http.headers["endpoint-load-metrics-format"]?.toUpperCase();
  const waiting = pythonFloat(state.waiting());
  const use = pythonFloat(kvUse(state));
  if (format === "JSON") {
    const json = `{"named_metrics": {"num_requests_waiting": ${waiting}, "kv_cache_usage_perc": ${use}}}`;
    return [["endpoint-load-metrics", `JSON ${json}`]];
  }
  if (format !== "TEXT") return [];
  const list = `named_metrics.num_requests_waiting=${waiting}, named_metrics.kv_cache_usage_perc=${use}`;
  return [["endpoint-load-metrics", `TEXT ${list}`]];
}

const health = (state: EngineState): Reply => ({ status: state.stopping ? 503 : 200, body: "", contentType: "" });

/** vLLM 0.32's OpenAI server. */
export const vllm: SimulatedKind = {
  title: "vLLM",
  defaultModels: ["microsoft/Phi-3.5-mini-instruct"],
  defaultContext: 32_768,
  defaultSlots: 256,
  defaultQueue: 1024,
  habits: {
    queuedHeaders: "at_once",
    loading: "refuse_connections",
    closesOnError: false,
    idleMs: 5000,
    maxRequests: 0,
    stampsChunks: false,
    choices: true,
    zeroMaxTokens: "one",
    enforcesToolChoice: true,
    continues: "trimmed",
  },
  paths: { chat: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  routes: {
    "GET /health": health,
    "GET /ping": health,
    "GET /version": () => jsonReply(200, { version: VERSION }),
    "GET /load": (state) => jsonReply(200, { server_load: state.running() + state.waiting() }),
    "GET /metrics": metrics,
    "GET /v1/models": models,
  },
  head: (head) => uvicornHead(head, "vary: Origin\r\n"),
  streamType: "text/event-stream; charset=utf-8",
  escape: JSON.stringify,
  usageSoFar: (turn, completionTokens) => usageOf(turn.promptTokens, completionTokens),
  callId: (random) => `chatcmpl-tool-${randomHex(random, 16)}`,
  resolveModel: (state, asked) =>
    asked === "" ? state.models.names[0] : state.models.names.find((name) => name === asked),
  refuse,
  tooLong,
  errors: {
    malformedJson: (body) =>
      fail(
        400,
        `1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.${body.length}', 'msg': 'JSON decode error', 'input': '<dict of 0 items>', 'ctx': {'error': 'Expecting value'}}`,
        "Bad Request",
        `body.${body.length}`,
      ),
    unknownModel: (state, asked) =>
      fail(
        404,
        `The model \`${asked}\` does not exist. Valid aliases: ${state.models.names.join(", ")}.`,
        "NotFoundError",
        "model",
      ),
    loading: () => fail(503, "The model is still loading.", "Service Unavailable"),
    overloaded: (request) => {
      if (!request.stream) return fail(503, BUSY, "Service Unavailable");
      const event = `{"error": {"message": "${BUSY}", "type": "Service Unavailable", "param": null, "code": 503}}`;
      return { status: 200, body: `data: ${event}\n\ndata: [DONE]\n\n`, sse: true };
    },
    unauthorized: () => jsonReply(401, { error: "Unauthorized" }),
    unknownRoute: () => jsonReply(404, { detail: "Not Found" }),
    wrongMethod: (allow) => ({ ...jsonReply(405, { detail: "Method Not Allowed" }), headers: [["allow", allow]] }),
    shape: (status, message) => fail(status, message, status < 500 ? "BadRequestError" : "InternalServerError").body,
  },
  chat,
  chatStream,
  completion,
  completionStream,
  embeddings: (model, vectors, promptTokens) => {
    const data = vectors.map((embedding, index) => ({ index, object: "embedding", embedding }));
    const usageObject = {
      prompt_tokens: promptTokens,
      total_tokens: promptTokens,
      completion_tokens: 0,
      prompt_tokens_details: null,
    };
    const created = Math.floor(Date.now() / 1000);
    return JSON.stringify({
      id: `embd-${promptTokens.toString(16)}`,
      object: "list",
      created,
      model,
      data,
      usage: usageObject,
    });
  },
  answerHeaders: loadReport,
};
