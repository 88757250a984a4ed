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
import { randomLower } from "../random.ts";
import { extraLines, joinChoices, jsonReply, openAiUsage, statusLine } from "../wire-text.ts";

const SERVER = "oatpp/1.3.0";

const text = (value: string): string => JSON.stringify(value);

function fail(status: number, message: string, type = "invalid_request_error"): Reply {
  return jsonReply(status, { error: { code: null, message, param: null, type } });
}

function head(head: ResponseHead): string {
  let lines = statusLine(head.status);
  if (head.contentType) lines += `content-type: ${head.contentType}\r\n`;
  lines += `server: ${SERVER}\r\n${extraLines(head)}`;
  lines += head.length === undefined ? "transfer-encoding: chunked\r\n" : `content-length: ${head.length}\r\n`;
  return `${lines}connection: ${head.close ? "close" : "keep-alive"}\r\n\r\n`;
}

const VARIANTS = ["generic-cpu:3", "cuda-gpu:3", "openvino-npu:2"] as const;
const isVariant = (name: string): boolean =>
  /-(generic-cpu|generic-gpu|cuda-gpu|openvino-npu|webgpu-gpu)(:\d+)?$/.test(name);
/** The variant of an alias that this machine can run: the one for its CPU. */
const runnable = (name: string): string => (isVariant(name) ? name : `${name}-${VARIANTS[0]}`);
const aliasOf = (name: string): string => name.replace(/-(generic|cuda|openvino|webgpu)-(cpu|gpu|npu)(:\d+)?$/, "");

const catalog = (state: EngineState): string[] =>
  state.models.names.flatMap((name) => [
    runnable(name),
    ...VARIANTS.slice(1).map((variant) => `${aliasOf(name)}-${variant}`),
  ]);

/** The given name behind a variant id; an alias is no id here. */
const find = (state: EngineState, asked: string): string | undefined =>
  state.models.names.find((name) => runnable(name) === asked);

function refuse(_state: EngineState, request: InferenceRequest): Reply | undefined {
  const { messages, tools } = request.body;
  if (request.endpoint === "chat" && (!Array.isArray(messages) || messages.length === 0)) {
    return fail(400, "messages: a non-empty array is required");
  }
  if (Array.isArray(tools) && tools.some((tool) => (tool as { type?: unknown } | null)?.type === "custom")) {
    return fail(400, "tools: type 'custom' is not supported");
  }
  return undefined;
}

function tooLong(state: EngineState, request: InferenceRequest): Reply | undefined {
  if (request.promptTokens < state.context) return undefined;
  return fail(
    500,
    `Inference failed: input sequence_length (${request.promptTokens}) is >= max_length (${state.context})`,
    "server_error",
  );
}

const chatId = (turn: Turn): string => `chatcmpl-${turn.hex.slice(0, 24)}`;
const callJson = (call: ToolCall, index: number): string =>
  `{"index":${index},"id":"${call.id}","type":"function","function":{"name":${text(call.name)},"arguments":${text(call.arguments)}}}`;

// Reasoning has no place in chat completions here: it is dropped.
function chat(turn: Turn): string {
  const choices = joinChoices(turn, (choice) => {
    const calls = choice.calls.length === 0 ? "" : `,"tool_calls":[${choice.calls.map(callJson).join(",")}]`;
    return `{"index":${choice.index},"message":{"role":"assistant","content":${text(choice.text)}${calls}},"finish_reason":"${choice.finish}"}`;
  });
  return `{"id":"${chatId(turn)}","object":"chat.completion","created":${turn.created},"model":${text(turn.model)},"choices":[${choices}],"usage":${openAiUsage(turn)}}`;
}

function chatStream(turn: Turn): StreamWire {
  const start = `{"id":"${chatId(turn)}","object":"chat.completion.chunk","created":${turn.created},"model":${text(turn.model)},"choices":[`;
  const delta = (choice: Choice, first: boolean): string =>
    `${start}{"index":${choice.index},"delta":{${first ? `"role":"assistant",` : ""}`;
  return {
    open: () => [],
    text: (choice, first) => [`${delta(choice, first)}"content":`, `},"finish_reason":null}]}`],
    reasoning: () => undefined,
    // Every parsed block counts from 0 again, so that two calls share an index.
    call: (choice, call, _index, first) => [
      `${delta(choice, first)}"content":null,"tool_calls":[${callJson(call, 0)}]},"finish_reason":null}]}`,
    ],
    finish: (choice) => [`${start}{"index":${choice.index},"delta":{},"finish_reason":"${choice.finish}"}]}`],
    close: () => (turn.includeUsage ? [`${start}],"usage":${openAiUsage(turn)}}`] : []),
  };
}

function completion(turn: Turn): string {
  const choices = joinChoices(
    turn,
    (choice) => `{"index":${choice.index},"text":${text(choice.text)},"finish_reason":"${choice.finish}"}`,
  );
  return `{"id":"cmpl-${turn.hex.slice(0, 24)}","object":"text_completion","created":${turn.created},"model":${text(turn.model)},"choices":[${choices}],"usage":${openAiUsage(turn)}}`;
}

function completionStream(turn: Turn): StreamWire {
  const start = `{"id":"cmpl-${turn.hex.slice(0, 24)}","object":"text_completion","created":${turn.created},"model":${text(turn.model)},"choices":[`;
  return {
    open: () => [],
    text: (choice) => [`${start}{"index":${choice.index},"text":`, `,"finish_reason":null}]}`],
    reasoning: () => undefined,
    call: () => [],
    finish: (choice) => [`${start}{"index":${choice.index},"text":"","finish_reason":"${choice.finish}"}]}`],
    close: () => (turn.includeUsage ? [`${start}],"usage":${openAiUsage(turn)}}`] : []),
  };
}

const loadedIds = (state: EngineState): string[] => state.models.loaded().map(runnable);

async function load(state: EngineState, path: string): Promise<Reply> {
  const asked = decodeURIComponent(path.slice("/models/load/".length));
  const name = find(state, asked) ?? state.models.names.find((given) => aliasOf(given) === asked);
  if (name === undefined) return fail(404, `Model not found: No model matching '${asked}'`);
  await state.models.load(name);
  return jsonReply(200, { status: "loaded", model: runnable(name) });
}

function unload(state: EngineState, path: string): Reply {
  const asked = decodeURIComponent(path.slice("/models/unload/".length));
  const name = find(state, asked) ?? state.models.names.find((given) => aliasOf(given) === asked);
  if (name === undefined) return fail(404, `Model not found: No model matching '${asked}'`);
  state.models.unload(name);
  return jsonReply(200, { status: "unloaded", model: runnable(name) });
}

function models(state: EngineState): Reply {
  const data = catalog(state).map((id) => ({ id, object: "model", created: state.startedAt, owned_by: "Microsoft" }));
  return jsonReply(200, { object: "list", data });
}

/** Foundry Local's service: it answers for loaded models only, and lists every variant of its catalog. */
export const foundryLocal: SimulatedKind = {
  title: "Foundry Local",
  defaultModels: ["phi-4-mini"],
  defaultContext: 16_384,
  defaultSlots: 1,
  defaultQueue: 64,
  habits: {
    queuedHeaders: "at_slot",
    loading: "explicit",
    closesOnError: false,
    idleMs: 60_000,
    maxRequests: 0,
    stampsChunks: false,
    choices: false,
    zeroMaxTokens: "one",
    enforcesToolChoice: true,
    continues: false,
  },
  paths: { chat: "/v1/chat/completions", completions: "/v1/completions", embeddings: "/v1/embeddings" },
  routes: {
    "GET /status": (state) =>
      jsonReply(200, { modelCachePath: "/var/lib/foundry/models", endpoints: [state.url()], pid: process.pid }),
    "GET /openai/status": (state) =>
      jsonReply(200, {
        Endpoints: [state.url()],
        ModelDirPath: "/var/lib/foundry/models",
        PipeName: "inference_agent",
      }),
    "GET /v1/models": models,
    "GET /models/loaded": (state) => jsonReply(200, loadedIds(state)),
    "GET /openai/loadedmodels": (state) => jsonReply(200, loadedIds(state)),
    "GET /models/load/{name}": (state, request) => load(state, request.path),
    "GET /models/unload/{name}": (state, request) => unload(state, request.path),
    "GET /foundry/list": (state) =>
      jsonReply(200, {
        models: catalog(state).map((name) => ({
          name,
          alias: aliasOf(name),
          providerType: "AzureFoundryLocal",
          supportsToolCalling: true,
        })),
      }),
  },
  head,
  streamType: "text/event-stream",
  escape: JSON.stringify,
  callId: (random) => `call_${randomLower(random, 9)}`,
  resolveModel: find,
  answerName: runnable,
  refuse,
  tooLong,
  errors: {
    malformedJson: () => fail(400, "Invalid JSON in request body"),
    unknownModel: (_state, asked) => fail(404, `Model not found: No model matching '${asked}'`),
    loading: (model) => fail(400, `Model not loaded: Model '${runnable(model)}' must be loaded before inference`),
    overloaded: () => fail(503, "The service is busy with other requests.", "server_error"),
    unauthorized: () => fail(401, "Unauthorized", "authentication_error"),
    unknownRoute: (method, path) => ({
      status: 404,
      body: `server=${SERVER}
code=404
description=Not Found
message=No mapping for HTTP-method: '${method}', URL: '${path}'`,
      contentType: "text/plain",
    }),
    shape: (status, message) => fail(status, message, status < 500 ? "invalid_request_error" : "server_error").body,
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
