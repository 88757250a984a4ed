import { afterAll, beforeAll, expect, test } from "vitest";
import { createPublicApp } from "../routes/public-app.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

// The same app without Node's streams, as `app.request()` and other runtimes call it.
let gateway: TestGateway<"one" | "slow">;
let app: ReturnType<typeof createPublicApp>;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] }, slow: { kind: "vllm", models: ["s"], tokensPerSecond: 50 } },
    yaml: ({ one, slow }) => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, max_body: 64KiB }
backends: { one: { kind: vllm, url: "${one}" }, slow: { kind: vllm, url: "${slow}" } }
models: { m: { on: [{ backend: one, model: m }] }, s: { on: [{ backend: slow, model: s }] } }
`,
  });
  app = createPublicApp(() => gateway.gateway.serving);
});
afterAll(() => gateway.close());

const ask = (body: object, signal?: AbortSignal) => {
  const init = { method: "POST", body: JSON.stringify({ messages: [{ role: "user", content: "hi" }], ...body }) };
  return app.request(new Request("http://localhost/v1/chat/completions", { ...init, ...(signal && { signal }) }));
};

test("a whole answer, with its headers", async () => {
  const response = await ask({ model: "m" });
  expect(response.status).toBe(200);
  expect(response.headers.get("x-signalbox-backend")).toBe("one");
  expect(await response.json()).toMatchObject({ object: "chat.completion", choices: [{ finish_reason: "stop" }] });
});

test("a stream comes in pieces and ends with [DONE]", async () => {
  const response = await ask({ model: "s", stream: true, max_tokens: 20 });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const pieces: string[] = [];
  const decoder = new TextDecoder();
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) pieces.push(decoder.decode(piece));
  expect(pieces.length).toBeGreaterThan(5);
  expect(pieces.join("")).toMatch(/data: \[DONE\]\n\n$/);
});

test("errors have their status", async () => {
  expect((await ask({ model: "none" })).status).toBe(404);
  expect((await ask({ model: "m", temperature: "hot" })).status).toBe(400);
  expect((await ask({ model: "m", user: "x".repeat(100_000) })).status).toBe(413);
  expect((await app.request("/v1/models")).status).toBe(200);
  expect((await app.request("/v1/chat/completions")).status).toBe(405);
  expect((await app.request("/none")).status).toBe(404);
});

test("a reader that leaves closes the upstream", async () => {
  const response = await ask({ model: "s", stream: true, max_tokens: 4000 });
  const reader = response.body!.getReader();
  await reader.read();
  const left = Date.now();
  await reader.cancel();
  const seen = () => gateway.engines.slow.log.findLast(({ path }) => path === "/v1/chat/completions")?.abortedAt;
  await expect.poll(seen, { interval: 2 }).toBeDefined();
  expect((seen() ?? 0) - left).toBeLessThanOrEqual(100);
});

test("an abort before the answer closes the upstream and still resolves", async () => {
  gateway.engines.one.fault({ kind: "silence", times: 1 });
  const controller = new AbortController();
  const asked = gateway.engines.one.log.length;
  const answer = ask({ model: "m" }, controller.signal);
  const seen = () => gateway.engines.one.log.slice(asked).find(({ path }) => path === "/v1/chat/completions");
  await expect.poll(seen, { interval: 2 }).toBeDefined();
  controller.abort();
  await expect.poll(() => seen()?.abortedAt, { interval: 2 }).toBeDefined();
  expect((await answer).status).toBe(499);
});
