import { expect, test } from "vitest";
import { startPool, until, words } from "./fault-pool.ts";
import { chunkOf, LAST_CHUNK, STREAM_HEAD, startRawUpstream } from "./raw-upstream.ts";

const modes = [
  { mode: "streamed", stream: true },
  { mode: "whole", stream: false },
];

test.each(modes)(
  "llama-server that loads its model is neither asked nor blamed, and is used when it is ready ($mode)",
  async ({ stream }) => {
    const pool = await startPool({
      kind: "llama_cpp",
      primary: { loadMs: 600 },
      defaults: "probe: { interval: 50ms, timeout: 500ms }",
    });
    const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
    expect(state.health.status).toBe("loading");
    expect(await pool.chat(stream)).toMatchObject({ status: 200, content: words.fallback });
    expect(pool.seen("primary")).toHaveLength(0);
    await until(() => state.health.status === "ready", 2000, "the model is loaded");
    expect(await pool.chat(stream)).toMatchObject({ status: 200, content: words.primary });
    expect(state.breaker).toBe("closed");
  },
);

test("llama-server that says «Loading model» before its probe does: the fallback answers, and nothing is held against it", async () => {
  const pool = await startPool({ kind: "llama_cpp" });
  await pool.primary.kill();
  await pool.primary.revive();
  pool.primary.fault({
    kind: "status",
    status: 503,
    body: { error: { message: "Loading model", type: "unavailable_error", code: 503 } },
  });
  for (let i = 0; i < 5; i++) expect(await pool.chat(true)).toMatchObject({ status: 200, content: words.fallback });
  expect(pool.breakerOf("primary")).toBe("closed");
  expect(pool.lastLine().outcome).toBe("ok");
});

test("llama-server alone and loading: 503 that says when to come back", async () => {
  const pool = await startPool({ kind: "llama_cpp", fallback: false, primary: { loadMs: 5000 } });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ status: 503, error: { code: "backends_overloaded" } });
  expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  expect(answer.ms).toBeLessThan(50);
});

test("llama-server that queues a stream sends no headers meanwhile: within the limit it is neither down nor failed", async () => {
  const pool = await startPool({
    kind: "llama_cpp",
    primary: { slots: 1, tokensPerSecond: 80 },
    timeouts: { first_token: 3000 },
    defaults: "probe: { interval: 50ms, timeout: 500ms }",
  });
  const answers = await Promise.all([pool.chat(true), pool.chat(true), pool.chat(true)]);
  for (const answer of answers) expect(answer).toMatchObject({ status: 200, content: words.primary, done: true });
  expect(Math.max(...answers.map(({ headersMs }) => headersMs))).toBeGreaterThan(800);
  const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
  expect(state).toMatchObject({ breaker: "closed", health: { status: "ready" } });
  expect(pool.seen("primary")).toHaveLength(3);
});

test("vLLM sends headers at once and then nothing while it queues: the same", async () => {
  const pool = await startPool({
    kind: "vllm",
    primary: { slots: 1, tokensPerSecond: 80 },
    timeouts: { first_token: 3000 },
  });
  const answers = await Promise.all([pool.chat(true), pool.chat(true), pool.chat(true)]);
  for (const answer of answers) expect(answer).toMatchObject({ status: 200, content: words.primary, done: true });
  expect(pool.breakerOf("primary")).toBe("closed");
  expect(pool.seen("fallback")).toHaveLength(0);
});

test("Ollama that loads a model is given its cold start, and the load is not given up", async () => {
  const pool = await startPool({
    kind: "ollama",
    primary: { loadMs: 1200 },
    timeouts: { first_token: 200, cold_start: 3000 },
  });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ status: 200, content: words.primary, done: true });
  expect(answer.ms).toBeGreaterThan(1000);
  expect(answer.headers["x-signalbox-attempts"]).toBe("1");
  expect(pool.primary.stats().abortedLoads).toBe(0);
});

test("a cold start has its limit", async () => {
  const pool = await startPool({
    kind: "ollama",
    primary: { loadMs: 20_000 },
    timeouts: { first_token: 100, cold_start: 700 },
  });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ status: 200, content: words.fallback });
  expect(answer.ms).toBeGreaterThan(650);
  expect(answer.ms).toBeLessThan(1000);
});

test("an engine that closes its connections after 100 requests loses none of 350", async () => {
  const pool = await startPool({ kind: "llama_cpp", fallback: false });
  let attempts = 0;
  for (let i = 0; i < 350; i++) {
    const answer = await pool.chat(i % 2 === 0);
    expect(answer.status, `request ${i}: ${answer.text}`).toBe(200);
    expect(answer.content).toBe(words.primary);
    attempts += Number(answer.headers["x-signalbox-attempts"]);
  }
  expect(attempts).toBeLessThan(360);
  expect(pool.breakerOf("primary")).toBe("closed");
});

test("an engine that closes its connections after every answer, without saying so, loses none", async () => {
  const body = `data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`;
  const upstream = await startRawUpstream(
    ({ socket }) => void socket.end(`${STREAM_HEAD}${chunkOf(body)}${LAST_CHUNK}`),
  );
  const pool = await startPool({ url: upstream.url, fallback: false });
  for (let i = 0; i < 100; i++) expect(await pool.chat(true)).toMatchObject({ status: 200, content: "Hi", done: true });
  expect(pool.breakerOf("primary")).toBe("closed");
});

test("the ids of two streams may be the same: each client gets its own words", async () => {
  const upstream = await startRawUpstream(({ socket, request }) => {
    const word = /"say (\w+)"/.exec(request)![1];
    const chunk = (content: string, created: number, finish: string | null) =>
      chunkOf(
        `data: ${JSON.stringify({ id: "chatcmpl-470", created, choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`,
      );
    socket.write(STREAM_HEAD);
    let count = 0;
    const timer = setInterval(() => {
      if (count++ < 5) return void socket.write(chunk(`${word} `, count, null));
      clearInterval(timer);
      socket.write(`${chunk("", count, "stop")}${chunkOf("data: [DONE]\n\n")}${LAST_CHUNK}`);
    }, 2);
  });
  const pool = await startPool({ url: upstream.url, fallback: false });
  const names = Array.from({ length: 20 }, (_, i) => `word${i}`);
  const answers = await Promise.all(
    names.map((name) => pool.chat(true, { messages: [{ role: "user", content: `say ${name}` }] })),
  );
  for (const [i, answer] of answers.entries()) {
    expect(answer.content).toBe(`${names[i]} `.repeat(5));
    expect(new Set(answer.chunks.map(({ id }) => id))).toEqual(new Set(["chatcmpl-470"]));
    expect(answer.chunks.map(({ created }) => created)).toEqual([1, 2, 3, 4, 5, 6]);
  }
});

test("vLLM's two ways to be full both lead to the fallback, and neither is a failure", async () => {
  const pool = await startPool();
  for (let i = 0; i < 2; i++) {
    pool.primary.fault(
      i % 2 === 0 ? { kind: "error_event", code: 503, times: 1 } : { kind: "status", status: 503, times: 1 },
    );
    expect(await pool.chat(true)).toMatchObject({ status: 200, content: words.fallback });
    const state = pool.gateway.gateway.serving.backends.get("primary")!.state.deployment("big");
    expect(state.breaker).toBe("closed");
    expect(state.coolingUntil).toBeGreaterThan(0);
    await until(() => state.coolingUntil <= performance.now(), 9000, "it has cooled down");
  }
  expect(pool.seen("primary")).toHaveLength(2);
});
