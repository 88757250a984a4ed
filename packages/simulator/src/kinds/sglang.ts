import { type EngineState, kvUse } from "../engine-state.ts";
import type { Choice, InferenceRequest, Reply, SimulatedKind, StreamWire, Turn } from "../kind.ts";
import { randomHex } from "../random.ts";
import { argumentParts, joinChoices, jsonReply, metric } from "../wire-text.ts";
import { uvicornHead } from "./uvicorn.ts";

const VERSION = "0.5.6";
/** The token that ends a turn of MiniMax-M2. */
const END_TOKEN = 200_020;

const FULL = "The request queue is full.";

const text = (value: string): string => JSON.stringify(value);

/** Errors are flat here, without the `error` member that others have. */
function fail(status: number, message: string, type = "BadRequestError"): Reply {
  return jsonReply(status, { object: "error", message, type, param: null, code: status });
}

const isMiniMax = (model: string): boolean => /minimax/i.test(model);

function matchedStop(choice: Choice): string {
  if (choice.stop !== undefined) return text(choice.stop);
  return choice.finish === "stop" ? String(END_TOKEN) : "null";
}

function refuse(_state: EngineState, request: InferenceRequest): Reply | undefined {
  const { messages } = request.body;
  if (request.endpoint === "chat") {
    if (messages === undefined) {
      return fail(
        400,
        "1 validation errors:\n  {'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required'}",
        "Bad Request",
      );
    }
    if (!Array.isArray(messages)) {
      return fail(
        400,
        "1 validation errors:\n  {'type': 'list_type', 'loc': ('body', 'messages'), 'msg': 'Input should be a valid list'}",
        "Bad Request",
      );
    }
    if (messages.length === 0) return fail(400, "Messages cannot be empty.");
  }
  const max = request.maxTokens;
  if (max !== undefined && max < 1) return fail(400, `max_new_tokens must be at least 1, got ${max}.`);
  return undefined;
}

function tooLong(state: EngineState, request: InferenceRequest): Reply | undefined {
  const limit = state.context;
  if (request.promptTokens >= limit) {
    return fail(
      400,
      `The input (${request.promptTokens} tokens) is longer than the model's context length (${limit} tokens).`,
    );
  }
  const wanted = request.maxTokens ?? 0;
  if (request.promptTokens + wanted <= limit) return undefined;
  return fail(
    400,
    `Requested token count exceeds the model's maximum context length of ${limit} tokens. You requested a total of ${request.promptTokens + wanted} tokens: ${request.promptTokens} tokens from the input messages and ${wanted} tokens for the completion.`,
  );
}

function usage(turn: Turn): string {
  const total = turn.promptTokens + turn.completionTokens;
  return `{"prompt_tokens":${turn.promptTokens},"total_tokens":${total},"completion_tokens":${turn.completionTokens},"prompt_tokens_details":null,"reasoning_tokens":0}`;
}

function chatChoice(choice: Choice): string {
  // A parsed call has the index of nothing: -1.
  const calls = choice.calls.map(
    (call) =>
      `{"id":${text(call.id)},"index":-1,"type":"function","function":{"name":${text(call.name)},"arguments":${text(call.arguments)}}}`,
  );
  const content = calls.length > 0 && choice.text === "" ? "null" : text(choice.text);
  const reasoning = choice.reasoning === "" ? "null" : text(choice.reasoning);
  const toolCalls = calls.length > 0 ? `[${calls.join(",")}]` : "null";
  return `{"index":${choice.index},"message":{"role":"assistant","content":${content},"reasoning_content":${reasoning},"tool_calls":${toolCalls}},"logprobs":null,"finish_reason":"${choice.finish}","matched_stop":${matchedStop(choice)}}`;
}

function chat(turn: Turn): string {
  const choices = joinChoices(turn, chatChoice);
  return `{"id":"${turn.hex}","object":"chat.completion","created":${turn.created},"model":${text(turn.model)},"choices":[${choices}],"usage":${usage(turn)},"metadata":{"weight_version":"default"}}`;
}

function chatStream(turn: Turn): StreamWire {
  const start = `{"id":"${turn.hex}","object":"chat.completion.chunk","created":${turn.created},"model":${text(turn.model)},"choices":[`;
  const rest = `},"logprobs":null,"finish_reason":null,"matched_stop":null}],"usage":null}`;
  const delta = (choice: Choice): string => `${start}{"index":${choice.index},"delta":{"role":null,`;
  const calling = (choice: Choice, index: number, id: string, name: string, part: string): string =>
    `${delta(choice)}"content":null,"reasoning_content":null,"tool_calls":[{"id":${id},"index":${index},"type":"function","function":{"name":${name},"arguments":${text(part)}}}]${rest}`;
  return {
    open: (choice) => [
      `${start}{"index":${choice.index},"delta":{"role":"assistant","content":"","reasoning_content":null,"tool_calls":null${rest}`,
    ],
    text: (choice) => [`${delta(choice)}"content":`, `,"reasoning_content":null,"tool_calls":null${rest}`],
    reasoning: (choice) => [`${delta(choice)}"content":null,"reasoning_content":`, `,"tool_calls":null${rest}`],
    call: (choice, call, index) => [
      calling(choice, index, text(call.id), text(call.name), ""),
      ...argumentParts(call).map((part) => calling(choice, index, "null", "null", part)),
    ],
    finish: (choice) => [
      `${delta(choice)}"content":null,"reasoning_content":null,"tool_calls":null},"logprobs":null,"finish_reason":"${choice.finish}","matched_stop":${matchedStop(choice)}}],"usage":null}`,
    ],
    close: () => (turn.includeUsage ? [`${start}],"usage":${usage(turn)}}`] : []),
  };
}

function completion(turn: Turn): string {
  const choices = joinChoices(
    turn,
    (choice) =>
      `{"index":${choice.index},"text":${text(choice.text)},"logprobs":null,"finish_reason":"${choice.finish}","matched_stop":${matchedStop(choice)}}`,
  );
  return `{"id":"${turn.hex}","object":"text_completion","created":${turn.created},"model":${text(turn.model)},"choices":[${choices}],"usage":${usage(turn)},"metadata":{"weight_version":"default"}}`;
}

function completionStream(turn: Turn): StreamWire {
  const start = `{"id":"${turn.hex}","object":"text_completion","created":${turn.created},"model":${text(turn.model)},"choices":[`;
  return {
    open: () => [],
    text: (choice) => [
      `${start}{"index":${choice.index},"text":`,
      `,"logprobs":null,"finish_reason":null,"matched_stop":null}],"usage":null}`,
    ],
    reasoning: () => undefined,
    call: () => [],
    finish: (choice) => [
      `${start}{"index":${choice.index},"text":"","logprobs":null,"finish_reason":"${choice.finish}","matched_stop":${matchedStop(choice)}}],"usage":null}`,
    ],
    close: () => (turn.includeUsage ? [`${start}],"usage":${usage(turn)}}`] : []),
  };
}

const usedTokens = (state: EngineState): number => Math.round(kvUse(state) * state.context);

function loads(state: EngineState, query: string): Reply {
  const use = kvUse(state);
  const running = state.running();
  const waiting = state.waiting();
  if (/(^|&)format=prometheus/.test(query)) return metrics(state);
  const rank = {
    dp_rank: 0,
    num_running_reqs: running,
    num_waiting_reqs: waiting,
    num_used_tokens: usedTokens(state),
    num_total_tokens: usedTokens(state),
    token_usage: use,
    gen_throughput: running === 0 ? 0 : running * state.options.tokensPerSecond,
    cache_hit_rate: 0,
    utilization: running / state.slots,
    max_running_requests: state.slots,
  };
  const aggregate = {
    total_running_reqs: running,
    total_waiting_reqs: waiting,
    total_reqs: running + waiting,
    token_usage: use,
    throughput: rank.gen_throughput,
    utilization: rank.utilization,
  };
  return jsonReply(200, {
    timestamp: new Date().toISOString(),
    version: VERSION,
    dp_rank_count: 1,
    loads: [rank],
    aggregate,
  });
}

function metrics(state: EngineState): Reply {
  const labels = `{engine_type="unified",model_name=${JSON.stringify(state.models.names[0] ?? "")},pp_rank="0",tp_rank="0"}`;
  const gauge = (name: string, help: string, value: number): string =>
    metric(`sglang:${name}`, "gauge", help, value, labels);
  const body = [
    gauge("num_running_reqs", "The number of running requests.", state.running()),
    gauge("num_queue_reqs", "The number of requests in the waiting queue.", state.waiting()),
    gauge("num_used_tokens", "The number of used tokens.", usedTokens(state)),
    gauge("token_usage", "The token usage.", kvUse(state)),
    gauge("gen_throughput", "The generation throughput (token/s).", state.running() * state.options.tokensPerSecond),
    gauge("cache_hit_rate", "The prefix cache hit rate.", 0),
    metric(
      "sglang:prompt_tokens_total",
      "counter",
      "Number of prefill tokens processed.",
      state.totals.promptTokens,
      labels,
    ),
    metric(
      "sglang:generation_tokens_total",
      "counter",
      "Number of generation tokens processed.",
      state.totals.generatedTokens,
      labels,
    ),
  ].join("");
  return { status: 200, body, contentType: "text/plain; version=0.0.4; charset=utf-8" };
}

function serverInfo(state: EngineState): Reply {
  const model = state.models.names[0] ?? "";
  return jsonReply(200, {
    model_path: model,
    served_model_name: model,
    tool_call_parser: state.options.toolParser && isMiniMax(model) ? "minimax-m2" : null,
    reasoning_parser: isMiniMax(model) ? "minimax-append-think" : null,
    context_length: state.context,
    max_running_requests: state.slots,
    max_queued_requests: state.options.queue ?? sglang.defaultQueue,
    status: state.stopping ? "stopping" : "ready",
    internal_states: [
      {
        last_gen_throughput: state.running() * state.options.tokensPerSecond,
        max_running_requests_per_dp: state.slots,
        load: state.running(),
      },
    ],
    version: VERSION,
  });
}

function models(state: EngineState): Reply {
  const data = state.models.names.map((id) => ({
    id,
    object: "model",
    created: Math.floor(Date.now() / 1000),
    owned_by: "sglang",
    root: id,
    parent: null,
    max_model_len: state.context,
  }));
  return jsonReply(200, { object: "list", data });
}

const health = (state: EngineState): Reply => ({ status: state.stopping ? 503 : 200, body: "", contentType: "" });
const modelInfo = (state: EngineState): Reply =>
  jsonReply(200, {
    model_path: state.models.names[0] ?? "",
    tokenizer_path: state.models.names[0] ?? "",
    is_generation: true,
    weight_version: "default",
  });

/** SGLang's OpenAI server; a MiniMax model thinks aloud in its content, as `minimax-append-think` leaves it. */
export const sglang: SimulatedKind = {
  title: "SGLang",
  defaultModels: ["MiniMaxAI/MiniMax-M2"],
  defaultContext: 196_608,
  defaultSlots: 64,
  defaultQueue: 256,
  habits: {
    queuedHeaders: "at_once",
    loading: "unavailable",
    closesOnError: false,
    idleMs: 5000,
    maxRequests: 0,
    stampsChunks: false,
    choices: true,
    zeroMaxTokens: "one",
    enforcesToolChoice: true,
    continues: "as_is",
  },
  paths: { chat: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  routes: {
    "GET /health": health,
    "GET /health_generate": health,
    "GET /ping": health,
    "GET /model_info": modelInfo,
    "GET /get_model_info": modelInfo,
    "GET /server_info": serverInfo,
    "GET /get_server_info": serverInfo,
    "GET /v1/loads": (state, request) => loads(state, request.query),
    "GET /get_load": (state) =>
      jsonReply(200, [
        {
          dp_rank: 0,
          num_reqs: state.running() + state.waiting(),
          num_waiting_reqs: state.waiting(),
          num_tokens: usedTokens(state),
          num_pending_tokens: 0,
          ts_tic: Date.now() / 1000,
        },
      ]),
    "GET /metrics": metrics,
    "GET /v1/models": models,
    "GET /v1/models/{name}": (state, request) => {
      const asked = decodeURIComponent(request.path.slice("/v1/models/".length));
      if (!state.models.names.includes(asked))
        return fail(404, `The model '${asked}' does not exist`, "invalid_request_error");
      const { data } = JSON.parse(models(state).body) as { data: { id: string }[] };
      return jsonReply(
        200,
        data.find((model) => model.id === asked),
      );
    },
  },
  head: (head) => uvicornHead(head),
  streamType: "text/event-stream; charset=utf-8",
  escape: JSON.stringify,
  usageSoFar: (turn, completionTokens) => usage({ ...turn, completionTokens }),
  callId: (random) => `call_${randomHex(random, 24)}`,
  // It never looks at the name: the one model answers, and the name asked for is echoed.
  resolveModel: (state) => state.models.names[0],
  answerName: (model, asked) => asked || model,
  // minimax-append-think leaves the thinking in the content.
  inlinesReasoning: isMiniMax,
  refuse,
  tooLong,
  errors: {
    malformedJson: (body) =>
      fail(
        400,
        `1 validation errors:\n  {'type': 'json_invalid', 'loc': ('body', ${body.length}), 'msg': 'JSON decode error', 'input': {}, 'ctx': {'error': 'Expecting value'}}`,
        "Bad Request",
      ),
    unknownModel: (_state, asked) => fail(404, `The model '${asked}' does not exist`),
    loading: () => ({ status: 503, body: "", contentType: "" }),
    overloaded: (request) => {
      if (!request.stream) return fail(503, FULL, "SERVICE_UNAVAILABLE");
      const error = `{"object": "error", "message": "${FULL}", "type": "SERVICE_UNAVAILABLE", "param": null, "code": 503}`;
      return { status: 200, body: `data: {"error": ${error}}\n\ndata: [DONE]\n\n`, sse: true };
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
    const data = vectors.map((embedding, index) => ({ embedding, index, object: "embedding" }));
    const counts = { prompt_tokens: promptTokens, total_tokens: promptTokens, completion_tokens: 0 };
    return JSON.stringify({ data, model, object: "list", usage: counts });
  },
};
