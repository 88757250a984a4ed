import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import { startBlackhole } from "./blackhole.ts";
import { chatBody, inferenceOf, type Pool, type PoolOptions, startPool, until, words } from "./fault-pool.ts";
import { type Answer, ask, type Reading, readAnswer } from "./wire-client.ts";

type FaultInput = Parameters<Pool["primary"]["fault"]>[0];

const modes = [
  { mode: "streamed", stream: true },
  { mode: "whole", stream: false },
];

/** The fallback's whole answer, under its own name, and nothing of the primary's. */
function expectFallback(answer: Answer & Reading, stream: boolean, attempts = 2): void {
  expect(answer.status).toBe(200);
  expect(answer.whole).toBe(true);
  expect(answer.content).toBe(words.fallback);
  expect(answer.finishes).toEqual(["stop"]);
  expect(answer.done).toBe(stream);
  expect(answer.error).toBeUndefined();
  expect(answer.headers).toMatchObject({
    "x-signalbox-model": "small",
    "x-signalbox-backend": "fallback",
    "x-signalbox-attempts": String(attempts),
  });
  expect(answer.chunks.every(({ model }) => model === "tiny")).toBe(true);
}

interface Case {
  readonly fault: FaultInput;
  readonly what: string;
  readonly modes?: typeof modes;
  readonly options?: PoolOptions;
  /** POST requests that the primary sees. */
  readonly tries?: number;
  /** How the primary's attempt is put down. */
  readonly outcome: { readonly outcome: string; readonly cause?: string };
  readonly atMostMs?: number;
}

const failed = (cause: string) => ({ outcome: "failed", cause });
const busy = { outcome: "backpressure" };

const whole = modes.slice(1);
const streamed = modes.slice(0, 1);

const cases: readonly Case[] = [
  {
    fault: { kind: "silence" },
    what: "F04 no answer at all",
    modes: streamed,
    outcome: failed("first_token"),
    atMostMs: 700,
  },
  {
    fault: { kind: "silence" },
    what: "F04 no answer at all",
    modes: whole,
    options: { timeouts: { first_token: 50 } },
    outcome: failed("first_token"),
    atMostMs: 900,
  },
  { fault: { kind: "reset" }, what: "F05 a reset before headers", tries: 2, outcome: failed("reset"), atMostMs: 200 },
  {
    fault: { kind: "status", status: 500 },
    what: "F07 a lasting 500",
    tries: 2,
    outcome: failed("server_error"),
    atMostMs: 700,
  },
  { fault: { kind: "status", status: 503 }, what: "F08 a lasting 503", outcome: busy, atMostMs: 200 },
  {
    fault: { kind: "status", status: 429, retry_after: 2 },
    what: "F09 a 429 with Retry-After",
    outcome: busy,
    atMostMs: 200,
  },
  { fault: { kind: "status", status: 429 }, what: "F10 a 429 without Retry-After", outcome: busy, atMostMs: 200 },
  {
    fault: { kind: "headers_then_silence" },
    what: "F11 headers and then nothing",
    modes: streamed,
    outcome: failed("first_token"),
    atMostMs: 700,
  },
  {
    fault: { kind: "pings", interval_ms: 50 },
    what: "F11 nothing but comments",
    modes: streamed,
    outcome: failed("first_token"),
    atMostMs: 700,
  },
  {
    fault: { kind: "error_event", code: 503 },
    what: "F12 a busy event and [DONE]",
    modes: streamed,
    outcome: busy,
    atMostMs: 200,
  },
  {
    fault: { kind: "error_event", code: 500 },
    what: "F12 an error event and [DONE]",
    modes: streamed,
    tries: 2,
    outcome: failed("server_error"),
    atMostMs: 700,
  },
  { fault: { kind: "error_under_200", code: 503 }, what: "F13 a busy error under 200", outcome: busy, atMostMs: 200 },
  {
    fault: { kind: "error_under_200", code: "server_error" },
    what: "F13 an error under 200",
    tries: 2,
    outcome: failed("server_error"),
    atMostMs: 700,
  },
  {
    fault: { kind: "html", status: 502 },
    what: "F14 an HTML page under 502",
    tries: 2,
    outcome: failed("server_error"),
    atMostMs: 700,
  },
  {
    fault: { kind: "html", status: 200 },
    what: "F14 an HTML page under 200",
    outcome: failed("malformed"),
    atMostMs: 200,
  },
  {
    fault: { kind: "wrong_content_type" },
    what: "F14 a reply called text/plain",
    outcome: failed("malformed"),
    atMostMs: 200,
  },
  {
    fault: { kind: "not_json" },
    what: "F17 half a JSON body of true length",
    modes: whole,
    outcome: failed("malformed"),
    atMostMs: 200,
  },
  {
    fault: { kind: "truncated_json" },
    what: "F17 half of the announced JSON body",
    modes: whole,
    outcome: failed("cut"),
    atMostMs: 200,
  },
  {
    fault: { kind: "reset_midway" },
    what: "F24 a reset inside a JSON body",
    modes: whole,
    outcome: failed("cut"),
    atMostMs: 200,
  },
  {
    fault: { kind: "close_delimited_cut" },
    what: "F28 a JSON body without length, cut",
    modes: whole,
    outcome: failed("malformed"),
    atMostMs: 200,
  },
  { fault: { kind: "no_content" }, what: "F18 a 204", outcome: failed("malformed"), atMostMs: 200 },
  { fault: { kind: "empty" }, what: "F18 an empty 200", outcome: failed("cut"), modes: streamed, atMostMs: 200 },
  { fault: { kind: "empty" }, what: "F18 an empty 200", outcome: failed("malformed"), modes: whole, atMostMs: 200 },
  { fault: { kind: "no_choices" }, what: "F18 choices: []", outcome: failed("cut"), modes: streamed, atMostMs: 200 },
  { fault: { kind: "no_choices" }, what: "F18 choices: []", outcome: failed("malformed"), modes: whole, atMostMs: 200 },
  {
    fault: { kind: "no_words" },
    what: "F18 stop with neither content nor usage",
    outcome: failed("malformed"),
    atMostMs: 200,
  },
  { fault: { kind: "gzip" }, what: "F19 a gzip body", modes: whole, outcome: failed("malformed"), atMostMs: 200 },
  { fault: { kind: "gzip_bomb" }, what: "F19 a gzip bomb", modes: whole, outcome: failed("malformed"), atMostMs: 200 },
  { fault: { kind: "redirect", status: 302 }, what: "F21 a redirect", outcome: failed("malformed"), atMostMs: 200 },
  {
    fault: { kind: "redirect", status: 307 },
    what: "F21 a redirect that keeps the method",
    outcome: failed("malformed"),
    atMostMs: 200,
  },
  { fault: { kind: "big_headers" }, what: "F22 64 KB of headers", outcome: failed("malformed"), atMostMs: 200 },
  {
    fault: { kind: "bad_status_line" },
    what: "F22 a status line that is not HTTP",
    outcome: failed("malformed"),
    atMostMs: 200,
  },
  {
    fault: { kind: "cut", after_tokens: 0 },
    what: "F23 an end before the first token",
    modes: streamed,
    outcome: failed("cut"),
    atMostMs: 200,
  },
  {
    fault: { kind: "clean_cut", after_tokens: 0 },
    what: "F23 a clean end before the first token",
    modes: streamed,
    outcome: failed("cut"),
    atMostMs: 200,
  },
  {
    fault: { kind: "long_line", after_tokens: 0 },
    what: "F30 a line without end before the first token",
    modes: streamed,
    outcome: failed("malformed"),
    atMostMs: 700,
  },
];

describe("before the first content the next candidate answers, under its own name:", () => {
  for (const { fault, what, modes: shown = modes, options, tries = 1, outcome, atMostMs } of cases) {
    test.each(shown)(`${what} ($mode)`, async ({ stream }) => {
      const pool = await startPool(options);
      pool.primary.fault(fault);
      const answer = await pool.chat(stream);
      expectFallback(answer, stream, tries + 1);
      if (atMostMs !== undefined) expect(answer.ms).toBeLessThan(atMostMs);
      expect(pool.seen("primary")).toHaveLength(tries);
      expect(pool.seen("fallback")).toHaveLength(1);
      const tried = pool.lastLine().tried as { backend: string; outcome: string; cause?: string }[];
      expect(tried.slice(0, tries)).toMatchObject(
        Array.from({ length: tries }, () => ({ backend: "primary", ...outcome })),
      );
      expect(pool.lastLine()).toMatchObject({ status: 200, outcome: "ok", model: "small", attempts: tries + 1 });
      await until(
        () =>
          pool.primary.stats().running === 0 &&
          pool.gateway.gateway.serving.backends.get("primary")!.state.inFlight === 0,
        200,
        "the primary's slot is free",
      );
      if (pool.primary.log.at(-1)?.endedAt === undefined) {
        await until(() => pool.primary.log.at(-1)?.abortedAt !== undefined, 200, "the primary's connection is closed");
      }
    });
  }
});

test.each(modes)("F01 a refused connection costs under 50 ms and counts as a failure ($mode)", async ({ stream }) => {
  const pool = await startPool();
  await pool.primary.kill();
  const answer = await pool.chat(stream);
  expectFallback(answer, stream);
  expect(answer.ms).toBeLessThan(100);
  expect(pool.lastLine().tried).toMatchObject([
    { backend: "primary", outcome: "failed", cause: "connect" },
    { outcome: "ok" },
  ]);
  expect((pool.lastLine().tried as { ms: number }[])[0]!.ms).toBeLessThan(50);
});

test("F02 a name that does not resolve goes to the fallback", async () => {
  const pool = await startPool({ url: "http://no-such-host.invalid:1" });
  const answer = await pool.chat(true);
  expect(answer.content).toBe(words.fallback);
  expect((pool.lastLine().reasons as string[]).length).toBeGreaterThan(0);
});

test("F03 a connection that is neither taken nor refused is given up at the connect timeout", async () => {
  const pool = await startPool({ url: await startBlackhole(), probed: false, timeouts: { first_token: 3000 } });
  const answer = await pool.chat(true);
  expectFallback(answer, true);
  expect(answer.ms).toBeGreaterThan(150);
  expect(answer.ms).toBeLessThan(1500);
  expect(pool.lastLine().tried).toMatchObject([
    { backend: "primary", outcome: "failed", cause: "connect" },
    { outcome: "ok" },
  ]);
});

test.each(modes)(
  "F06 an idle connection that the engine closed is replaced unseen, and is no evidence against the engine ($mode)",
  async ({ stream }) => {
    const pool = await startPool({ fallback: false });
    expect((await pool.chat(stream)).content).toBe(words.primary);
    for (let i = 0; i < 10; i++) {
      pool.primary.fault({ kind: "stale_connection", times: 1 });
      const answer = await pool.chat(stream);
      expect(answer.status).toBe(200);
      expect(answer.content).toBe(words.primary);
      expect(answer.finishes).toEqual(["stop"]);
      await pool.primary.clearFaults();
    }
    expect(pool.breakerOf("primary")).toBe("closed");
    expect(await pool.gateway.metrics()).not.toMatch(/signalbox_breaker_transitions_total\{/);
  },
);

test.each(modes)(
  "F07 one 500 is asked again after 50 to 250 ms where there is nobody else of that model ($mode)",
  async ({ stream }) => {
    const pool = await startPool();
    pool.primary.fault({ kind: "status", status: 500, times: 1 });
    const answer = await pool.chat(stream);
    expect(answer.content).toBe(words.primary);
    expect(answer.headers).toMatchObject({ "x-signalbox-backend": "primary", "x-signalbox-attempts": "2" });
    const [first, second] = pool.seen("primary");
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(45);
    expect(second!.at - first!.at).toBeLessThan(400);
  },
);

test("F08 the answer's usage is the fallback's alone", async () => {
  const pool = await startPool();
  pool.primary.fault({ kind: "status", status: 503 });
  const answer = await pool.chat(true, { stream_options: { include_usage: true } });
  expect(answer.usage?.completion_tokens).toBe(40);
  expect(pool.lastLine()).toMatchObject({ output_tokens: 40, backend: "fallback", model: "small" });
  expect(pool.primary.stats().tokensSent).toBe(0);
});

test("F09 a backend that names a time is not asked again before it, and the client is told", async () => {
  const pool = await startPool({ fallback: false });
  pool.primary.fault({ kind: "status", status: 429, retry_after: 2, times: 1 });
  const refused = await pool.chat(false);
  expect(refused.status).toBe(503);
  expect(refused.headers["retry-after"]).toBe("2");
  const started = performance.now();
  const early = await pool.chat(false);
  expect(early.status).toBe(503);
  expect(early.ms).toBeLessThan(50);
  expect(early.headers["retry-after"]).toBe("2");
  await until(() => performance.now() - started > 2050, 2500, "two seconds");
  expect((await pool.chat(false)).status).toBe(200);
  const [first, second] = pool.seen("primary");
  expect(second!.at - first!.at).toBeGreaterThan(1800);
});

test("F09, F10 429 and 503 never open the breaker", async () => {
  const pool = await startPool();
  pool.primary.fault({ kind: "status", status: 429, retry_after: 0 });
  for (let i = 0; i < 12; i++) expect((await pool.chat(i % 2 === 0)).status).toBe(200);
  expect(pool.breakerOf("primary")).toBe("closed");
});

const tooLong = {
  kind: "status" as const,
  status: 400,
  body: {
    error: {
      message: "This model's maximum context length is 4096 tokens",
      type: "invalid_request_error",
      param: "messages",
      code: "context_length_exceeded",
    },
  },
};

test.each(modes)(
  "F15 too long for the model goes to one with a larger context, and never to the same again ($mode)",
  async ({ stream }) => {
    const pool = await startPool({ contexts: { large: 4096, small: 128_000 } });
    pool.primary.fault(tooLong);
    expectFallback(await pool.chat(stream), stream);
    expect(pool.seen("primary")).toHaveLength(1);
    expect(pool.breakerOf("primary")).toBe("closed");
  },
);

test.each(modes)("F15 too long, and nobody has more room: the engine's 400 as it came ($mode)", async ({ stream }) => {
  const pool = await startPool({ contexts: { large: 4096, small: 4096 } });
  pool.primary.fault(tooLong);
  const answer = await pool.chat(stream);
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.text)).toEqual(tooLong.body);
  expect(pool.seen("primary")).toHaveLength(1);
  expect(pool.seen("fallback")).toHaveLength(0);
});

test.each(modes)(
  "F16 a refusal for content is passed on, tried nowhere else, and no evidence against the engine ($mode)",
  async ({ stream }) => {
    const pool = await startPool();
    const body = {
      error: { message: "refused by the filter", type: "invalid_request_error", param: null, code: "content_filter" },
    };
    pool.primary.fault({ kind: "status", status: 400, body });
    for (let i = 0; i < 6; i++) {
      const answer = await pool.chat(stream);
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.text)).toEqual(body);
    }
    expect(pool.seen("primary")).toHaveLength(6);
    expect(pool.seen("fallback")).toHaveLength(0);
    expect(pool.breakerOf("primary")).toBe("closed");
  },
);

test("F14 a page of HTML never reaches the client or the log", async () => {
  const pool = await startPool({ fallback: false });
  for (const status of [502, 200]) {
    pool.primary.fault({ kind: "html", status, times: 2 });
    const answer = await pool.chat(false);
    expect(answer.status).toBe(502);
    expect(answer.text).not.toMatch(/<html|DOCTYPE|Bad Gateway/i);
    expect(pool.gateway.logLines().at(-1)).not.toMatch(/<html|DOCTYPE/i);
    await pool.primary.clearFaults();
  }
});

test("F20 of an error body of 114 MB little is read, and the event loop stays free", async () => {
  const pool = await startPool();
  pool.primary.fault({ kind: "big_error", status: 500 });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const answer = await pool.chat(false);
  delay.disable();
  expectFallback(answer, false, 3);
  expect(delay.max / 1e6).toBeLessThan(50);
  for (const entry of pool.seen("primary")) {
    await until(() => entry.abortedAt !== undefined, 500, "the connection is closed");
  }
});

test.each(modes)(
  "F54 with every backend dead the answer is 503 with retry-after within 50 ms ($mode)",
  async ({ stream }) => {
    const pool = await startPool({ defaults: "probe: { interval: 50ms, timeout: 50ms }" });
    await pool.primary.kill();
    await pool.fallback.kill();
    for (let i = 0; i < 6; i++) expect((await pool.chat(stream)).status).toBe(503);
    const states = [...pool.gateway.gateway.serving.backends.values()].map(({ state }) => state);
    await until(() => states.every(({ health }) => health.status === "down"), 1000, "the probes have failed");
    for (let i = 0; i < 10; i++) {
      const answer = await pool.chat(stream);
      expect(answer.status).toBe(503);
      expect(answer.ms).toBeLessThan(50);
      expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
      expect(JSON.parse(answer.text)).toMatchObject({ error: { code: "backends_unavailable" } });
    }
  },
);

test("F54 a pool that hangs, known to be dead by probes and by requests, is answered for within 50 ms without a try", async () => {
  const pool = await startPool({
    fallback: false,
    timeouts: { first_token: 100 },
    defaults: "probe: { interval: 50ms, timeout: 50ms }",
  });
  pool.primary.fault({ kind: "silence", probes: true });
  for (let i = 0; i < 4; i++) await pool.chat(true);
  const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
  await until(() => state.health.status === "down" && state.breaker === "open", 2000, "dead by both signals");
  const before = inferenceOf(pool.primary).length;
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(pool.gateway.url, { body: chatBody(true) })));
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(readAnswer(answer).error?.code).toBe("backends_unavailable");
    expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  }
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(100);
  expect(inferenceOf(pool.primary)).toHaveLength(before);
});
