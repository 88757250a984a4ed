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
