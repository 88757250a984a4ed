import { describe, expect, test } from "vitest";
import { until } from "./fault-pool.ts";
import { startRawUpstream } from "./raw-upstream.ts";
import { ALL, COUNT, type ReplicaOptions, type Replicas, type Seen, startReplicas } from "./replica-pool.ts";
import { ask } from "./wire-client.ts";

type FaultInput = Parameters<Replicas["a"]["fault"]>[0];

const restarts: ReplicaOptions = { backend: "", model: "restart_broken_streams: true" };
const both: ReplicaOptions = { model: "restart_broken_streams: true" };

/** One whole reply, as if it had come from one backend. */
function expectOne(reply: Seen): void {
  expect(reply.errors).toEqual([]);
  expect(reply.content).toBe(ALL);
  expect(reply).toMatchObject({ status: 200, whole: true, finishes: ["stop"], done: 1 });
  for (const field of ["id", "created", "model", "object"]) {
    // A dying Ollama forgets the model's name by itself.
    const values = reply.chunks.map((chunk) => chunk[field]).filter((value) => value !== "");
    expect(new Set(values).size, field).toBe(1);
  }
}

/** A beginning of the reply, the error behind it, and nothing that looks like an end. */
function expectTold(reply: Seen): void {
  expect(ALL.startsWith(reply.content)).toBe(true);
  expect(reply.errors).toMatchObject([{ code: "stream_interrupted" }]);
  expect(reply).toMatchObject({ status: 200, whole: true, finishes: [], done: 0 });
  expect(reply.chunks.at(-1)?.error).toBeDefined();
}

const breaks: readonly { what: string; fault: FaultInput }[] = [
  { what: "F23 a FIN without the last chunk", fault: { kind: "cut" } },
  { what: "F23 a clean end", fault: { kind: "clean_cut" } },
  { what: "F24 a reset", fault: { kind: "reset_midway" } },
  { what: "F25 a stall", fault: { kind: "stall" } },
  { what: "F28 a cut body that only the connection's end delimits", fault: { kind: "close_delimited_cut" } },
  { what: "F30 a line without an end", fault: { kind: "long_line" } },
  { what: "a bare error line", fault: { kind: "bare_error" } },
  { what: "finish_reason abort", fault: { kind: "abort_finish" } },
  { what: "vLLM's engine dying", fault: { kind: "vllm_engine_died", down_ms: 5000 } },
  { what: "vLLM stopped", fault: { kind: "vllm_stopped", down_ms: 5000 } },
  { what: "llama-cpp-python interrupted", fault: { kind: "interrupted" } },
  { what: "[DONE] without a finish_reason", fault: { kind: "no_finish" } },
];

describe("a reply that breaks is continued on another backend of its model:", () => {
  test.each(breaks)("$what", async ({ fault }) => {
    const pool = await startReplicas();
    pool.a.fault({ after_tokens: 17, ...fault });
    const reply = await pool.chat();
    expectOne(reply);
    expect(reply.text.match(/"role":/g)).toHaveLength(1);
    expect(reply.comments).toContain("the reply continues on b");
    expect(reply.headers).toMatchObject({ "x-signalbox-backend": "a", "x-signalbox-attempts": "1" });
    const [body] = pool.bodies("b");
    expect(body).toMatchObject({ continue_final_message: true, add_generation_prompt: false });
    const { role, content } = (body!.messages as { role: string; content: string }[]).at(-1)!;
    expect(role).toBe("assistant");
    expect(ALL.startsWith(content)).toBe(true);
    expect(content).toBe(content.trimEnd());
    expect(pool.bodies("a")[0]).not.toHaveProperty("continue_final_message");
    expect(pool.line()).toMatchObject({
      outcome: "ok",
      code: "ok",
      attempts: 2,
      tried: [
        { backend: "a", outcome: "failed" },
        { backend: "b", outcome: "ok" },
      ],
      recoveries: [{ how: "continuation", outcome: "finished", backend: "b" }],
    });
    expect(await pool.gateway.metrics()).toContain(
      'signalbox_stream_recoveries_total{model="large",how="continuation",outcome="finished"} 1',
    );
  });

  test("SGLang goes on from the text as it is", async () => {
    const pool = await startReplicas({ kinds: { a: "vllm", b: "sglang" } });
    pool.a.fault({ kind: "cut", after_tokens: 17 });
    expectOne(await pool.chat());
    expect(pool.bodies("b")[0]).toMatchObject({ continue_final_message: true });
  });

  test("Ollama's runner killed, on an engine that can go on", async () => {
    const pool = await startReplicas({ kinds: { a: "ollama" } });
    pool.a.fault({ kind: "ollama_runner_killed", after_tokens: 17 });
    expectOne(await pool.chat());
  });

  test("a second break is continued by a third backend, and the attempts are the limit", async () => {
    const pool = await startReplicas();
    pool.a.fault({ kind: "cut", after_tokens: 14 });
    pool.b.fault({ kind: "cut", after_tokens: 5 });
    expectOne(await pool.chat());
    expect(pool.line()).toMatchObject({ attempts: 3, outcome: "ok" });
    pool.c.fault({ kind: "cut", after_tokens: 3 });
    const told = await pool.chat();
    expectTold(told);
    expect(pool.line()).toMatchObject({ attempts: 3, outcome: "failed" });
    expect(pool.line().recoveries).toContainEqual(
      expect.objectContaining({ outcome: "not_tried", reason: "attempts" }),
    );
  });

  test("on the one that broke, if it is alive again and there is no other", async () => {
    const pool = await startReplicas();
    await pool.b.kill();
    await pool.c.kill();
    pool.a.fault({ kind: "cut", after_tokens: 17, times: 1 });
    const reply = await pool.chat();
    expect(pool.line().tried).toMatchObject([{ backend: "a", outcome: "failed" }, {}, {}]);
    expectTold(reply);
    const again = await startReplicas({ on: ", continue_final_message: false", backend: "" });
    again.a.fault({ kind: "cut", after_tokens: 17, times: 1 });
    expectTold(await again.chat());
    expect(again.line()).not.toHaveProperty("recoveries");
  });

  test("usage is that of one reply, and a limit holds for all of it", async () => {
    const pool = await startReplicas();
    pool.a.fault({ kind: "cut", after_tokens: 17 });
    const reply = await pool.chat({ max_tokens: 25, stream_options: { include_usage: true } });
    expect(reply).toMatchObject({ finishes: ["length"], done: 1, errors: [] });
    expect(ALL.startsWith(reply.content)).toBe(true);
    const [first, second] = [pool.bodies("a")[0]!, pool.bodies("b")[0]!];
    expect(first).toMatchObject({ max_tokens: 25, stream_options: { continuous_usage_stats: true } });
    expect(second.max_tokens).toBe(25 - 17);
    const { prompt_tokens, completion_tokens, total_tokens } = reply.usage;
    expect({ completion_tokens, total_tokens }).toEqual({ completion_tokens: 25, total_tokens: prompt_tokens + 25 });
    expect(pool.line()).toMatchObject({ output_tokens: 25, input_tokens: prompt_tokens });
    expect(reply.chunks.filter(({ usage }) => usage)).toHaveLength(1);
  });

  test("the client hears that the stream is alive, and its leaving ends whatever is under way", async () => {
    const pool = await startReplicas({
      engines: { b: { firstTokenMs: 60_000 } },
      timeouts: { first_token: "30s", total: "60s" },
    });
    pool.a.fault({ kind: "cut", after_tokens: 17 });
    const leaving = new AbortController();
    let text = "";
    const asked = ask(pool.gateway.url, {
      body: { model: "large", stream: true, messages: [{ role: "user", content: "count" }] },
      signal: leaving.signal,
      onData: (part) => {
        text += part;
      },
    });
    await until(() => pool.b.log.some(({ method }) => method === "POST"), 2000, "b is asked");
    leaving.abort();
    await asked.catch(() => {});
    await until(() => pool.b.log.at(-1)?.abortedAt !== undefined, 100, "b is let go");
    await until(() => pool.gateway.requestLines().length === 1, 500, "the line is written");
    expect(pool.line()).toMatchObject({ outcome: "client_gone", recoveries: [{ outcome: "client_gone" }] });
    expect(text).toContain('"17 "');
  });
});

test("the deadline holds for all parts together", async () => {
  const pool = await startReplicas({ engines: { b: { firstTokenMs: 60_000 } }, timeouts: { total: "700ms" } });
  pool.a.fault({ kind: "cut", after_tokens: 17 });
  const reply = await pool.chat();
  expect(reply.errors).toMatchObject([{ code: "deadline_exceeded" }]);
  expect(reply).toMatchObject({ done: 0, finishes: [] });
  expect(ALL.startsWith(reply.content)).toBe(true);
  expect(reply.ms).toBeGreaterThan(650);
  expect(reply.ms).toBeLessThan(1200);
});

test("a client that waits hears a comment each second", async () => {
  const pool = await startReplicas({ engines: { b: { firstTokenMs: 1300 } }, timeouts: { first_token: "5s" } });
  pool.a.fault({ kind: "cut", after_tokens: 17 });
  const reply = await pool.chat();
  expectOne(reply);
  expect(reply.comments).toEqual(["the reply broke off, and another backend is asked", "the reply continues on b"]);
});

test("without a retry in the budget nobody else is asked", async () => {
  const pool = await startReplicas({ budget: "0%" });
  for (let i = 0; i < 30; i++) pool.gateway.gateway.serving.retryBudget.take();
  pool.a.fault({ kind: "cut", after_tokens: 17 });
  expectTold(await pool.chat());
  expect(pool.line().recoveries).toMatchObject([{ outcome: "not_tried", reason: "retry_budget" }]);
});

const unsafe: readonly { why: string; more?: object; options?: ReplicaOptions; after?: number }[] = [
  { why: "seed", more: { seed: 7 } },
  { why: "several_choices", more: { n: 2 } },
  { why: "form", more: { response_format: { type: "json_object" } } },
  { why: "penalty", more: { presence_penalty: 0.5 } },
  { why: "member", more: { vllm_xargs: {} } },
  { why: "inside_stop", more: { stop: ["\n", "17 and"] } },
  { why: "like_a_mark", after: 1 },
  { why: "at_limit", more: { max_tokens: 17 } },
  { why: "uncounted", more: { max_tokens: 100 }, options: { kinds: { a: "ollama" } } },
  {
    why: "reasoning",
    options: { engines: { a: { script: [{ reply: { reasoning: "I count now", deltas: ALL.split(/(?<= )/) } }] } } },
  },
  {
    why: "no_backend",
    more: { tools: [{ type: "function", function: { name: "f", parameters: { type: "object" } } }] },
  },
];

test.each(unsafe)("is not continued, and told, where that is not safe: $why", async ({ why, more, options, after }) => {
  const pool = await startReplicas(options);
  pool.a.fault({ kind: why === "at_limit" ? "no_finish" : "cut", after_tokens: after ?? 17 });
  const reply = await pool.chat({ ...more });
  expect(reply.errors).toMatchObject([{ code: "stream_interrupted" }]);
  expect(reply.done).toBe(0);
  expect(pool.line().recoveries).toMatchObject([{ how: "continuation", outcome: "not_tried", reason: why }]);
  expect(pool.bodies("b")).toEqual([]);
});

describe("a reply that breaks is asked for anew, where the model allows it, and goes on where the client's part ends:", () => {
  test.each(breaks)("$what", async ({ fault }) => {
    const pool = await startReplicas(restarts);
    pool.a.fault({ after_tokens: 17, ...fault });
    const reply = await pool.chat({ seed: 7, stream_options: { include_usage: true } });
    expectOne(reply);
    expect(reply.usage.completion_tokens).toBe(COUNT);
    const { messages } = pool.bodies("b")[0] as { messages: unknown[] };
    expect(messages).toHaveLength(1);
    expect(pool.line().recoveries).toMatchObject([{ how: "restart", outcome: "finished", backend: "b" }]);
  });

  test("thoughts and text", async () => {
    const script = [{ reply: { reasoning: "I count from one to thirty.", deltas: ALL.split(/(?<= )/) } }];
    const pool = await startReplicas({ ...restarts, engines: { a: { script }, b: { script } } });
    for (const after_tokens of [2, 20]) {
      pool.a.fault({ kind: "cut", after_tokens, times: 1 });
      const reply = await pool.chat();
      expectOne(reply);
      expect(reply.reasoning).toBe("I count from one to thirty.");
    }
  });

  test("F29 a continuation that the engine refuses with 400 never surfaces", async () => {
    const pool = await startReplicas(both);
    pool.a.fault({ kind: "cut", after_tokens: 17 });
    pool.b.fault({ kind: "status", status: 400, times: 1 });
    const reply = await pool.chat();
    expectOne(reply);
    expect(reply.text).not.toContain("400");
    expect(pool.line().recoveries).toMatchObject([
      { how: "continuation", outcome: "refused" },
      { how: "restart", outcome: "finished" },
    ]);
    const alone = await startReplicas();
    alone.a.fault({ kind: "cut", after_tokens: 17 });
    alone.b.fault({ kind: "status", status: 400 });
    expectTold(await alone.chat());
    expect(alone.line()).toMatchObject({ code: "stream_interrupted", outcome: "failed" });
  });

  test("F29 another text is not taken for the rest: the break is told at once", async () => {
    const pool = await startReplicas({
      ...restarts,
      engines: { b: { script: [{ reply: { text: "1 2 3 and so on" } }] } },
    });
    pool.a.fault({ kind: "cut", after_tokens: 17 });
    const reply = await pool.chat();
    expectTold(reply);
    expect(reply.ms).toBeLessThan(500);
    expect(pool.bodies("c")).toEqual([]);
    expect(pool.line()).toMatchObject({
      backend: "a",
      recoveries: [{ how: "restart", outcome: "mismatched", backend: "b" }],
      tried: [
        { backend: "a", outcome: "failed", cause: "cut" },
        { backend: "b", outcome: "cancelled" },
      ],
    });
  });

  test("F29 a shorter text than the client has is another text", async () => {
    const pool = await startReplicas({ ...restarts, engines: { b: { script: [{ reply: { text: "1 2 3 " } }] } } });
    pool.a.fault({ kind: "cut", after_tokens: 17 });
    expectTold(await pool.chat());
  });

  describe("F36 a cut inside a tool call's arguments", () => {
    const calls = ["Paris", "Rome"].map((city) => ({ name: "f", arguments: { city, days: [1, 2, 3] } }));
    const script = [{ reply: { text: "Let me see.", tool_calls: calls } }];
    const asked = { tools: [{ type: "function", function: { name: "f", parameters: {} } }] };
    const callsOf = ({ text }: Seen) => text.match(/"name":"f"/g)?.length ?? 0;

    test("before a call was sent: the text is taken off, and the calls follow", async () => {
      const pool = await startReplicas({ ...both, engines: { a: { script }, b: { script } } });
      pool.a.fault({ kind: "cut", after_tokens: 5 });
      const reply = await pool.chat(asked);
      expect(reply).toMatchObject({ content: "Let me see.", errors: [], finishes: ["tool_calls"], done: 1 });
      expect(callsOf(reply)).toBe(2);
      expect(pool.line().recoveries).toMatchObject([
        { how: "continuation", outcome: "not_tried", reason: "held_back" },
        { how: "restart", outcome: "finished" },
      ]);
    });

    test("behind a call that was sent: the break is told, and no call is made up", async () => {
      const pool = await startReplicas({ ...both, engines: { a: { script }, b: { script } } });
      pool.a.fault({ kind: "cut", after_tokens: 14 });
      const reply = await pool.chat(asked);
      expect(reply).toMatchObject({ errors: [{ code: "stream_interrupted" }], finishes: [], done: 0 });
      expect(callsOf(reply)).toBe(1);
      expect(pool.line().recoveries).toMatchObject([
        { how: "continuation", outcome: "not_tried", reason: "tool_call" },
        { how: "restart", outcome: "not_tried", reason: "tool_call" },
      ]);
      expect(pool.bodies("b")).toEqual([]);
    });
  });
});

test("the backend that broke is told so at the break, before another one is asked", async () => {
  const pool = await startReplicas({ engines: { b: { firstTokenMs: 400 } } });
  const { state } = pool.gateway.gateway.serving.backends.get("a")!;
  pool.a.fault({ kind: "cut", after_tokens: 17 });
  const reply = pool.chat();
  await until(() => pool.b.log.some(({ method }) => method === "POST"), 1000, "b is asked");
  expect(state.inFlight).toBe(0);
  await reply;
  expect([state.inFlight, pool.gateway.gateway.serving.backends.get("b")!.state.inFlight]).toEqual([0, 0]);
});

test("a model without these settings is told of its break as ever, and asked for nothing more", async () => {
  const pool = await startReplicas({ backend: "" });
  pool.a.fault({ kind: "cut", after_tokens: 17 });
  expectTold(await pool.chat({ max_tokens: 100 }));
  expect(pool.bodies("a")[0]!.stream_options).toEqual({ include_usage: true });
  expect(pool.line()).not.toHaveProperty("recoveries");
});

test("a continuation that begins to think is another reply", async () => {
  const thinking = await startRawUpstream(({ socket }) => {
    const body = [{ role: "assistant", content: "" }, { reasoning_content: "Hm." }, { content: "18 " }]
      .map((delta) => `data: ${JSON.stringify({ id: "x", choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`)
      .join("");
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n${body}`);
  });
  const pool = await startReplicas({ urls: { b: thinking.url } });
  pool.a.fault({ kind: "cut", after_tokens: 17 });
  const reply = await pool.chat();
  expectTold(reply);
  expect(reply.reasoning).toBe("");
  expect(pool.line().recoveries).toMatchObject([{ how: "continuation", outcome: "mismatched", backend: "b" }]);
  await until(() => thinking.open === 0, 500, "it is let go");
});
