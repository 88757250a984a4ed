import { expect, test } from "vitest";
import type { Get } from "./kind.ts";
import { kinds } from "./kinds.ts";
import { readRecording, replay } from "./recording.ts";

/** An engine's recording, with some of its answers replaced. */
function replayWith(engine: string, changed: Record<string, { status?: number; text?: string }>): Get {
  const get = replay(engine);
  return async (path) => {
    const change = changed[path];
    return change === undefined ? get(path) : { status: change.status ?? 200, headers: {}, text: change.text ?? "" };
  };
}

const textOf = (name: string) => readRecording(name).body.toString("utf8");

test("SGLang: the aggregate of /v1/loads is used where it lists no ranks", async () => {
  const text = '{"aggregate":{"total_running_reqs":4,"total_waiting_reqs":2,"token_usage":0.3}}';
  const found = await kinds.sglang.probe(replayWith("sglang-documented", { "/v1/loads": { text } }));
  expect(found).toMatchObject({ load: { running: 4, waiting: 2, kvUse: 0.3 } });
});

test("SGLang: a server without /v1/loads tells by /get_load, whose count includes those that wait", async () => {
  const get = replayWith("sglang-documented", {
    "/v1/loads": { status: 404 },
    "/get_load": { text: textOf("sglang-documented/old_get_load.txt") },
  });
  expect(await kinds.sglang.probe(get)).toMatchObject({ status: "ready", load: { running: 5, waiting: 2 } });
});

test("SGLang: where /v1/loads fails, the metrics tell", async () => {
  const get = replayWith("sglang-documented", {
    "/v1/loads": { status: 500 },
    "/metrics": { text: textOf("sglang-documented/flag_metrics.txt") },
  });
  expect(await kinds.sglang.probe(get)).toMatchObject({ load: { running: 7, waiting: 2, kvUse: 0.62 } });
});

test("vLLM: engines behind one server are added up, and the fullest cache counts", async () => {
  const text = [
    'vllm:num_requests_running{engine="0",model_name="tiny"} 4.0',
    'vllm:num_requests_running{engine="1",model_name="tiny"} 3.0',
    'vllm:num_requests_waiting{engine="0",model_name="tiny"} 2.0',
    'vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 9.0',
    'vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 0.25',
    'vllm:kv_cache_usage_perc{engine="1",model_name="tiny"} 0.75',
  ].join("\n");
  const found = await kinds.vllm.probe(replayWith("vllm-0.32.0", { "/metrics": { text } }));
  expect(found).toMatchObject({ load: { running: 7, waiting: 2, kvUse: 0.75 } });
});

test("vLLM: older versions name the cache after the GPU", async () => {
  const text = 'vllm:gpu_cache_usage_perc{model_name="tiny"} 0.5';
  const found = await kinds.vllm.probe(replayWith("vllm-0.32.0", { "/metrics": { text } }));
  expect(found).toMatchObject({ load: { kvUse: 0.5 } });
});

test("vLLM: /load counts where there are no metrics, and its zero says nothing", async () => {
  const without = { "/metrics": { status: 404 } };
  const counting = await kinds.vllm.probe(
    replayWith("vllm-0.32.0", { ...without, "/load": { text: '{"server_load":3}' } }),
  );
  expect(counting).toMatchObject({ load: { running: 3 } });
  expect(await kinds.vllm.probe(replayWith("vllm-0.32.0", without))).not.toHaveProperty("load");
});

test("vLLM: an engine that sleeps is not ready", async () => {
  const text = 'vllm:engine_sleep_state{engine="0",sleep_state="awake"} 0.0\nvllm:num_requests_running{engine="0"} 0';
  const found = await kinds.vllm.probe(replayWith("vllm-0.32.0", { "/metrics": { text } }));
  expect(found).toMatchObject({ status: "down", reason: expect.stringContaining("asleep") });
});

test("vLLM: 503 on /health is an engine that died", async () => {
  const found = await kinds.vllm.probe(replayWith("vllm-0.32.0", { "/health": { status: 503 } }));
  expect(found).toEqual({ status: "down", reason: "503 on /health" });
});

test("vLLM: asks for load on every answer, and reads it in both forms", () => {
  expect(kinds.vllm.requestHeaders).toEqual({ "endpoint-load-metrics-format": "JSON" });
  const read = (headers: Record<string, string>) => kinds.vllm.loadFromHeaders?.(headers);
  expect(read(readRecording("vllm-0.32.0/orca.txt").headers)).toEqual({ waiting: 0, kvUse: 0 });
  expect(read(readRecording("vllm-0.32.0/orca_text.txt").headers)).toEqual({ waiting: 0, kvUse: 0 });
  expect(read(readRecording("vllm-0.32.0/orca_stream.txt").headers)).toBeUndefined();
  const text = "TEXT named_metrics.num_requests_waiting=3.0, named_metrics.kv_cache_utilization=0.4";
  expect(read({ "endpoint-load-metrics": text })).toEqual({ waiting: 3, kvUse: 0.4 });
});

test("Ollama: nothing is in memory before the first request, and then its context is unknown", async () => {
  const found = await kinds.ollama.probe(replayWith("ollama-0.33.0", { "/api/ps": { text: '{"models":[]}' } }));
  expect(found).toMatchObject({
    models: [
      { id: "gemma-plain:latest", loaded: false },
      { id: "gemma:latest", loaded: false },
    ],
  });
  expect(JSON.stringify(found)).not.toContain("context");
});

test.each(["sglang", "vllm", "llamacpp"])(
  "Ollama: its paths on a server whose models %s owns are not Ollama",
  async (owner) => {
    const text = JSON.stringify({ object: "list", data: [{ id: "m", owned_by: owner }] });
    expect(await kinds.ollama.recognise(replayWith("ollama-0.33.0", { "/v1/models": { text } }))).toBe(false);
  },
);

test("Ollama: without an answer on /api/ps it is not known what is loaded", async () => {
  const found = await kinds.ollama.probe(replayWith("ollama-0.33.0", { "/api/ps": { status: 500 } }));
  expect(JSON.stringify(found)).not.toContain("loaded");
});

test("Ollama: a fresh one has no models, which Go writes as null", async () => {
  const found = await kinds.ollama.probe(replayWith("ollama-0.33.0", { "/api/tags": { text: '{"models":null}' } }));
  expect(found).toMatchObject({ status: "ready", models: [] });
});

test("llama.cpp: slots tell who works where metrics are off", async () => {
  const props = textOf("llama-server-0.5.0/get_props.txt").replace(
    '"endpoint_metrics":true',
    '"endpoint_metrics":false',
  );
  const slots = [true, false].map((is_processing, id) => ({ id, n_ctx: 2048, is_processing }));
  const get = replayWith("llama-server-0.5.0", {
    "/props": { text: props },
    "/slots": { text: JSON.stringify(slots) },
  });
  expect(await kinds.llama_cpp.probe(get)).toMatchObject({ load: { running: 1, slots: 2 } });
});

test("llama.cpp: a busy slot is counted as it was recorded", async () => {
  const get = replayWith("llama-server-0.5.0", {
    "/props": { status: 401 },
    "/slots": { text: textOf("llama-server-0.5.0/slots_busy.json") },
  });
  expect(await kinds.llama_cpp.probe(get)).toMatchObject({ load: { running: expect.any(Number) } });
  expect(await kinds.llama_cpp.probe(get)).not.toMatchObject({ load: { running: 0 } });
});

test.each([401, 501])("llama.cpp: %i on everything that tells its load still is ready", async (status) => {
  const get = replayWith("llama-server-0.5.0", { "/props": { status }, "/slots": { status }, "/metrics": { status } });
  const found = await kinds.llama_cpp.probe(get);
  expect(found).toMatchObject({ status: "ready", models: [{ id: "gemma", context: 2048 }] });
  expect(found).not.toHaveProperty("load");
});

test("llama.cpp: no free slot is busy, not down", async () => {
  const full = { status: 503, text: '{"status":"no slot available"}' };
  expect(await kinds.llama_cpp.probe(replayWith("llama-server-0.5.0", { "/health": full }))).toMatchObject({
    status: "ready",
  });
});

test("llama.cpp: a server that sleeps has its model out of memory", async () => {
  const text = textOf("llama-server-0.5.0/get_props.txt").replace('"is_sleeping":false', '"is_sleeping":true');
  const found = await kinds.llama_cpp.probe(replayWith("llama-server-0.5.0", { "/props": { text } }));
  expect(found).toMatchObject({ status: "ready", models: [{ id: "gemma", loaded: false }] });
});

test("llama.cpp: a server of several models says which are loaded", async () => {
  const data = [
    { id: "a", owned_by: "llamacpp", aliases: ["Ay"], status: { value: "loaded" } },
    { id: "b", owned_by: "llamacpp", status: { value: "unloaded" } },
  ];
  const get = replayWith("llama-server-0.5.0", { "/v1/models": { text: JSON.stringify({ object: "list", data }) } });
  expect(await kinds.llama_cpp.probe(get)).toMatchObject({
    models: [
      { id: "a", aliases: ["Ay"], loaded: true },
      { id: "b", loaded: false },
    ],
  });
});

test("Foundry Local 0.x: what is loaded is known also where nothing is listed", async () => {
  const found = await kinds.foundry_local.probe(replay("foundry_local-0.x-documented"));
  expect(found).toMatchObject({ status: "ready", models: [{ id: "Phi-4-mini-instruct-generic-cpu:5", loaded: true }] });
});

test.each([404, 405, 429])("OpenAI-compatible: %i on the listing still is ready", async (status) => {
  expect(await kinds.openai.probe(replayWith("openai-documented", { "/v1/models": { status } }))).toEqual({
    status: "ready",
  });
});

test("OpenAI-compatible: a refused key is down, and says so", async () => {
  const found = await kinds.openai.probe(replayWith("openai-documented", { "/v1/models": { status: 401 } }));
  expect(found).toEqual({ status: "down", reason: "401 on /v1/models: the key for this backend is wrong or missing" });
});
