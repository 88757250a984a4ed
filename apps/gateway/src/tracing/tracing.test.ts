import { expect, test } from "vitest";
import { startTracedPool, type TracedPool } from "./traced-pool.ts";

const failing = { kind: "status", status: 500 } as const;

/** The trace headers that an engine was sent, latest last. */
function told(pool: TracedPool, engine: "a" | "b" | "c"): (string | undefined)[][] {
  const posts = pool.gateway.engines[engine].log.filter(({ method }) => method === "POST");
  return posts.map(({ headers }) => [headers.traceparent, headers.tracestate]);
}

test("a request with failed attempts and a fallback is one span with one below it for each attempt", async () => {
  const pool = await startTracedPool({ traces: ", sample: 100%, attributes: { zone: b }" });
  for (const name of ["a", "b"] as const) pool.gateway.engines[name].fault(failing);
  const body = { stream: true, temperature: 0.5, stop: ["what-stops"] };
  const { traceId } = await pool.chat({ sampled: true, body, headers: { tracestate: "vendor=1" } });
  const { request, attempts } = await pool.spans(traceId, 3);
  expect(request).toMatchObject({
    name: "POST /v1/chat/completions",
    kind: 2,
    parentSpanId: "b7ad6b7169203331",
    traceState: "vendor=1",
    status: { code: 0 },
    scope: "signalbox",
    resource: { "service.name": "signalbox", zone: "b" },
    attributes: {
      "http.response.status_code": 200,
      "signalbox.team": "plain",
      "signalbox.asked": "large",
      "signalbox.model": "small",
      "signalbox.backend": "c",
      "signalbox.rule": "named",
      "signalbox.attempts": 3,
      "signalbox.code": "ok",
    },
  });
  expect(request.events.map(({ name }) => name)).toEqual(["signalbox.decision", "signalbox.first_token"]);
  expect(attempts.map(({ name, kind, parentSpanId }) => [name, kind, parentSpanId])).toEqual([
    ["chat big", 3, request.spanId],
    ["chat big", 3, request.spanId],
    ["chat tiny", 3, request.spanId],
  ]);
  const failed = { "http.response.status_code": 500, "error.type": "server_error", "signalbox.outcome": "failed" };
  expect(attempts[0]).toMatchObject({ status: { code: 2, message: "server_error" }, attributes: failed });
  expect(attempts[1]!.attributes).toMatchObject({ ...failed, "signalbox.backend": "b", "signalbox.attempt": 2 });
  expect(attempts[2]).toMatchObject({
    status: { code: 0 },
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "vllm",
      "gen_ai.request.model": "tiny",
      "gen_ai.request.max_tokens": 8,
      "gen_ai.request.temperature": 0.5,
      "gen_ai.request.stream": true,
      "gen_ai.response.model": "tiny",
      "gen_ai.response.finish_reasons": ["length"],
      "gen_ai.usage.output_tokens": 8,
      "server.address": "127.0.0.1",
      "server.port": pool.gateway.engines.c.port,
      "signalbox.outcome": "ok",
    },
  });
  expect(attempts[2]!.attributes["gen_ai.response.time_to_first_chunk"]).toBeGreaterThan(0);
  expect(attempts[2]!.events.map(({ name }) => name)).toEqual(["signalbox.first_token", "signalbox.commit"]);
  for (const { start, end, events } of [request, ...attempts]) {
    expect(start >= request.start && end <= request.end && start <= end).toBe(true);
    for (const { time } of events) expect(time >= start && time <= end).toBe(true);
  }
  // Each engine was told of its own attempt's span.
  expect(told(pool, "a")).toEqual([[`00-${traceId}-${attempts[0]!.spanId}-01`, "vendor=1"]]);
  expect(told(pool, "c")).toEqual([[`00-${traceId}-${attempts[2]!.spanId}-01`, "vendor=1"]]);
  expect(pool.gateway.requestLines().at(-1)).toMatchObject({ trace_id: traceId, span_id: request.spanId });
  // Nothing of what was said, and no key.
  const sent = Buffer.concat(pool.collector.bodies).toString("latin1");
  for (const word of ["what-was-asked", "what-stops", "key-of-plain"]) expect(sent).not.toContain(word);
  expect(await pool.gateway.metrics()).toMatch(/^signalbox_trace_spans_exported_total 4$/m);
});

test("what failed is exported though nobody sampled it; what went well, and a client's own faults, are not", async () => {
  const pool = await startTracedPool({ traces: ", sample: 0%, follow_clients: false" });
  const { a, b, c } = pool.gateway.engines;
  const well = await pool.chat({ sampled: true });
  const wrong = await pool.chat({ sampled: true, body: { model: "none" } });
  expect([well.status, wrong.status]).toEqual([200, 404]);
  a.fault({ ...failing, times: 1 });
  const saved = await pool.chat();
  expect((await pool.spans(saved.traceId, 2)).request).toMatchObject({ status: { code: 0 } });
  a.fault({ kind: "cut", after_tokens: 3, times: 1 });
  const broken = await pool.chat({ body: { stream: true } });
  const traced = await pool.spans(broken.traceId, 1);
  expect(traced.request.status).toEqual({ code: 2, message: "stream_interrupted" });
  expect(traced.attempts[0]).toMatchObject({ status: { code: 2 }, attributes: { "signalbox.cause": "cut" } });
  for (const engine of [a, b, c]) engine.fault(failing);
  const refused = await pool.chat();
  expect(refused.status).toBeGreaterThanOrEqual(500);
  const { request } = await pool.spans(refused.traceId, 3);
  expect(request.attributes["error.type"]).toBe(request.status.message);
  const seen = new Set(pool.collector.spans.map(({ traceId }) => traceId));
  expect(seen).toEqual(new Set([saved, broken, refused].map(({ traceId }) => traceId)));
  // The engines were told what was known then.
  expect(told(pool, "a").every(([traceparent]) => traceparent!.endsWith("-00"))).toBe(true);
});

test("a client decides by its flag, and one that sends none is sampled by the share", async () => {
  const pool = await startTracedPool({ traces: ", sample: 100%" });
  const no = await pool.chat({ sampled: false });
  const yes = await pool.chat();
  const malformed = await pool.chat({ headers: { traceparent: "00-nonsense", tracestate: "vendor=1" } });
  await Promise.all([pool.spans(yes.traceId, 1), pool.spans(malformed.traceId, 1)]);
  expect(pool.collector.spans.some(({ traceId }) => traceId === no.traceId)).toBe(false);
  expect(told(pool, "a")[0]![0]).toMatch(new RegExp(`^00-${no.traceId}-[0-9a-f]{16}-00$`));
  expect(told(pool, "a")[2]![1]).toBe(undefined);
  expect((await pool.spans(yes.traceId, 1)).request.parentSpanId).toBe("");
});

test("where nothing is traced a client's own headers go on as they came, and its lines have the trace", async () => {
  const pool = await startTracedPool({});
  const { traceId } = await pool.chat({ sampled: true, headers: { tracestate: "vendor=1" } });
  await pool.chat();
  expect(told(pool, "a")).toEqual([
    [`00-${traceId}-b7ad6b7169203331-01`, "vendor=1"],
    [undefined, undefined],
  ]);
  const lines = pool.gateway.requestLines();
  expect(lines.map((line) => [line.trace_id, line.span_id])).toEqual([
    [traceId, undefined],
    [undefined, undefined],
  ]);
});

test("hosted backends hear of no trace", async () => {
  const pool = await startTracedPool({ traces: ", sample: 100%", backend: ", hosted: true" });
  const { traceId } = await pool.chat({ sampled: true });
  await pool.spans(traceId, 1);
  expect(told(pool, "a")).toEqual([[undefined, undefined]]);
});

test("texts are on spans only with `content`, of teams with `log: full`, redacted; of `log: none` there is no span", async () => {
  const pool = await startTracedPool({ traces: ", sample: 100%, content: true" });
  const body = { messages: [{ role: "user", content: "write to jane@example.com" }] };
  const shut = await pool.chat({ team: "shut", body, sampled: true });
  const plain = await pool.chat({ team: "plain", body });
  const open = await pool.chat({ team: "open", body });
  const { request } = await pool.spans(open.traceId, 1);
  const [message] = JSON.parse(String(request.attributes["signalbox.prompt"]));
  expect(message.content).toMatch(/^write to \[/);
  expect(JSON.parse(String(request.attributes["signalbox.answer"]))[0].content).not.toBe("");
  const other = await pool.spans(plain.traceId, 1);
  expect(Object.keys(other.request.attributes)).not.toContain("signalbox.prompt");
  expect(pool.collector.spans.some(({ traceId }) => traceId === shut.traceId)).toBe(false);
  // The engine is told what the client said, and nothing of ours.
  expect(told(pool, "a")[0]).toEqual([`00-${shut.traceId}-b7ad6b7169203331-01`, undefined]);
  expect(Buffer.concat(pool.collector.bodies).toString("latin1")).not.toContain("jane@");
});

test("hedges and recovered streams are attempts of their request", async () => {
  const pool = await startTracedPool({
    traces: ", sample: 0%",
    model: ", hedge: { after: 1s }",
    backend: ", continue_final_message: true",
  });
  const { a } = pool.gateway.engines;
  a.fault({ kind: "stall", after_tokens: 3, times: 1 });
  const recovered = await pool.chat({ body: { stream: true } });
  const first = await pool.spans(recovered.traceId, 2);
  expect(first.request).toMatchObject({ status: { code: 0 }, attributes: { "signalbox.attempts": 2 } });
  expect(first.request.events.at(-1)).toMatchObject({
    name: "signalbox.recovery",
    attributes: { "signalbox.how": "continuation", "signalbox.outcome": "finished", "signalbox.backend": "b" },
  });
  expect(first.attempts.map(({ attributes }) => attributes["signalbox.cause"])).toEqual(["stall", undefined]);

  a.fault({ kind: "silence", times: 1 });
  const hedged = await pool.chat({ sampled: true, body: { stream: true } });
  const { attempts } = await pool.spans(hedged.traceId, 2);
  expect(attempts.map(({ attributes }) => [attributes["signalbox.outcome"], attributes["signalbox.hedge_of"]])).toEqual(
    [
      ["cancelled", undefined],
      ["ok", "large"],
    ],
  );
});

test("the queue and the candidates that were passed over are events of the request", async () => {
  const pool = await startTracedPool({
    traces: ", sample: 100%",
    backend: ", max_concurrent: 1",
    engine: { firstTokenMs: 200 },
  });
  const told = await Promise.all([1, 2, 3, 4].map(() => pool.chat({ sampled: true })));
  const traces = await Promise.all(told.map(({ traceId }) => pool.collector.trace(traceId, 2)));
  const requests = traces.map((spans) => spans.find(({ kind }) => kind === 2)!);
  const skipped = requests.flatMap(({ events }) => events.filter(({ name }) => name === "signalbox.skipped"));
  expect(skipped.map(({ attributes }) => attributes["signalbox.cause"])).toContain("full");
  const waited = requests.filter(({ attributes }) => attributes["signalbox.queue_ms"] !== undefined);
  expect(waited).not.toEqual([]);
  for (const { events } of waited) {
    const [entered, left] = ["entered", "left"].map((what) =>
      events.find(({ name }) => name === `signalbox.queue.${what}`),
    );
    expect(left!.time > entered!.time).toBe(true);
  }
});

test("a reload turns tracing on and off, for the requests that come after it", async () => {
  const pool = await startTracedPool({});
  const before = await pool.chat({ sampled: true });
  await pool.gateway.apply(pool.yaml(", service_name: other"));
  const during = await pool.chat({ sampled: true });
  await pool.gateway.apply(pool.yaml(undefined));
  // What waited is sent at once, not lost.
  expect((await pool.spans(during.traceId, 1)).request.resource["service.name"]).toBe("other");
  const after = await pool.chat({ sampled: true });
  expect(told(pool, "a").map(([traceparent]) => traceparent!.slice(3, 35))).toEqual(
    [before, during, after].map(({ traceId }) => traceId),
  );
  expect(new Set(pool.collector.spans.map(({ traceId }) => traceId))).toEqual(new Set([during.traceId]));
});

test("a collector that never answers costs no request anything: what it does not take is lost, counted and told once", async () => {
  const pool = await startTracedPool({ traces: ", sample: 100%, queue: 8, timeout: 500ms" });
  const events = () => pool.gateway.logLines().filter((line) => line.includes("collector"));
  const spans = async (name: string): Promise<number> => {
    const lines = (await pool.gateway.metrics()).matchAll(
      new RegExp(`^signalbox_trace_spans_${name}\\S* (\\d+)$`, "gm"),
    );
    return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const soon = { timeout: 15_000, interval: 50 };
  pool.collector.temper = "hangs";
  for (let i = 0; i < 20; i++) expect((await pool.chat()).status).toBe(200);
  await expect.poll(() => spans('dropped_total{reason="not_taken"}'), soon).toBeGreaterThan(0);
  expect(await spans('dropped_total{reason="queue_full"}')).toBeGreaterThan(0);
  expect(events()).toHaveLength(1);
  pool.collector.temper = "takes";
  let asked = 20;
  const next = async (): Promise<number> => {
    asked++;
    expect((await pool.chat()).status).toBe(200);
    return events().length;
  };
  await expect.poll(next, soon).toBe(2);
  expect(events()[1]).toContain("takes traces again");
  const told = async () => (await spans("dropped_total")) + (await spans("exported_total"));
  await expect.poll(told, soon).toBe(asked * 2);
});

test("what waits when the gateway stops is sent", async () => {
  const pool = await startTracedPool({ traces: ", sample: 100%" });
  const { traceId } = await pool.chat();
  await pool.gateway.gateway.close();
  expect(pool.collector.spans.filter((span) => span.traceId === traceId)).toHaveLength(2);
});
