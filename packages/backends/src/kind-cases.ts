import type { UpstreamError } from "@signalbox/protocol";
import type { Load, RequestEdits, RequestView } from "./kind.ts";
import type { BackendKindName } from "./kinds.ts";

type Meaning = UpstreamError["meaning"];

/** An error answer: a recording's name, or the answer itself where only its words are known. */
export type ErrorAnswer = string | { readonly status: number; readonly body: string };

/** What the contract suite knows of one kind. */
export interface KindCase {
  /** Folders of `recordings/` with this kind's engines. The first one is probed. */
  readonly engines: readonly [string, ...string[]];
  /** What the probe of the first engine finds. */
  readonly finds: { readonly models: readonly object[]; readonly load?: Load; readonly version?: string };
  /** The answer of the first path of a probe while the engine loads. */
  readonly loading?: { readonly status: number; readonly text: string };
  readonly errors: Partial<Record<Meaning, readonly ErrorAnswer[]>>;
  readonly edits: readonly {
    readonly why: string;
    readonly endpoint?: RequestView["endpoint"];
    readonly body: Record<string, unknown>;
    readonly edits: RequestEdits;
  }[];
  /** With `tool_parser: raw`; missing where the kind has no raw mode. */
  readonly rawEdits?: KindCase["edits"];
  /** What this kind cannot show. */
  readonly skip: readonly { readonly reason: string; readonly tests: readonly string[] }[];
}

const tool = { type: "function", function: { name: "get_weather" } };
const other = { type: "function", function: { name: "get_time" } };
const named = { type: "function", function: { name: "get_weather" } };

const noLoading = "refuses connections, or loads on request, and never says that it is loading";

export const kindCases: Record<BackendKindName, KindCase> = {
  sglang: {
    engines: ["sglang-documented"],
    finds: {
      models: [{ id: "MiniMaxAI/MiniMax-M2", context: 196_608, loaded: true }],
      load: { running: 8, waiting: 3, kvUse: 0.5, slots: 96 },
    },
    loading: { status: 503, text: "" },
    errors: {
      busy: ["sglang-documented/err_busy.txt", "sglang-documented/err_busy_stream.txt"],
      loading: [{ status: 503, body: '{"object":"error","message":"Server is starting","type":"x","code":503}' }],
      context_length: ["sglang-documented/err_toolong.txt", "sglang-documented/err_toolong_total.txt"],
      auth: ["sglang-documented/err_auth.txt"],
      caller: ["sglang-documented/err_caller.txt"],
      model_missing: ["sglang-documented/unknown_route.txt"],
      server: ["sglang-documented/err_server.txt"],
    },
    edits: [],
    rawEdits: [
      { why: "a server without a parser is asked as ever", body: { tools: [tool] }, edits: {} },
      { why: "it leaves tools out itself", body: { tools: [tool], tool_choice: "none" }, edits: {} },
      { why: "its grammar enforces a demanded call", body: { tools: [tool], tool_choice: "required" }, edits: {} },
    ],
    skip: [],
  },

  vllm: {
    engines: ["vllm-0.32.0"],
    finds: {
      models: [{ id: "tiny", context: 2048, loaded: true }],
      load: { running: 0, waiting: 0, kvUse: 0 },
    },
    errors: {
      busy: [
        "vllm-0.32.0/real-q8.txt",
        {
          status: 503,
          body: '{"error":{"message":"The engine is currently busy and cannot accept new requests.","code":503}}',
        },
      ],
      context_length: [
        "vllm-0.32.0/err_toolong.txt",
        "vllm-0.32.0/err_toolong_stream.txt",
        "vllm-0.32.0/err_maxtok_huge.txt",
        {
          status: 400,
          body: `{"error":{"message":"This model's maximum context length is 2048 tokens. However, you requested 4 output tokens and your prompt contains at least 2045 input tokens.","type":"BadRequestError","param":"input_tokens","code":400}}`,
        },
      ],
      model_missing: ["vllm-0.32.0/err_model.txt", "vllm-0.32.0/err_model_stream.txt", "vllm-0.32.0/embeddings.txt"],
      auth: [{ status: 401, body: '{"error":"Unauthorized"}' }],
      caller: [
        "vllm-0.32.0/err_json.txt",
        "vllm-0.32.0/err_type.txt",
        "vllm-0.32.0/err_nomessages.txt",
        "vllm-0.32.0/err_temp.txt",
        "vllm-0.32.0/err_maxtok0.txt",
        "vllm-0.32.0/err_empty_messages.txt",
      ],
      server: [
        {
          status: 500,
          body: '{"error":{"message":"EngineCore encountered an issue.","type":"InternalServerError","code":500}}',
        },
      ],
    },
    edits: [],
    rawEdits: [
      {
        why: "none shows the tools and parses nothing",
        body: { tools: [tool] },
        edits: { tool_choice: '"none"', skip_special_tokens: "false" },
      },
      {
        why: "auto is what no choice means",
        body: { tools: [tool], tool_choice: "auto", skip_special_tokens: true },
        edits: { tool_choice: '"none"', skip_special_tokens: "false" },
      },
      {
        why: "null is no choice",
        body: { tools: [tool], tool_choice: null },
        edits: { tool_choice: '"none"', skip_special_tokens: "false" },
      },
      {
        why: "the client's own none hides the tools",
        body: { tools: [tool], tool_choice: "none" },
        edits: { tools: undefined },
      },
      { why: "the engine enforces a demanded call", body: { tools: [tool], tool_choice: "required" }, edits: {} },
      { why: "the engine enforces a named call", body: { tools: [tool, other], tool_choice: named }, edits: {} },
      { why: "without tools there is nothing to parse", body: { tools: [] }, edits: {} },
      { why: "only chats have tools", endpoint: "completions", body: { tools: [tool] }, edits: {} },
    ],
    skip: [{ reason: noLoading, tests: ["loading"] }],
  },

  ollama: {
    engines: ["ollama-0.33.0"],
    finds: {
      models: [
        { id: "gemma-plain:latest", aliases: ["gemma-plain"], loaded: false },
        { id: "gemma:latest", aliases: ["gemma"], loaded: true, context: 2048 },
      ],
      version: "0.33.0",
    },
    errors: {
      busy: ["ollama-0.33.0/q3.txt"],
      context_length: [
        {
          status: 400,
          body: '{"error":{"message":"the input length exceeds the context length","type":"invalid_request_error"}}',
        },
      ],
      model_missing: [
        "ollama-0.33.0/err_model.txt",
        "ollama-0.33.0/err_model_stream.txt",
        "ollama-0.33.0/embeddings.txt",
        {
          status: 400,
          body: '{"error":{"message":"gemma does not support tools","type":"api_error","param":null,"code":null}}',
        },
      ],
      auth: [{ status: 401, body: "unauthorized" }],
      caller: ["ollama-0.33.0/err_json.txt", "ollama-0.33.0/err_type.txt", "ollama-0.33.0/err_empty_messages.txt"],
      server: [{ status: 200, body: '{"error":"llama runner process has terminated: exit status 2"}' }],
    },
    edits: [
      {
        why: "max_completion_tokens is not read",
        body: { max_completion_tokens: 64 },
        edits: { max_tokens: "64", max_completion_tokens: undefined },
      },
      {
        why: "a limit of null is none",
        body: { max_tokens: null, max_completion_tokens: 64 },
        edits: { max_tokens: "64", max_completion_tokens: undefined },
      },
      { why: "max_tokens is the caller's own", body: { max_tokens: 5, max_completion_tokens: 64 }, edits: {} },
      { why: "zero tokens would mean no limit", body: { max_tokens: 0 }, edits: { max_tokens: "1" } },
      {
        why: "zero tokens would mean no limit",
        endpoint: "completions",
        body: { max_tokens: 0 },
        edits: { max_tokens: "1" },
      },
      {
        why: "zero tokens would mean no limit",
        body: { max_completion_tokens: 0 },
        edits: { max_tokens: "1", max_completion_tokens: undefined },
      },
      { why: "tool_choice is not read", body: { tools: [tool], tool_choice: "none" }, edits: { tools: undefined } },
      { why: "tools may be called", body: { tools: [tool], tool_choice: "auto" }, edits: {} },
      {
        why: "a named tool is the only one offered",
        body: { tools: [other, tool, other], tool_choice: named },
        edits: { tools: { keep: [1] } },
      },
      { why: "a named tool is the only one anyway", body: { tools: [tool], tool_choice: named }, edits: {} },
      { why: "a name that is not declared says nothing", body: { tools: [other], tool_choice: named }, edits: {} },
      { why: "required cannot be enforced", body: { tools: [tool], tool_choice: "required" }, edits: {} },
      { why: "embeddings have no limit", endpoint: "embeddings", body: { max_tokens: 0 }, edits: {} },
    ],
    skip: [
      { reason: noLoading, tests: ["loading"] },
      { reason: "has no keys", tests: ["guarded listing"] },
    ],
  },

  foundry_local: {
    engines: ["foundry_local-documented", "foundry_local-0.x-documented"],
    finds: {
      models: [
        {
          id: "qwen2.5-7b-instruct-cuda-gpu:3",
          aliases: ["qwen2.5-7b-instruct-cuda-gpu", "qwen2.5-7b-instruct", "qwen2.5-7b"],
          loaded: true,
        },
        {
          id: "Phi-4-mini-instruct-generic-cpu:5",
          aliases: ["phi-4-mini-instruct-generic-cpu", "phi-4-mini-instruct", "phi-4-mini"],
          loaded: true,
        },
        {
          id: "qwen2.5-7b-instruct-generic-cpu:3",
          aliases: ["qwen2.5-7b-instruct-generic-cpu", "qwen2.5-7b-instruct", "qwen2.5-7b"],
          loaded: false,
        },
        {
          id: "qwen2.5-7b-instruct-openvino-npu:2",
          aliases: ["qwen2.5-7b-instruct-openvino-npu", "qwen2.5-7b-instruct", "qwen2.5-7b"],
          loaded: false,
        },
        {
          id: "Phi-4-mini-instruct-generic-gpu:5",
          aliases: ["phi-4-mini-instruct-generic-gpu", "phi-4-mini-instruct", "phi-4-mini"],
          loaded: false,
        },
        { id: "phi-4-cuda-gpu:1", aliases: ["phi-4-cuda-gpu", "phi-4"], loaded: false },
      ],
    },
    errors: {
      context_length: ["foundry_local-documented/err_toolong.txt"],
      model_missing: ["foundry_local-documented/err_model.txt", "foundry_local-documented/err_not_loaded.txt"],
      auth: [{ status: 401, body: "" }],
      caller: ["foundry_local-documented/err_caller.txt"],
      server: ["foundry_local-documented/err_server.txt"],
      busy: [{ status: 503, body: "" }],
    },
    edits: [
      {
        why: "a response format of text would switch tools off",
        body: { tools: [tool], response_format: { type: "text" } },
        edits: { response_format: undefined },
      },
      { why: "without tools it does no harm", body: { response_format: { type: "text" } }, edits: {} },
      {
        why: "a response format of text would switch a named tool off, too",
        body: { tools: [tool, other], tool_choice: named, response_format: { type: "text" } },
        edits: { response_format: undefined },
      },
      { why: "the service filters by name itself", body: { tools: [tool, other], tool_choice: named }, edits: {} },
      { why: "a schema is meant", body: { tools: [tool], response_format: { type: "json_schema" } }, edits: {} },
    ],
    skip: [
      { reason: "models are loaded by a command of their own, before any request", tests: ["loading"] },
      { reason: "has no keys", tests: ["guarded listing"] },
    ],
  },

  llama_cpp: {
    engines: ["llama-server-0.5.0"],
    finds: {
      models: [{ id: "gemma", loaded: true, context: 2048 }],
      load: { running: 0, waiting: 0, slots: 2 },
      version: "b0-vendored",
    },
    loading: { status: 503, text: '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}' },
    errors: {
      loading: [{ status: 503, body: '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}' }],
      busy: [{ status: 503, body: '{"error":{"message":"no slot available","type":"unavailable_error","code":503}}' }],
      context_length: ["llama-server-0.5.0/err_toolong.txt", "llama-server-0.5.0/err_toolong_stream.txt"],
      model_missing: ["llama-server-0.5.0/embeddings.txt", "llama-server-0.5.0/unknown_route.txt"],
      auth: [{ status: 401, body: '{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}' }],
      caller: ["llama-server-0.5.0/err_nomessages.txt", "llama-server-0.5.0/err_type.txt"],
      server: ["llama-server-0.5.0/err_json.txt"],
    },
    edits: [
      {
        why: "older versions do not read max_completion_tokens",
        body: { max_completion_tokens: 64 },
        edits: { max_tokens: "64", max_completion_tokens: undefined },
      },
      { why: "max_tokens is the caller's own", body: { max_tokens: 5, max_completion_tokens: 64 }, edits: {} },
      { why: "zero is one token here", body: { max_tokens: 0 }, edits: {} },
      {
        why: "a name counts as auto: its tool is the only one offered, and required",
        body: { tools: [tool, other], tool_choice: named },
        edits: { tool_choice: '"required"', tools: { keep: [0] } },
      },
      {
        why: "a named tool is the only one anyway",
        body: { tools: [tool], tool_choice: named, max_completion_tokens: 5 },
        edits: { tool_choice: '"required"', max_tokens: "5", max_completion_tokens: undefined },
      },
      { why: "the words are read", body: { tools: [tool, other], tool_choice: "required" }, edits: {} },
    ],
    rawEdits: [
      { why: "none shows the tools and parses nothing", body: { tools: [tool] }, edits: { tool_choice: '"none"' } },
      {
        why: "auto is what no choice means",
        body: { tools: [tool], tool_choice: "auto" },
        edits: { tool_choice: '"none"' },
      },
      {
        why: "the client's own none hides the tools",
        body: { tools: [tool], tool_choice: "none" },
        edits: { tools: undefined },
      },
      { why: "a demanded call goes to its grammar", body: { tools: [tool], tool_choice: "required" }, edits: {} },
      { why: "only chats have tools", endpoint: "completions", body: { tools: [tool] }, edits: {} },
    ],
    skip: [],
  },

  openai: {
    engines: ["openai-documented", "llama-cpp-python-0.3.36"],
    finds: { models: [{ id: "gpt-5-mini" }, { id: "text-embedding-3-small" }] },
    errors: {
      busy: [
        "openai-documented/err_busy.txt",
        "openai-documented/err_busy_retry.txt",
        "openai-documented/minimax_busy.txt",
      ],
      auth: [
        "openai-documented/err_auth.txt",
        "openai-documented/err_quota.txt",
        "openai-documented/minimax_auth.txt",
        "openai-documented/minimax_balance.txt",
      ],
      context_length: [
        "openai-documented/err_toolong.txt",
        "openai-documented/minimax_toolong.txt",
        "llama-cpp-python-0.3.36/err_toolong.txt",
      ],
      content_filter: ["openai-documented/err_filter.txt", "openai-documented/minimax_filter.txt"],
      model_missing: ["openai-documented/err_model.txt", "llama-cpp-python-0.3.36/embeddings.txt"],
      caller: [
        "openai-documented/err_caller.txt",
        "openai-documented/minimax_caller.txt",
        "llama-cpp-python-0.3.36/err_role.txt",
        "llama-cpp-python-0.3.36/err_type.txt",
      ],
      server: [
        "openai-documented/err_server.txt",
        "openai-documented/minimax_server.txt",
        "llama-cpp-python-0.3.36/err_json.txt",
      ],
    },
    edits: [],
    skip: [{ reason: "OpenAI's API has no word for a model that is being loaded", tests: ["loading"] }],
  },
};
