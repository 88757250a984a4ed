import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { type FaultName, faults } from "./faults/registry.ts";
import type { KindName } from "./kinds/registry.ts";
import { type Simulator, startSimulator } from "./simulator.ts";
import { chatBody, eventsOf, type RawAnswer, type RawRequest, rawRequest, textOf } from "./test-client.ts";

let simulator: Simulator;
afterEach(() => simulator.close());

/** Starts a vLLM (or another kind), sets the fault, and asks once; `stream` is on unless said otherwise. */
async function struck(
  fault: { kind: FaultName } & Record<string, unknown>,
  over: Readonly<Record<string, unknown>> & { stream?: boolean } = {},
  request: Partial<RawRequest> = {},
  kind: KindName = "vllm",
): Promise<RawAnswer> {
  simulator = await startSimulator({ kind, models: ["tiny"] });
  simulator.fault(fault);
  const stream = over.stream ?? true;
  return rawRequest(simulator.port, {
    body: chatBody({ stream_options: { include_usage: true }, ...over, stream }),
    ...request,
  });
}

const whole = { stream: false };
const tokensOf = (answer: RawAnswer): number =>
  eventsOf(answer.body).filter((event) => /"delta":\{"content":"[^"]/.test(event)).length;
const hasFinish = (answer: RawAnswer): boolean => /"finish_reason":"/.test(answer.body.toString());
const hasDone = (answer: RawAnswer): boolean => answer.body.toString().includes("data: [DONE]");
const json = (answer: RawAnswer): Record<string, unknown> =>
  JSON.parse(answer.body.toString()) as Record<string, unknown>;
const header = (answer: RawAnswer, name: string): string | undefined =>
  answer.headers.find(([key]) => key.toLowerCase() === name)?.[1];
/** Long enough for an answer without pauses to have come; silence can be shown by time alone. */
const SILENCE_MS = 60;

/** The text of the same request without a fault. */
async function genuineText(): Promise<string> {
  const good = await startSimulator({ kind: "vllm", models: ["tiny"] });
  const answer = await rawRequest(good.port, {
    body: chatBody({ stream: true, stream_options: { include_usage: true } }),
  });
  await good.close();
  return textOf(answer.body);
}

const CASES: Readonly<Record<FaultName, () => Promise<void>>> = {
  refuse: async () => {
    simulator = await startSimulator({ kind: "vllm" });
    const { port } = simulator;
    const put = await rawRequest(port, {
      method: "PUT",
      path: "/_sim/fault",
      body: { kind: "refuse", ms: 300 },
      untilClosed: true,
    });
    expect(put.status).toBe(200);
    await expect.poll(async () => (await rawRequest(port, { path: "/health" })).end).toBe("reset");
    await expect.poll(async () => (await rawRequest(port, { path: "/health" })).status).toBe(200);
  },
  silence: async () => {
    const answer = await struck({ kind: "silence" }, {}, { waitMs: SILENCE_MS });
    expect([answer.bytes.length, answer.end]).toEqual([0, "open"]);
  },
  reset: async () => {
    const answer = await struck({ kind: "reset" });
    expect([answer.bytes.length, answer.end]).toEqual([0, "reset"]);
  },
  stale_connection: async () => {
    simulator = await startSimulator({ kind: "vllm" });
    simulator.fault({ kind: "stale_connection", probes: true, times: 1 });
    const health = "GET /health HTTP/1.1\r\nhost: test\r\n\r\n";
    const twice = await rawRequest(simulator.port, {
      path: "/health",
      untilClosed: true,
      headers: [`x: y\r\n\r\n${health.trimEnd()}`],
    });
    expect(twice.bytes.toString().match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    expect((await rawRequest(simulator.port, { path: "/health" })).status).toBe(200);
  },
  status: async () => {
    const answer = await struck({ kind: "status", status: 429, retry_after: 2 });
    expect([answer.status, header(answer, "retry-after")]).toEqual([429, "2"]);
    expect(json(answer)).toMatchObject({ error: { code: 429 } });
  },
  html: async () => {
    const answer = await struck({ kind: "html" });
    expect([answer.status, header(answer, "content-type")]).toEqual([502, "text/html"]);
    expect(answer.body.toString()).toContain("<html>");
  },
  redirect: async () => {
    const answer = await struck({ kind: "redirect", location: "http://127.0.0.1:9/x" });
    expect([answer.status, header(answer, "location")]).toEqual([302, "http://127.0.0.1:9/x"]);
  },
  headers_then_silence: async () => {
    const answer = await struck({ kind: "headers_then_silence" }, {}, { waitMs: SILENCE_MS });
    expect([answer.status, answer.body.length, answer.end]).toEqual([200, 0, "open"]);
  },
  pings: async () => {
    const answer = await struck({ kind: "pings", interval_ms: 5 }, {}, { leaveAfterBytes: 250 });
    expect(answer.body.toString()).toMatch(/^(: ping\n\n){2,}$/);
  },
  error_event: async () => {
    const answer = await struck({ kind: "error_event", code: 500 });
    expect([answer.status, answer.complete]).toEqual([200, true]);
    const [error = "", done, more] = eventsOf(answer.body);
    expect([JSON.parse(error), done, more]).toMatchObject([{ error: { code: 500 } }, "[DONE]", undefined]);
  },
  error_under_200: async () => {
    const answer = await struck({ kind: "error_under_200", type: "overloaded" }, whole);
    expect(answer.status).toBe(200);
    expect(json(answer)).toMatchObject({ error: { type: "overloaded", code: 500 } });
  },
  empty: async () => {
    const streamed = await struck({ kind: "empty" });
    expect([streamed.status, streamed.body.length, streamed.complete]).toEqual([200, 0, true]);
    const answer = await rawRequest(simulator.port, { body: chatBody() });
    expect([answer.status, answer.body.length, answer.complete]).toEqual([200, 0, true]);
  },
  no_content: async () => {
    const answer = await struck({ kind: "no_content" }, whole, { waitMs: SILENCE_MS });
    expect([answer.status, answer.body.length]).toEqual([204, 0]);
  },
  no_choices: async () => {
    const streamed = await struck({ kind: "no_choices" });
    expect(eventsOf(streamed.body).map((event) => (event === "[DONE]" ? event : JSON.parse(event).choices))).toEqual([
      [],
      "[DONE]",
    ]);
    expect(json(await rawRequest(simulator.port, { body: chatBody() })).choices).toEqual([]);
  },
  no_words: async () => {
    const streamed = await struck({ kind: "no_words" });
    expect([textOf(streamed.body), hasFinish(streamed), hasDone(streamed)]).toEqual(["", true, true]);
    const answer = json(await rawRequest(simulator.port, { body: chatBody() }));
    expect(answer).toMatchObject({
      choices: [{ message: { content: "" }, finish_reason: "stop" }],
      usage: { completion_tokens: 0 },
    });
  },
  truncated_json: async () => {
    const answer = await struck({ kind: "truncated_json" }, whole);
    expect([answer.status, answer.complete, answer.end]).toEqual([200, false, "fin"]);
    expect(Number(header(answer, "content-length"))).toBeGreaterThan(answer.body.length);
  },
  not_json: async () => {
    const answer = await struck({ kind: "not_json" }, whole);
    expect(answer.complete).toBe(true);
    expect(() => json(answer)).toThrow(SyntaxError);
  },
  wrong_content_type: async () => {
    const answer = await struck({ kind: "wrong_content_type", content_type: "text/html" }, whole);
    expect(header(answer, "content-type")).toBe("text/html");
    expect(json(answer)).toMatchObject({ object: "chat.completion" });
  },
  gzip: async () => {
    const answer = await struck({ kind: "gzip" }, whole);
    expect(header(answer, "content-encoding")).toBe("gzip");
    expect(JSON.parse(gunzipSync(answer.body).toString())).toMatchObject({ object: "chat.completion" });
  },
  gzip_bomb: async () => {
    const answer = await struck({ kind: "gzip_bomb", megabytes: 32 }, whole, { untilClosed: true });
    expect(answer.complete).toBe(true);
    expect(answer.body.length).toBeLessThan(100_000);
    expect(gunzipSync(answer.body).length).toBe(32 * 1_048_576);
  },
  big_error: async () => {
    const answer = await struck({ kind: "big_error", bytes: 3_000_001 }, whole, { untilClosed: true });
    expect([answer.status, answer.body.length]).toEqual([500, 3_000_001]);
    expect(json(answer)).toMatchObject({ error: { type: "server_error" } });
  },
  big_headers: async () => {
    const answer = await struck({ kind: "big_headers" }, whole);
    expect(answer.bytes.indexOf("\r\n\r\n")).toBeGreaterThan(65_536);
    expect(json(answer)).toMatchObject({ object: "chat.completion" });
  },
  bad_status_line: async () => {
    const answer = await struck({ kind: "bad_status_line" }, {}, { untilClosed: true });
    expect([answer.statusLine, answer.end]).toEqual(["HTTP/1.1 2OO Fine", "fin"]);
  },
  cut: async () => {
    const answer = await struck({ kind: "cut", after_tokens: 5 });
    expect([tokensOf(answer), hasFinish(answer), answer.complete, answer.end]).toEqual([5, false, false, "fin"]);
    const half = await rawRequest(simulator.port, { body: chatBody() });
    expect([half.complete, half.end]).toEqual([false, "fin"]);
  },
  clean_cut: async () => {
    const answer = await struck({ kind: "clean_cut", after_tokens: 2 });
    expect([tokensOf(answer), hasFinish(answer), hasDone(answer), answer.complete]).toEqual([2, false, false, true]);
  },
  close_delimited_cut: async () => {
    const answer = await struck({ kind: "close_delimited_cut" });
    expect([header(answer, "transfer-encoding"), header(answer, "content-length")]).toEqual([undefined, undefined]);
    expect([tokensOf(answer), hasFinish(answer), answer.end]).toEqual([3, false, "fin"]);
  },
  reset_midway: async () => {
    const answer = await struck({ kind: "reset_midway" });
    expect([tokensOf(answer), answer.complete, answer.end]).toEqual([3, false, "reset"]);
    const half = await rawRequest(simulator.port, { body: chatBody() });
    expect([half.complete, half.end, half.body.length > 0]).toEqual([false, "reset", true]);
  },
  stall: async () => {
    const answer = await struck({ kind: "stall" }, {}, { waitMs: SILENCE_MS });
    expect([tokensOf(answer), answer.complete, answer.end]).toEqual([3, false, "open"]);
    await expect.poll(() => simulator.stats().running).toBe(0);
    await simulator.clearFaults();
    simulator.fault({ kind: "stall", ms: 5 });
    const late = await rawRequest(simulator.port, { body: chatBody({ stream: true }) });
    expect([hasFinish(late), hasDone(late), late.complete]).toEqual([true, true, true]);
  },
  malformed_event: async () => {
    const answer = await struck({ kind: "malformed_event" });
    const events = eventsOf(answer.body).filter((event) => event !== "[DONE]");
    const broken = events.filter((event) => !event.endsWith("}"));
    expect([broken.length, hasFinish(answer), hasDone(answer)]).toEqual([1, true, true]);
    expect(textOf(answer.body.toString().replace(`data: ${broken[0]}\n\n`, ""))).toBe(await genuineText());
  },
  no_done: async () => {
    const answer = await struck({ kind: "no_done" });
    expect([hasFinish(answer), hasDone(answer), answer.complete]).toEqual([true, false, true]);
  },
  no_finish: async () => {
    const answer = await struck({ kind: "no_finish" });
    expect([hasFinish(answer), hasDone(answer), textOf(answer.body)]).toEqual([false, true, await genuineText()]);
  },
  long_line: async () => {
    const answer = await struck({ kind: "long_line", bytes: 2_000_000 }, {}, { untilClosed: true });
    const longest = Math.max(
      ...answer.body
        .toString()
        .split("\n")
        .map((line) => line.length),
    );
    expect([longest >= 2_000_000, answer.end]).toEqual([true, "fin"]);
  },
  bare_error: async () => {
    const answer = await struck({ kind: "bare_error", message: "boom" });
    expect([answer.body.toString().endsWith('\n{"error":"boom"}\n'), hasDone(answer), answer.complete]).toEqual([
      true,
      false,
      true,
    ]);
  },
  abort_finish: async () => {
    const answer = await struck({ kind: "abort_finish" });
    expect([tokensOf(answer), hasDone(answer), answer.complete]).toEqual([3, true, true]);
    expect(answer.body.toString()).toContain('"finish_reason":"abort"');
  },
  flood: async () => {
    const answer = await struck(
      { kind: "flood", bytes: 3_000_000 },
      {},
      { untilClosed: true, headers: ["connection: close"] },
    );
    expect([answer.body.length > 2_500_000, hasFinish(answer), hasDone(answer)]).toEqual([true, true, true]);
  },
  sse_style: async () => {
    const seen: Record<string, (text: string) => boolean> = {
      crlf: (text) => text.includes("\r\n\r\n") && !/[^\r]\n/.test(text),
      cr: (text) => text.includes("\r\r") && !text.includes("\n"),
      multi_line: (text) => /\ndata: [^{[]/.test(text),
      comments: (text) => text.startsWith(": keep-alive\n"),
      event_lines: (text) => text.startsWith("event: message\nid: 7\nretry: 1000\ndata: {"),
      no_space: (text) => text.startsWith("data:{"),
      bom: (text) => text.startsWith("\ufeffdata: {"),
    };
    await struck({ kind: "sse_style", style: "crlf" });
    for (const [style, holds] of Object.entries(seen)) {
      await simulator.clearFaults();
      simulator.fault({ kind: "sse_style", style });
      const answer = await rawRequest(simulator.port, { body: chatBody({ stream: true }) });
      expect([style, holds(answer.body.toString())]).toEqual([style, true]);
    }
  },
  split_bytes: async () => {
    const answer = await struck({ kind: "split_bytes" }, { messages: [{ role: "user", content: "Grüße aus Zürich" }] });
    expect(answer.bytes.toString("latin1")).toMatch(/\r\n\r\n1\r\nd\r\n1\r\na\r\n1\r\nt\r\n/);
    expect([textOf(answer.body).includes("Grüße"), hasDone(answer), answer.complete]).toEqual([true, true, true]);
  },
  split_at: async () => {
    const answer = await struck({ kind: "split_at", offset: 3, pause_ms: 1 });
    expect(answer.bytes.toString("latin1")).toContain("\r\n\r\n3\r\ndat\r\n");
    expect([textOf(answer.body), answer.complete]).toEqual([await genuineText(), true]);
  },
  invalid_utf8: async () => {
    const answer = await struck({ kind: "invalid_utf8" });
    expect([answer.body.includes(Buffer.from([0xff, 0xfe, 0xc3])), hasDone(answer)]).toEqual([true, true]);
    expect(textOf(answer.body)).toContain("\ufffd");
  },
  after_done: async () => {
    const answer = await struck({ kind: "after_done" });
    const events = eventsOf(answer.body);
    expect(events.slice(events.indexOf("[DONE]"))).toEqual(["[DONE]", expect.stringContaining("delta"), "[DONE]"]);
  },
  duplicate_finish: async () => {
    const answer = await struck({ kind: "duplicate_finish" });
    expect(answer.body.toString().match(/"finish_reason":"stop"/g)).toHaveLength(2);
  },
  usage: async () => {
    const usagesOf = (answer: RawAnswer): unknown[] =>
      eventsOf(answer.body)
        .filter((event) => event.includes('"usage"'))
        .map(
          (event) =>
            (JSON.parse(event) as { usage: { completion_tokens: number } | null }).usage?.completion_tokens ?? null,
        );
    expect(usagesOf(await struck({ kind: "usage", variant: "null" }))).toEqual([null]);
    await simulator.close();
    expect(usagesOf(await struck({ kind: "usage", variant: "missing" }))).toEqual([]);
    await simulator.close();
    expect(usagesOf(await struck({ kind: "usage", variant: "early" }))[0]).toBe(0);
    await simulator.close();
    expect(usagesOf(await struck({ kind: "usage", variant: "cumulative" })).slice(0, 3)).toEqual([1, 2, 3]);
  },
  ollama_runner_killed: async () => {
    const answer = await struck({ kind: "ollama_runner_killed" }, {}, {}, "ollama");
    expect(eventsOf(answer.body).map((event) => (JSON.parse(event) as { model: string }).model)).toEqual([
      "tiny",
      "tiny",
      "tiny",
      "",
    ]);
    expect([hasFinish(answer), answer.complete, simulator.stats().loaded]).toEqual([false, true, []]);
  },
  vllm_engine_died: async () => {
    const answer = await struck({ kind: "vllm_engine_died", down_ms: 300 });
    expect(eventsOf(answer.body).slice(-2)).toEqual([expect.stringContaining("EngineCore"), "[DONE]"]);
    await expect.poll(async () => (await rawRequest(simulator.port, { path: "/health" })).end).toBe("reset");
    await expect.poll(async () => (await rawRequest(simulator.port, { path: "/health" })).status).toBe(200);
  },
  vllm_stopped: async () => {
    const answer = await struck({ kind: "vllm_stopped" });
    expect(eventsOf(answer.body).slice(-2)).toEqual([expect.stringContaining('"finish_reason":"abort"'), "[DONE]"]);
  },
  llama_stopped: async () => {
    const answer = await struck({ kind: "llama_stopped" }, {}, {}, "llama_cpp");
    expect([hasFinish(answer), answer.body.toString().includes("error"), answer.complete, answer.end]).toEqual([
      false,
      false,
      false,
      "fin",
    ]);
  },
  interrupted: async () => {
    const answer = await struck({ kind: "interrupted" });
    expect([hasFinish(answer), hasDone(answer), answer.complete, answer.end]).toEqual([false, true, false, "fin"]);
  },
};

describe("each fault does on the wire what its row says", () => {
  test.each(Object.keys(faults) as FaultName[])("%s", (name) => CASES[name]());
});
