import OpenAI, { APIError, BadRequestError, NotFoundError } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Gateway } from "../runtime/gateway.ts";
import { createLlamaServer, type LlamaServer, until } from "./llama-server-process.ts";
import { startRealGateway } from "./real-gateway.ts";

let server: LlamaServer;
let gateway: Gateway;
let limited: Gateway;
let client: OpenAI;

const clientOf = ({ url }: Gateway): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: "EMPTY", maxRetries: 0 });

const gatewayFor = (url: string, more = ""): Promise<Gateway> =>
  startRealGateway(`
backends: { llama: { kind: llama_cpp, url: "${url}"${more} } }
models: { gemma: { on: [{ backend: llama }] } }
defaults: { probe: { interval: 1s }, queue: { max_waiting: 0 } }
`);

beforeAll(async () => {
  server = await createLlamaServer();
  gateway = await gatewayFor(server.url);
  limited = await gatewayFor(server.url, `, max_concurrent: ${server.slots}`);
  client = clientOf(gateway);
});

afterAll(async () => {
  await Promise.all([gateway?.close(), limited?.close()]);
  await server?.stop("SIGKILL");
});

const messages = [{ role: "user" as const, content: "Say hello to the world." }];
const ask = (maxTokens = 12) => client.chat.completions.create({ model: "gemma", messages, max_tokens: maxTokens });

/** A stream that goes on until its limit: the model's own end of text is ignored. */
async function longStream(from: Gateway = gateway, maxTokens = 400): Promise<Response> {
  const body = { model: "gemma", messages, max_tokens: maxTokens, stream: true, ignore_eos: true };
  return fetch(`${from.url}/v1/chat/completions`, { method: "POST", body: JSON.stringify(body) });
}

const health = (): string => gateway.serving.backends.get("llama")!.state.health.status;
const breaker = (): string => gateway.serving.backends.get("llama")!.state.breaker;
const report = (what: string, ms: number): void => console.log(`${what}: ${Math.round(ms)} ms`);

async function failure(promise: Promise<unknown>): Promise<APIError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
}

/** Text that came after the first event, once the engine was ended by `end`. */
async function brokenBy(end: () => Promise<void>): Promise<string> {
  const response = await longStream();
  expect(response.status).toBe(200);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body!) {
    if (text === "") await end();
    text += decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text;
}

function expectHonestBreak(text: string): void {
  const events = text.split("\n\n").filter((event) => event !== "");
  expect(events.at(-1)).toMatch(/^data: \{"error":/);
  expect(text).not.toContain("[DONE]");
  expect(text).not.toMatch(/"finish_reason":"/);
}

test("nothing runs there yet: 503 with retry-after, in under 50 ms", async () => {
  await gateway.probed;
  // Once before, so that the client has its own connection and code at hand.
  await failure(ask());
  const started = performance.now();
  const error = await failure(ask());
  report("503 without an engine", performance.now() - started);
  expect(error.status).toBe(503);
  expect(Number(error.headers?.get("retry-after"))).toBeGreaterThan(0);
  expect(performance.now() - started).toBeLessThan(50);
});

test("while it loads its model: a true status, and an answer as soon as it is loaded", async () => {
  await server.start();
  const statuses: number[] = [];
  const started = performance.now();
  await until(async () => {
    const error = await ask().catch((thrown: unknown) => thrown);
    if (!(error instanceof APIError)) return true;
    expect(Number(error.headers?.get("retry-after"))).toBeGreaterThan(0);
    statuses.push(error.status as number);
    return false;
  }, "an answer");
  report(`loading: ${statuses.length} times 503, then an answer`, performance.now() - started);
  expect(new Set(statuses)).toEqual(new Set([503]));
  await until(() => health() === "ready", "the probe sees it");
});

test("chat, whole: text, a finish_reason, usage", async () => {
  const { choices, usage } = await ask();
  expect(choices[0]!.message.content!.length).toBeGreaterThan(0);
  expect(["stop", "length"]).toContain(choices[0]!.finish_reason);
  expect(usage!.prompt_tokens).toBeGreaterThan(0);
});

test("chat, streamed: pieces, one finish_reason, usage at the end", async () => {
  const options = {
    model: "gemma",
    messages,
    max_tokens: 24,
    stream: true,
    stream_options: { include_usage: true },
  } as const;
  const finishes: string[] = [];
  let pieces = 0;
  let usage = 0;
  for await (const chunk of await client.chat.completions.create(options)) {
    if (chunk.choices[0]?.delta.content) pieces++;
    if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason);
    usage += chunk.usage?.completion_tokens ?? 0;
  }
  expect(pieces).toBeGreaterThan(1);
  expect(finishes).toHaveLength(1);
  expect(usage).toBeGreaterThan(1);
});

test("completions, whole and streamed", async () => {
  const options = { model: "gemma", prompt: "The capital of France is", max_tokens: 8, temperature: 0, seed: 1 };
  const whole = await client.completions.create(options);
  let streamed = "";
  for await (const chunk of await client.completions.create({ ...options, stream: true }))
    streamed += chunk.choices[0]?.text ?? "";
  expect(streamed.length).toBeGreaterThan(0);
  expect(streamed).toBe(whole.choices[0]!.text);
});

test("a tool call that the model makes comes through whole", async () => {
  const call = (city: string) => ({
    role: "assistant" as const,
    tool_calls: [
      { id: city, type: "function" as const, function: { name: "get_weather", arguments: JSON.stringify({ city }) } },
    ],
  });
  const turn = (city: string, weather: string) => [
    { role: "user" as const, content: `Weather in ${city}?` },
    call(city),
    { role: "tool" as const, tool_call_id: city, content: weather },
    { role: "assistant" as const, content: weather },
  ];
  const history = [
    ...turn("Rome", "sun"),
    ...turn("Oslo", "rain"),
    ...turn("Lima", "fog"),
    { role: "user" as const, content: "Weather in Paris?" },
  ];
  const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const tools = [{ type: "function" as const, function: { name: "get_weather", parameters } }];
  const { choices } = await client.chat.completions.create({
    model: "gemma",
    messages: history,
    tools,
    max_tokens: 48,
    temperature: 0,
  });
  expect(choices[0]!.message.tool_calls?.[0]).toMatchObject({ type: "function", function: { name: "get_weather" } });
});

test("embeddings of a server that was started without them: an error that says so, and no retry storm", async () => {
  const error = await failure(client.embeddings.create({ model: "gemma", input: "hi" }));
  console.log(`embeddings: ${error.status} ${error.code}: ${error.message}`);
  expect([400, 404, 501, 502, 503]).toContain(error.status);
  expect([health(), breaker()]).toEqual(["ready", "closed"]);
});

test("an unknown model is 404 with the names that there are, though the engine itself would answer to any", async () => {
  const error = await failure(client.chat.completions.create({ model: "nope", messages }));
  expect(error).toBeInstanceOf(NotFoundError);
  expect(error.message).toContain("gemma");
});

test("a prompt beyond the context is 400 context_length_exceeded, streamed or not", async () => {
  const long = [{ role: "user" as const, content: "word ".repeat(3000) }];
  for (const stream of [false, true]) {
    const error = await failure(
      client.chat.completions.create({ model: "gemma", messages: long, max_tokens: 4, stream }),
    );
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error.code).toBe("context_length_exceeded");
  }
  expect(breaker()).toBe("closed");
});

test("full: a stream that waits for a slot gets nothing, and is neither failed nor down", async () => {
  const first = await Promise.all(Array.from({ length: server.slots }, () => longStream(gateway, 100)));
  expect(await server.busySlots()).toBe(server.slots);
  const started = performance.now();
  const queued = await longStream(gateway, 8);
  const waited = performance.now() - started;
  report("a third stream waited for a slot", waited);
  expect(waited).toBeGreaterThan(500);
  expect([queued.status, queued.headers.get("x-signalbox-attempts")]).toEqual([200, "1"]);
  for (const response of [...first, queued]) expect(await response.text()).toContain("[DONE]");
  expect([health(), breaker()]).toEqual(["ready", "closed"]);
});

test("max_concurrent is held: what is more is refused with a true status, and takes no slot", async () => {
  await limited.probed;
  await until(() => limited.serving.backends.get("llama")!.state.health.status === "ready", "the probe sees it");
  const streams = await Promise.all(Array.from({ length: server.slots }, () => longStream(limited, 100)));
  const error = await failure(clientOf(limited).chat.completions.create({ model: "gemma", messages, max_tokens: 4 }));
  console.log(`over max_concurrent: ${error.status} ${error.code}, retry-after ${error.headers?.get("retry-after")}`);
  expect([429, 503]).toContain(error.status);
  expect(Number(error.headers?.get("retry-after"))).toBeGreaterThan(0);
  expect(await server.busySlots()).toBe(server.slots);
  for (const response of streams) expect(await response.text()).toContain("[DONE]");
});

test("a client that leaves frees its slot within 100 ms and a token", async () => {
  const leaving = new AbortController();
  const options = { model: "gemma", messages, max_tokens: 900, stream: true, ignore_eos: true } as const;
  const stream = await client.chat.completions.create(options, { signal: leaving.signal });
  for await (const _ of stream) break;
  expect(await server.busySlots()).toBe(1);
  leaving.abort();
  report(
    "slot free after the client left",
    await until(async () => (await server.busySlots()) === 0, "the slot is free", 1000),
  );
});

test("killed in mid-stream: an error in the stream, no [DONE], no finish_reason", async () => {
  expectHonestBreak(await brokenBy(() => server.stop("SIGKILL")));
  expect((await failure(ask())).status).toBe(503);
});

test("started again: it answers within 10 s of being back", async () => {
  await until(() => health() === "down", "the probe sees that it is gone");
  await server.start();
  await server.ready();
  const ms = await until(
    () =>
      ask().then(
        () => true,
        () => false,
      ),
    "an answer",
    10_000,
  );
  report("answers again after its model was loaded", ms);
  expect(ms).toBeLessThan(10_000);
});

// On SIGTERM this server ends its work at once and cuts the stream: mostly soon, sometimes after 30 s without a token, where
// the idle limit of 15 s comes first.
test("SIGTERM cuts a stream without a word: it is told as an error all the same", async () => {
  const ms = await until(() => health() === "ready" && breaker() === "closed", "it is well again", 30_000);
  report("ready and its breaker closed", ms);
  const text = await brokenBy(async () => {
    const started = performance.now();
    await server.stop("SIGTERM");
    report("the process ended after SIGTERM", performance.now() - started);
  });
  expectHonestBreak(text);
});
