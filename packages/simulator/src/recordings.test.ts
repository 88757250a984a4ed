import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KindName } from "./kinds/registry.ts";
import { type Simulator, startSimulator } from "./simulator.ts";
import { eventsOf, type RawRequest, rawRequest } from "./test-client.ts";

const ROOT = new URL("../../backends/recordings/", import.meta.url);

interface Suite {
  readonly folder: string;
  readonly kind: KindName;
  readonly models: readonly string[];
  readonly skip: readonly { readonly reason: string; readonly files: readonly string[] }[];
}

const SUITES: readonly Suite[] = [
  {
    folder: "vllm-0.32.0",
    kind: "vllm",
    models: ["tiny"],
    skip: [
      { reason: "other interfaces than OpenAI's three endpoints", files: ["messages", "responses"] },
      { reason: "log probabilities are not simulated", files: ["logprobs"] },
      { reason: "this engine had no embedding model; the simulated one has", files: ["embeddings"] },
      { reason: "CORS is not simulated", files: ["options"] },
      {
        reason: "the answer of a model that babbles, where the simulated one makes a call",
        files: ["tools_auto", "tools_auto_stream", "tools_required"],
      },
      { reason: "more metrics than are simulated; the names are compared in another test", files: ["get_metrics"] },
      { reason: "two tokens glued into the one chunk of the finish_reason, by chance", files: ["orca_stream"] },
      {
        reason: "whether the last part of the arguments shares the chunk of the finish_reason is chance",
        files: ["tools_named_stream"],
      },
    ],
  },
  {
    folder: "ollama-0.33.0",
    kind: "ollama",
    models: ["gemma-plain", "gemma"],
    skip: [
      { reason: "other interfaces than OpenAI's three endpoints", files: ["messages", "responses", "native_chat"] },
      { reason: "log probabilities are not simulated", files: ["logprobs"] },
      { reason: "this engine had no embedding model; the simulated one has", files: ["embeddings"] },
      { reason: "CORS is not simulated", files: ["options"] },
      { reason: "a base model that babbles without end, so that the answer is chunked", files: ["err_maxtok0"] },
      {
        reason: "the answer of a model that babbles, where the simulated one makes a call",
        files: ["tools_auto", "tools_auto_stream", "tools_required", "tools_required_stream", "tools_named_stream"],
      },
    ],
  },
  {
    folder: "llama-server-0.5.0",
    kind: "llama_cpp",
    models: ["gemma"],
    skip: [
      { reason: "other interfaces than OpenAI's three endpoints", files: ["messages", "responses"] },
      { reason: "log probabilities are not simulated", files: ["logprobs"] },
      { reason: "this engine had no embedding model; the simulated one has", files: ["embeddings"] },
      { reason: "CORS is not simulated", files: ["options"] },
      {
        reason: "the answer of a model that babbles, where the simulated one makes a call",
        files: ["tools_auto", "tools_auto_stream", "tools_required", "tools_required_stream", "tools_named_stream"],
      },
      {
        reason: "more settings and metrics than are simulated; what a gateway reads is compared in another test",
        files: ["get_props", "get_metrics"],
      },
    ],
  },
];

interface Recorded {
  readonly request: RawRequest;
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

function parseRecording(text: string): Recorded | undefined {
  const command = /^\$ curl (.*)\n/.exec(text)?.[1];
  const rest = text.slice(text.indexOf("\n") + 1).replaceAll("\r\n", "\n");
  if (command === undefined || !rest.startsWith("HTTP/")) return undefined;
  const gap = rest.indexOf("\n\n");
  const [statusLine = "", ...lines] = rest.slice(0, gap).split("\n");
  const headers = lines.map((line): [string, string] => [
    line.slice(0, line.indexOf(":")),
    line.slice(line.indexOf(":") + 1).trim(),
  ]);
  const body = rest.slice(gap + 2).replace(/\n\[time_total=[^\n]*\]\n?$/, "");
  return { request: requestOf(command), status: Number(statusLine.split(" ")[1]), headers, body };
}

function requestOf(command: string): RawRequest {
  const path = /BASE(\S*)/.exec(command)?.[1] ?? "/";
  const headers = [...command.matchAll(/-H ([\w-]+:\s?[^\s{]+)/g)].map((match) => match[1] ?? "");
  const data = / -d (.*)$/.exec(command)?.[1];
  const method = /-X (\w+)/.exec(command)?.[1] ?? (data === undefined ? "GET" : "POST");
  if (data === undefined) return { method, path, headers };
  return { method, path, headers, body: data.startsWith("@") ? longBody(data) : data };
}

function longBody(name: string): Record<string, unknown> {
  const message = { role: "user", content: "word ".repeat(20_000) };
  return {
    model: name.includes("gemma") ? "gemma" : "tiny",
    messages: [message],
    max_tokens: 4,
    stream: name.includes("longs"),
  };
}

/** Names and types of a JSON value in their order; lists as the shapes that occur in them. */
function shapeOf(value: unknown): unknown {
  if (value === null) return "null";
  if (Array.isArray(value)) return [...new Set(value.map((entry) => JSON.stringify(shapeOf(entry))))];
  if (typeof value !== "object") return typeof value;
  return Object.entries(value).map(([key, entry]) => [key, shapeOf(entry)]);
}

/** The shapes of a stream's events, each once, in the order of their first occurrence. */
function streamShape(body: string): string[] {
  return [
    ...new Set(
      eventsOf(body).map((event) => (event === "[DONE]" ? event : JSON.stringify(shapeOf(JSON.parse(event))))),
    ),
  ];
}

function bodyShape(body: string): unknown {
  if (body.startsWith("data: ")) return streamShape(body);
  try {
    return shapeOf(JSON.parse(body));
  } catch {
    return body;
  }
}

describe.each(SUITES)("$kind answers as $folder did", (suite) => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await startSimulator({ kind: suite.kind, models: [...suite.models], context: 2048 });
  });
  afterAll(() => simulator.close());

  const skipped = new Set(suite.skip.flatMap((gap) => gap.files));
  const files = readdirSync(new URL(`${suite.folder}/`, ROOT)).filter((file) => file.endsWith(".txt"));
  const cases = files.flatMap((file) => {
    const recorded = parseRecording(readFileSync(new URL(`${suite.folder}/${file}`, ROOT), "utf8"));
    const name = file.replace(".txt", "");
    return recorded === undefined || skipped.has(name) ? [] : [{ name, recorded }];
  });

  test.each(cases)("$name", async ({ recorded }) => {
    const request = recorded.request.body;
    const long = typeof request === "object" ? { ...(request as object), model: suite.models.at(-1) } : request;
    const answer = await rawRequest(simulator.port, { ...recorded.request, body: long });
    expect(answer.status).toBe(recorded.status);
    expect(answer.headers.map(([name]) => name)).toEqual(recorded.headers.map(([name]) => name));
    const type = (headers: Recorded["headers"]): string | undefined =>
      headers.find(([name]) => name.toLowerCase() === "content-type")?.[1];
    expect(type(answer.headers)).toBe(type(recorded.headers));
    const normal = answer.body.toString();
    expect(bodyShape(normal)).toEqual(bodyShape(recorded.body));
    expect(normal.endsWith("\n")).toBe(recorded.body.endsWith("\n"));
  });
});

/** Bodies alone were recorded of the calls that a model could be brought to make. */
const CALLS: readonly { kind: KindName; folder: string; whole: string; streamed: string }[] = [
  { kind: "vllm", folder: "vllm-0.32.0", whole: "real-fewshot_0", streamed: "real-fewshot_1" },
  { kind: "ollama", folder: "ollama-0.33.0", whole: "fewshot_0", streamed: "fewshot_1" },
  {
    kind: "llama_cpp",
    folder: "llama-server-0.5.0",
    whole: "tools-template-fewshot_0",
    streamed: "tools-template-fewshot_1",
  },
];

describe.each(CALLS)("$kind makes a call as recorded", ({ kind, folder, whole, streamed }) => {
  const tool = {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  };
  const recordedBody = (name: string): string =>
    readFileSync(new URL(`${folder}/${name}.txt`, ROOT), "utf8").replace(/\n\[[^\n]*total=[^\n]*\]\n?$/, "");
  const ask = async (stream: boolean): Promise<string> => {
    const simulator = await startSimulator({ kind, models: ["gemma"] });
    const messages = [{ role: "user", content: "What is the weather in Paris?" }];
    const body = { model: "gemma", messages, tools: [{ type: "function", function: tool }], stream };
    const answer = await rawRequest(simulator.port, { body });
    await simulator.close();
    return answer.body.toString();
  };

  test("whole", async () => {
    expect(bodyShape(await ask(false))).toEqual(bodyShape(recordedBody(whole)));
  });

  test("streamed", async () => {
    expect(streamShape(await ask(true))).toEqual(streamShape(recordedBody(streamed)));
  });
});

/** Not recorded but written down: the parts that hold for a simulated engine. Headers are not compared. */
const DOCUMENTED: readonly { kind: KindName; folder: string; model: string; files: readonly string[] }[] = [
  {
    kind: "sglang",
    folder: "sglang-documented",
    model: "MiniMaxAI/MiniMax-M2",
    files: ["get_health", "get_v1_models", "unknown_route", "old_get_load"],
  },
  {
    kind: "foundry_local",
    folder: "foundry_local-documented",
    model: "qwen2.5-7b-instruct",
    files: ["err_model", "get_models_loaded", "get_status", "get_v1_models", "unknown_route"],
  },
  {
    kind: "openai",
    folder: "openai-documented",
    model: "gpt-5-mini",
    files: ["err_model", "get_v1_models", "unknown_route"],
  },
];

describe.each(DOCUMENTED)("$kind answers as $folder says", ({ kind, folder, model, files }) => {
  test.each(files)("%s", async (name) => {
    const recorded = parseRecording(readFileSync(new URL(`${folder}/${name}.txt`, ROOT), "utf8"));
    const simulator = await startSimulator({ kind, models: [model] });
    const answer = await rawRequest(simulator.port, recorded?.request ?? {});
    await simulator.close();
    expect(answer.status).toBe(recorded?.status);
    expect(bodyShape(answer.body.toString())).toEqual(bodyShape(recorded?.body.replace(/\n$/, "") ?? ""));
  });
});

test("every metric that a simulated vLLM or llama-server shows is one that the engine showed", async () => {
  const namesIn = (text: string): Set<string> =>
    new Set([...text.matchAll(/^((?:vllm|llamacpp):\w+)[ {]/gm)].map((match) => match[1] ?? ""));
  for (const [kind, folder] of [
    ["vllm", "vllm-0.32.0"],
    ["llama_cpp", "llama-server-0.5.0"],
  ] as const) {
    const simulator = await startSimulator({ kind });
    const shown = namesIn((await rawRequest(simulator.port, { path: "/metrics" })).body.toString());
    await simulator.close();
    const recorded = namesIn(readFileSync(new URL(`${folder}/get_metrics.txt`, ROOT), "utf8"));
    expect(shown.size).toBeGreaterThan(3);
    expect([...shown].filter((name) => !recorded.has(name) && !/tokens_total$/.test(name))).toEqual([]);
  }
});
