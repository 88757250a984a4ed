import { startSimulator } from "@signalbox/simulator";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Pool, type PoolOptions, startPool, until, words } from "./fault-pool.ts";
import { chunkOf, LAST_CHUNK, recordedBody, STREAM_HEAD, startRawUpstream } from "./raw-upstream.ts";
import { type Answer, ask, type Reading, readAnswer } from "./wire-client.ts";

type FaultInput = Parameters<Pool["primary"]["fault"]>[0];

/** What was promised for a reply that breaks after its first content: its tokens so far, an error event, no end that looks good. */
function expectBroken(answer: Answer & Reading, whole: string): void {
  expect(answer.status).toBe(200);
  expect(answer.whole).toBe(true);
  expect(whole.startsWith(answer.content)).toBe(true);
  expect(answer.content).not.toBe("");
  expect(answer.finishes).toEqual([]);
  expect(answer.done).toBe(false);
  expect(answer.error).toMatchObject({ code: "stream_interrupted", type: "upstream_error" });
  expect(answer.chunks.at(-1)?.error).toBeDefined();
}

const breaks: readonly { fault: FaultInput; what: string; cause: string; tokens?: number; options?: PoolOptions }[] = [
  { fault: { kind: "cut", after_tokens: 5 }, what: "F23 a FIN without the last chunk", cause: "cut" },
  { fault: { kind: "clean_cut", after_tokens: 5 }, what: "F23 a clean end", cause: "cut" },
  { fault: { kind: "reset_midway", after_tokens: 5 }, what: "F24 a reset", cause: "cut", tokens: 0 },
  { fault: { kind: "stall", after_tokens: 5 }, what: "F25 a stall", cause: "stall" },
  {
    fault: { kind: "close_delimited_cut", after_tokens: 5 },
    what: "F28 a cut body that only the connection's end delimits",
    cause: "cut",
  },
  { fault: { kind: "long_line", after_tokens: 5 }, what: "F30 a line of 32 MB", cause: "malformed" },
  { fault: { kind: "no_finish" }, what: "[DONE] without a finish_reason", cause: "cut", tokens: 40 },
  { fault: { kind: "bare_error", after_tokens: 5 }, what: "a bare error line", cause: "server_error" },
  { fault: { kind: "abort_finish", after_tokens: 5 }, what: "finish_reason abort", cause: "cut" },
  { fault: { kind: "vllm_engine_died", after_tokens: 5 }, what: "vLLM's engine dying", cause: "server_error" },
  { fault: { kind: "vllm_stopped", after_tokens: 5 }, what: "vLLM stopped", cause: "cut" },
  {
    fault: { kind: "ollama_runner_killed", after_tokens: 5 },
    what: "Ollama's runner killed",
    cause: "cut",
    options: { kind: "ollama" },
  },
  {
    fault: { kind: "llama_stopped", after_tokens: 5 },
    what: "llama-server stopped",
    cause: "cut",
    options: { kind: "llama_cpp" },
  },
  {
    fault: { kind: "interrupted", after_tokens: 5 },
    what: "llama-cpp-python interrupted",
    cause: "cut",
    options: { kind: "llama_cpp" },
  },
];

describe("after the first content a broken reply ends in an error event, and is a failure:", () => {
  test.each(breaks)("$what", async ({ fault, cause, tokens = 5, options }) => {
    const pool = await startPool(options);
    pool.primary.fault(fault);
    const answer = await pool.chat(true);
    expectBroken(answer, words.primary);
    expect(answer.content.split(" ").length - 1).toBeGreaterThanOrEqual(tokens);
    expect(pool.lastLine()).toMatchObject({
      status: 200,
      outcome: "failed",
      code: "stream_interrupted",
      backend: "primary",
    });
    expect(pool.seen("primary")).toHaveLength(1);
    expect(pool.seen("fallback")).toHaveLength(0);
    expect(await pool.gateway.metrics()).toMatch(
      new RegExp(`signalbox_attempts_total\\{[^}]*backend="primary"[^}]*cause="${cause}"[^}]*\\} 1`),
    );
    for (let i = 0; i < 2; i++) await pool.chat(true);
    expect(pool.breakerOf("primary")).toBe("open");
    if (pool.primary.log.at(-1)?.endedAt === undefined) {
      await until(() => pool.primary.log.at(-1)?.abortedAt !== undefined, 200, "the primary's connection is closed");
    }
  });
});

test("F25 a stall is told at the idle limit, give or take a tenth of a second, and probes go on", async () => {
  const pool = await startPool({ timeouts: { idle: 300 }, defaults: "probe: { interval: 50ms, timeout: 500ms }" });
  pool.primary.fault({ kind: "stall", after_tokens: 5 });
  let lastToken = 0;
  const { url } = pool.gateway;
  const answer = await ask(url, {
    body: { model: "large", stream: true, messages: [{ role: "user", content: "count" }] },
    onData: (text) => {
      if (text.includes('"content":"p4')) lastToken = performance.now();
    },
  });
  const waited = performance.now() - lastToken;
  expect(readAnswer(answer).error?.code).toBe("stream_interrupted");
  expect(waited).toBeGreaterThan(290);
  expect(waited).toBeLessThan(420);
  expect(pool.gateway.gateway.serving.backends.get("primary")!.state.health.status).toBe("ready");
});

const harmless: readonly { fault: FaultInput; what: string; malformed?: number }[] = [
  { fault: { kind: "malformed_event" }, what: "F26 one event that is not JSON" },
  { fault: { kind: "no_done" }, what: "F27 no [DONE] behind the finish_reason" },
  { fault: { kind: "split_bytes", size: 1 }, what: "F33 one byte per chunk" },
  { fault: { kind: "split_bytes", size: 7 }, what: "F31 seven bytes per chunk" },
  ...["crlf", "cr", "multi_line", "comments", "event_lines", "no_space", "bom"].map((style) => ({
    fault: { kind: "sse_style" as const, style },
    what: `F34 events written as ${style}`,
  })),
  { fault: { kind: "after_done" }, what: "F35 chunks behind [DONE]" },
  { fault: { kind: "duplicate_finish" }, what: "F35 every finish_reason twice" },
];

describe("what does not break a reply leaves it whole:", () => {
  test.each(harmless)("$what", async ({ fault }) => {
    const pool = await startPool();
    pool.primary.fault(fault);
    const answer = await pool.chat(true, { stream_options: { include_usage: true } });
    expect(answer).toMatchObject({
      status: 200,
      whole: true,
      content: words.primary,
      finishes: ["stop"],
      done: true,
      error: undefined,
    });
    expect(answer.text.match(/\[DONE\]/g)).toHaveLength(1);
    expect(answer.usage?.completion_tokens).toBe(40);
    expect(answer.ms).toBeLessThan(1000);
    expect(answer.headers).toMatchObject({ "x-signalbox-attempts": "1", "x-signalbox-backend": "primary" });
    expect(pool.lastLine()).toMatchObject({ outcome: "ok", output_tokens: 40 });
    expect(pool.breakerOf("primary")).toBe("closed");
  });
});

test("F26 an event that is left out is counted", async () => {
  const pool = await startPool();
  pool.primary.fault({ kind: "malformed_event" });
  await pool.chat(true);
  expect(await pool.gateway.metrics()).toMatch(/malformed[^\n]* 1\n/);
});

test("F27 an engine that says nothing behind its finish_reason is waited for one second, and the reply is complete", async () => {
  const silent = await startRawUpstream(({ socket }) => {
    socket.write(`${STREAM_HEAD}${chunkOf(event("Hi"))}${chunkOf(event("", "stop"))}`);
  });
  const pool = await startPool({ url: silent.url, fallback: false, timeouts: { idle: 5000 } });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ content: "Hi", finishes: ["stop"], done: true, error: undefined });
  expect(answer.ms).toBeGreaterThan(900);
  expect(answer.ms).toBeLessThan(1200);
  expect(pool.lastLine()).toMatchObject({ outcome: "ok" });
  await until(() => silent.requests.length === 1 && silent.open === 0, 200, "the connection is let go");
});

function event(content: string, finish_reason: string | null = null, more: object = {}): string {
  const choice = { index: 0, delta: { ...more, content }, finish_reason };
  return `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", model: "big", choices: [choice] })}\n\n`;
}

const DONE = "data: [DONE]\n\n";

test("F31 a stream cut in two at every byte comes out the same", async () => {
  const body =
    event("Grüße, 世界 👋🏽", null, { role: "assistant" }) + event(" \u2028 and \\n") + event("", "stop") + DONE;
  const bytes = Buffer.from(body);
  let at = 0;
  const upstream = await startRawUpstream(({ socket }) => {
    const [one, two] = [bytes.subarray(0, at), bytes.subarray(at)];
    const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    socket.write(Buffer.concat([Buffer.from(`${head}content-length: ${bytes.length}\r\n\r\n`), one]), () =>
      socket.write(two),
    );
  });
  const pool = await startPool({ url: upstream.url, fallback: false });
  for (at = 1; at < bytes.length; at++) expect((await pool.chat(true)).text).toBe(body);
  expect(upstream.requests).toHaveLength(bytes.length - 1);
});

test("F32 bytes that are not UTF-8 do no harm", async () => {
  const pool = await startPool();
  pool.primary.fault({ kind: "invalid_utf8" });
  const answer = await pool.chat(true);
  expect(answer.status).toBe(200);
  expect(answer.done).toBe(true);
  expect(answer.content.replaceAll("\ufffd", "")).toBe(words.primary);
  expect((await pool.chat(true)).done).toBe(true);
});

describe("F36 a reply cut inside a tool call's arguments", () => {
  const call = { name: "weather", arguments: { city: "Paris", days: [1, 2, 3, 4, 5, 6, 7, 8, 9] } };
  const asked = { tools: [{ type: "function", function: { name: "weather", parameters: { type: "object" } } }] };
  const hasCalls = ({ chunks }: Reading) =>
    chunks.some(({ choices }) => choices?.some(({ delta }) => delta?.tool_calls !== undefined));

  test("goes to the fallback: a call is sent when it is complete, so nothing was", async () => {
    const pool = await startPool({ primary: { script: [{ reply: { tool_calls: [call] } }] } });
    pool.primary.fault({ kind: "cut", after_tokens: 2 });
    const answer = await pool.chat(true, asked);
    expect(answer).toMatchObject({ status: 200, content: words.fallback, finishes: ["stop"], done: true });
    expect(answer.headers).toMatchObject({ "x-signalbox-model": "small", "x-signalbox-attempts": "2" });
    expect(pool.lastLine().tried).toMatchObject([
      { backend: "primary", outcome: "failed", cause: "cut" },
      { backend: "fallback", outcome: "ok" },
    ]);
  });

  test("is an honest status where there is no other backend", async () => {
    const pool = await startPool({ primary: { script: [{ reply: { tool_calls: [call] } }] }, fallback: false });
    pool.primary.fault({ kind: "cut", after_tokens: 2 });
    const answer = await pool.chat(true, asked);
    expect(answer).toMatchObject({ status: 502, error: { code: "upstream_failed" } });
    expect(pool.lastLine()).toMatchObject({ status: 502, code: "upstream_failed", attempts: 1 });
  });

  test("behind text that was sent ends in an error event: what was held back is text, and no call", async () => {
    const script = [{ reply: { deltas: ["Let me ", "see.\n"], tool_calls: [call] } }];
    const pool = await startPool({ primary: { script } });
    pool.primary.fault({ kind: "cut", after_tokens: 4 });
    const answer = await pool.chat(true, asked);
    expectBroken(answer, `Let me see.\n${JSON.stringify(call.arguments)}`);
    expect(answer.content.length).toBeGreaterThan("Let me see.\n".length);
    expect(hasCalls(answer)).toBe(false);
    expect(pool.lastLine()).toMatchObject({ outcome: "failed", code: "stream_interrupted", backend: "primary" });
    expect(await pool.gateway.metrics()).toContain(
      'signalbox_tool_calls_total{backend="primary",model="large",dialect="engine",outcome="failed"} 1',
    );
  });
});

test.each([
  { variant: "null", tokens: 40 },
  { variant: "missing", tokens: 40 },
  { variant: "early", tokens: 40 },
  { variant: "cumulative", tokens: 40 },
])("F37 usage that is $variant is put down right", async ({ variant, tokens }) => {
  const pool = await startPool();
  pool.primary.fault({ kind: "usage", variant });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ content: words.primary, finishes: ["stop"], done: true });
  expect(pool.lastLine()).toMatchObject({ outcome: "ok", output_tokens: tokens });
});

describe("recorded byte for byte, as the engines sent it:", () => {
  /** Plays a recording behind an engine of that kind that answers the probes. */
  async function play(kind: "vllm" | "ollama" | "llama_cpp", body: string, tail: string): Promise<Pool> {
    const engine = await startSimulator({ kind, models: ["big"] });
    onTestFinished(() => engine.close());
    const bytes = Buffer.from(`${STREAM_HEAD}${chunkOf(body)}${tail}`, "latin1");
    const { url } = await startRawUpstream(({ socket }) => void socket.end(bytes), engine.url);
    return startPool({ url, kind });
  }
  const whole = { tail: LAST_CHUNK };
  const gone = { tail: "" };
  test.each([
    { name: "vllm-0.32.0/real-enginedeath.txt", kind: "vllm" as const, ...whole, code: "stream_interrupted" },
    { name: "vllm-0.32.0/noparser-term.txt", kind: "vllm" as const, ...whole, code: "stream_interrupted" },
    { name: "ollama-0.33.0/runnerkill.txt", kind: "ollama" as const, ...whole, code: "stream_interrupted" },
    { name: "llama-server-0.5.0/term.txt", kind: "llama_cpp" as const, ...gone, code: "stream_interrupted" },
    { name: "llama-cpp-python-0.3.36/conA.txt", kind: "llama_cpp" as const, ...gone, code: "stream_interrupted" },
  ])("$name is not complete", async ({ name, kind, tail, code }) => {
    // Of some only the end was kept.
    const pool = await play(kind, event("Hi") + recordedBody(name), tail);
    const answer = await pool.chat(true);
    expect(answer).toMatchObject({ status: 200, finishes: [], done: false, error: { code } });
    expect(answer.content.length).toBeGreaterThan(0);
    expect(pool.lastLine()).toMatchObject({ outcome: "failed", backend: "primary", attempts: 1 });
  });

  test.each([
    { name: "vllm-0.32.0/real-q8.txt", kind: "vllm" as const, outcome: { outcome: "backpressure" } },
    {
      name: "llama-cpp-python-0.3.36/err_toolong_stream.txt",
      kind: "llama_cpp" as const,
      outcome: { outcome: "failed", cause: "cut" },
    },
  ])("$name goes to the fallback before anything was sent", async ({ name, kind, outcome }) => {
    const pool = await play(kind, recordedBody(name), LAST_CHUNK);
    const answer = await pool.chat(true);
    expect(answer).toMatchObject({ status: 200, content: words.fallback, finishes: ["stop"], done: true });
    expect(answer.headers).toMatchObject({ "x-signalbox-model": "small", "x-signalbox-attempts": "2" });
    expect(pool.lastLine().tried).toMatchObject([
      { backend: "primary", ...outcome },
      { backend: "fallback", outcome: "ok" },
    ]);
  });

  test.each([
    { name: "vllm-0.32.0/chat_stream.txt", kind: "vllm" as const },
    { name: "vllm-0.32.0/tools_auto_stream.txt", kind: "vllm" as const },
    { name: "ollama-0.33.0/chat_stream.txt", kind: "ollama" as const },
    { name: "llama-server-0.5.0/chat_stream.txt", kind: "llama_cpp" as const },
    { name: "llama-server-0.5.0/tools_auto_stream.txt", kind: "llama_cpp" as const },
  ])("$name leaves byte for byte: ids, created and all", async ({ name, kind }) => {
    const body = recordedBody(name);
    const pool = await play(kind, body, LAST_CHUNK);
    const answer = await ask(pool.gateway.url, {
      body: {
        model: "large",
        stream: true,
        messages: [{ role: "user", content: "x" }],
        stream_options: { include_usage: true },
      },
    });
    expect(answer.text.trimEnd()).toBe(Buffer.from(body, "latin1").toString("utf8").trimEnd());
    expect(pool.lastLine()).toMatchObject({ outcome: "ok", backend: "primary" });
  });
});
