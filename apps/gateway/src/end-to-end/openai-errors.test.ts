import { once } from "node:events";
import { createServer } from "node:net";
import type { FaultInput } from "@signalbox/simulator";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const say = (content: string) => [{ role: "user" as const, content }];

let gateway: TestGateway<"one" | "slow">;
let clientOf: (apiKey: string) => OpenAI;
let client: OpenAI;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: {
      one: { kind: "vllm", models: ["m"], context: 4096 },
      slow: { kind: "vllm", models: ["s"], tokensPerSecond: 40 },
    },
    yaml: ({ one, slow }) => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, max_body: 64KiB }
backends:
  one: { kind: vllm, url: "${one}", probe: { interval: 50ms } }
  slow: { kind: vllm, url: "${slow}" }
  gone: { kind: vllm, url: "http://127.0.0.1:1", probe: { interval: 50ms } }
models:
  m: { on: [{ backend: one, model: m }], context: 4k }
  slow: { on: [{ backend: slow, model: s }] }
  gone: { on: [{ backend: gone, model: g }] }
teams:
  all: { keys: ["${hashKey("key-all")}"] }
  few: { keys: ["${hashKey("key-few")}"], models: [m] }
  limited: { keys: ["${hashKey("key-limited")}"], limits: { requests: 1/min } }
defaults: { attempts: 1, timeouts: { first_token: 300ms, idle: 300ms } }
`,
  });
  clientOf = (apiKey) => new OpenAI({ apiKey, baseURL: gateway.baseUrl, maxRetries: 0 });
  client = clientOf("key-all");
});
afterAll(() => gateway.close());

/** The error that the client raises. */
async function errorOf(work: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OpenAI.APIError);
  return error as InstanceType<typeof OpenAI.APIError>;
}

/** A gateway of its own with one backend that fails, so that no other test meets what is held against it. */
async function startFaulty(fault: FaultInput) {
  const faulty = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] } },
    yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one, model: m }] } }
defaults: { timeouts: { first_token: 300ms, idle: 300ms } }
`,
  });
  faulty.engines.one.fault(fault);
  const from = new OpenAI({ apiKey: "EMPTY", baseURL: faulty.baseUrl, maxRetries: 0 });
  return { engine: faulty.engines.one, from, close: faulty.close };
}

const ask = (model = "m", from = client) => from.chat.completions.create({ model, messages: say("hi") });

describe("each status raises the class that the client has for it", () => {
  test("400: a wrong type, with the field", async () => {
    const error = await errorOf(client.chat.completions.create({ model: "m", messages: "hi" as never }));
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({
      status: 400,
      code: "invalid_request",
      param: "messages",
      type: "invalid_request_error",
    });
    expect(error.message).toContain("messages: expected array");
  });

  test("400: the engine's own refusal, in its words", async () => {
    gateway.engines.one.fault({ kind: "status", status: 400, message: "temperature must be non-negative", times: 1 });
    const error = await errorOf(ask());
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error.message).toContain("temperature must be non-negative");
  });

  test("400: too long for the context", async () => {
    const error = await errorOf(client.chat.completions.create({ model: "m", messages: say("word ".repeat(9000)) }));
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error.code).toBe("context_length_exceeded");
  });

  test("401: a wrong key", async () => {
    const error = await errorOf(ask("m", clientOf("wrong")));
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error.code).toBe("invalid_api_key");
  });

  test("403: a model that the key may not use", async () => {
    const error = await errorOf(ask("slow", clientOf("key-few")));
    expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError);
    expect(error.code).toBe("model_not_allowed");
  });

  test("404: a model that is not there, with those that are", async () => {
    const error = await errorOf(ask("gpt-5"));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ code: "model_not_found", param: "model" });
    expect(error.message).toMatch(/gone.*m.*slow/);
  });

  test("404: an address that is not there", async () => {
    const error = await errorOf(client.moderations.create({ input: "x" }));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error.code).toBe("route_not_found");
  });

  test("413: too large", async () => {
    const error = await errorOf(client.chat.completions.create({ model: "m", messages: say("x".repeat(100_000)) }));
    expect(error).toMatchObject({ status: 413, code: "request_too_large" });
  });

  test("429 with retry-after: the team's limit", async () => {
    const limited = clientOf("key-limited");
    await ask("m", limited);
    const error = await errorOf(ask("m", limited));
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(error.code).toBe("rate_limit_exceeded");
    const wait = Number(error.headers?.get("retry-after"));
    expect(wait).toBeGreaterThan(50);
    // The window moves on in steps of a second.
    expect(wait).toBeLessThanOrEqual(61);
  });

  const afterFaults: [string, FaultInput, number, string][] = [
    ["500 of the engine leaves as 502", { kind: "status", status: 500 }, 502, "upstream_failed"],
    ["HTML in place of an answer is 502", { kind: "html" }, 502, "upstream_failed"],
    ["an error under 200 is 502", { kind: "error_under_200" }, 502, "upstream_failed"],
    ["a redirect is 502 and not followed", { kind: "redirect" }, 502, "upstream_failed"],
    ["half a JSON body is 502", { kind: "cut" }, 502, "upstream_failed"],
    ["a wrong key of ours is 502, not the caller's 401", { kind: "status", status: 401 }, 502, "upstream_failed"],
    ["503 of the engine stays 503", { kind: "status", status: 503, retry_after: 7 }, 503, "backends_overloaded"],
    ["429 of the engine is 503: the pool is full", { kind: "status", status: 429 }, 503, "backends_overloaded"],
  ];
  test.each(afterFaults)("%s", async (_what, fault, status, code) => {
    const { engine, from, close } = await startFaulty(fault);
    const error = await errorOf(ask("m", from));
    await close();
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status, code });
    expect(error.message).not.toContain("<");
    expect(engine.log.some(({ path }) => path === "/elsewhere")).toBe(false);
    if (status === 503) expect(Number(error.headers?.get("retry-after"))).toBeGreaterThan(0);
  });

  test("504: no first token in time", async () => {
    const { from, close } = await startFaulty({ kind: "silence" });
    const error = await errorOf(from.chat.completions.create({ model: "m", messages: say("hi"), stream: true }));
    await close();
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status: 504, code: "upstream_timeout" });
  });

  test("502 or 503: a backend that is gone, at once", async () => {
    const began = performance.now();
    const error = await errorOf(ask("gone"));
    expect(performance.now() - began).toBeLessThan(500);
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status: 503, code: "backends_unavailable" });
  });

  test("nothing listens: a connection error", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    const lost = new OpenAI({ apiKey: "x", baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 });
    const error = await lost.models.list().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(OpenAI.APIConnectionError);
  });
});

const breaks: [string, FaultInput][] = [
  ["is cut", { kind: "cut" }],
  ["ends without a finish_reason", { kind: "clean_cut" }],
  ["stalls", { kind: "stall" }],
  ["is reset", { kind: "reset_midway" }],
  ["is given up by the engine", { kind: "abort_finish" }],
];
test.each(breaks)("a stream that %s raises, after what had come", async (_how, fault) => {
  const { from, close } = await startFaulty(fault);
  const pieces: string[] = [];
  const finishes: string[] = [];
  const reading = (async () => {
    const stream = await from.chat.completions.create({ model: "m", messages: say("tell me more"), stream: true });
    for await (const chunk of stream) {
      const { delta, finish_reason } = chunk.choices[0] ?? {};
      if (delta?.content) pieces.push(delta.content);
      if (finish_reason) finishes.push(finish_reason);
    }
  })();
  const error = await errorOf(reading);
  await close();
  expect(error.code).toBe("stream_interrupted");
  expect(pieces.length).toBeGreaterThan(0);
  expect(finishes).toEqual([]);
});

test("an abort in mid-stream closes the upstream within 100 ms", async () => {
  const stream = await client.chat.completions.create({
    model: "slow",
    messages: say("tell me a long story"),
    stream: true,
  });
  let abortedAt = 0;
  for await (const chunk of stream) {
    if (!chunk.choices[0]?.delta.content) continue;
    abortedAt = Date.now();
    break;
  }
  stream.controller.abort();
  await expect.poll(() => seen("slow")?.abortedAt, { interval: 2, timeout: 1000 }).toBeDefined();
  expect((seen("slow")?.abortedAt ?? 0) - abortedAt).toBeLessThanOrEqual(100);
  await expect
    .poll(() => gateway.requestLines().findLast(({ asked }) => asked === "slow")?.outcome)
    .toBe("client_gone");
});

test("an abort before the first token closes the upstream within 100 ms, and no other attempt is made", async () => {
  const { engine, from, close } = await startFaulty({ kind: "silence" });
  const controller = new AbortController();
  const asked = from.chat.completions.create(
    { model: "m", messages: say("hi"), stream: true },
    { signal: controller.signal },
  );
  const failed = expect(asked).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
  const attempts = () => engine.log.filter(({ path }) => path === "/v1/chat/completions");
  await expect.poll(() => attempts().length, { interval: 2 }).toBe(1);
  const abortedAt = Date.now();
  controller.abort();
  await failed;
  await expect.poll(() => attempts()[0]?.abortedAt, { interval: 2, timeout: 1000 }).toBeDefined();
  expect((attempts()[0]?.abortedAt ?? 0) - abortedAt).toBeLessThanOrEqual(100);
  expect(attempts()).toHaveLength(1);
  await close();
});

function seen(engine: "one" | "slow") {
  return gateway.engines[engine].log.findLast(({ path }) => path === "/v1/chat/completions");
}
