import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { KindName } from "./kinds/registry.ts";
import type { SimulatorInput } from "./options.ts";
import { type Simulator, startSimulator } from "./simulator.ts";
import { chatBody, eventsOf, type RawAnswer, rawRequest } from "./test-client.ts";

const running: Simulator[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
});

async function start(options: SimulatorInput): Promise<Simulator> {
  const simulator = await startSimulator({ models: ["tiny"], ...options });
  running.push(simulator);
  return simulator;
}

const json = <T>(answer: RawAnswer): T => JSON.parse(answer.body.toString()) as T;
const servedName = (kind: KindName): string => (kind === "foundry_local" ? "tiny-generic-cpu:3" : "tiny");

/** Opens a stream and leaves it open; `begun` resolves at its first byte. */
function open(port: number, model = "tiny"): { readonly begun: Promise<void>; leave(): void } {
  const socket = connect(port, "127.0.0.1");
  const body = JSON.stringify(chatBody({ model, stream: true }));
  const type = "content-type: application/json";
  socket.on("error", () => {});
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  return { begun: new Promise((resolve) => socket.once("data", () => resolve())), leave: () => socket.destroy() };
}

/** A stream that holds a slot until it is left. */
async function hold(port: number, model?: string): Promise<() => void> {
  const { begun, leave } = open(port, model);
  await begun;
  return leave;
}

/** A pace at which an answer does not end within a test. */
const SLOW = { tokensPerSecond: 1 } as const;
const SILENCE_MS = 60;

describe("load", () => {
  test("a queued stream of llama-server gets no byte, one of vLLM its headers; both run when the slot is free", async () => {
    for (const [kind, bytes] of [
      ["llama_cpp", false],
      ["vllm", true],
    ] as const) {
      const simulator = await start({ kind, slots: 1, ...SLOW });
      const leave = await hold(simulator.port);
      const waiting = await rawRequest(simulator.port, { body: chatBody({ stream: true }), waitMs: SILENCE_MS });
      expect([kind, waiting.bytes.length > 0, waiting.body.length]).toEqual([kind, bytes, 0]);
      leave();
      await expect.poll(() => simulator.stats()).toMatchObject({ running: 0, waiting: 0 });
      (await hold(simulator.port))();
    }
  });

  test("a full queue is refused in each engine's words", async () => {
    const seen: Record<string, unknown> = {};
    for (const kind of ["vllm", "sglang", "llama_cpp", "foundry_local", "openai"] as const) {
      const { port } = await start({ kind, slots: 1, queue: 0, ...SLOW });
      const leave = await hold(port, servedName(kind));
      const whole = await rawRequest(port, { body: chatBody({ model: servedName(kind) }) });
      const streamed = await rawRequest(port, { body: chatBody({ model: servedName(kind), stream: true }) });
      seen[kind] = [whole.status, streamed.status, eventsOf(streamed.body).at(-1)];
      leave();
    }
    expect(seen).toEqual({
      vllm: [503, 200, "[DONE]"],
      sglang: [503, 200, "[DONE]"],
      llama_cpp: [503, 503, undefined],
      foundry_local: [503, 503, undefined],
      openai: [429, 429, undefined],
    });
  });

  test("the load endpoints tell the true numbers of running and waiting requests", async () => {
    const texts: Record<string, readonly [string, RegExp]> = {
      vllm: ["/metrics", /requests_running\{[^}]*\} 1\.0\n[\s\S]*requests_waiting\{[^}]*\} 1\.0\n/],
      sglang: ["/v1/loads", /"total_running_reqs":1,"total_waiting_reqs":1/],
      llama_cpp: ["/metrics", /requests_processing 1\n[\s\S]*requests_deferred 1\n/],
    };
    for (const [kind, [path, pattern]] of Object.entries(texts)) {
      const simulator = await start({ kind: kind as KindName, slots: 1, ...SLOW });
      const leave = await hold(simulator.port);
      const waiting = open(simulator.port);
      await expect.poll(() => simulator.stats().waiting).toBe(1);
      expect((await rawRequest(simulator.port, { path })).body.toString()).toMatch(pattern);
      if (kind === "llama_cpp")
        expect((await rawRequest(simulator.port, { path: "/slots?fail_on_no_slot=1" })).status).toBe(503);
      waiting.leave();
      leave();
    }
  });

  test("tokens leave at the pace that was asked for", async () => {
    const { port } = await start({ kind: "vllm", tokensPerSecond: 200, firstTokenMs: 40 });
    const began = performance.now();
    await rawRequest(port, { body: chatBody({ stream: true, max_tokens: 9 }) });
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(79);
    expect(took).toBeLessThan(3000);
  });

  test("a client that leaves frees its slot and stands in the log", async () => {
    const simulator = await start({ kind: "ollama", ...SLOW });
    (await hold(simulator.port))();
    await expect.poll(() => simulator.stats()).toMatchObject({ running: 0, aborted: 1 });
    const entry = simulator.log[0];
    expect(entry).toMatchObject({
      method: "POST",
      path: "/v1/chat/completions",
      status: 200,
      stream: true,
      tokensSent: 1,
    });
    expect(entry?.abortedAt).toBeGreaterThanOrEqual(entry?.at ?? Number.NaN);
  });
});

describe("loading", () => {
  test("llama-server says Loading model on /health and chat, SGLang 503 on /health, until loaded", async () => {
    for (const kind of ["llama_cpp", "sglang"] as const) {
      const { port } = await start({ kind, loadMs: 400 });
      const early = await rawRequest(port, { path: "/health" });
      expect(early.status).toBe(503);
      if (kind === "llama_cpp") expect(early.body.toString()).toContain("Loading model");
      expect((await rawRequest(port, { body: chatBody() })).status).toBe(503);
      await expect.poll(async () => (await rawRequest(port, { path: "/health" })).status).toBe(200);
      expect((await rawRequest(port, { body: chatBody() })).status).toBe(200);
    }
  });

  test("vLLM refuses connections until it is loaded", async () => {
    const { port } = await start({ kind: "vllm", loadMs: 400 });
    expect((await rawRequest(port, { path: "/health" })).end).toBe("reset");
    await expect.poll(async () => (await rawRequest(port, { path: "/health" })).status).toBe(200);
  });

  test("Ollama loads on the first request; leaving aborts the load, and the queue is bounded meanwhile", async () => {
    const simulator = await start({ kind: "ollama", loadMs: 500, queue: 0 });
    const ps = async (): Promise<unknown[]> =>
      json<{ models: unknown[] }>(await rawRequest(simulator.port, { path: "/api/ps" })).models;
    expect(await ps()).toEqual([]);
    await rawRequest(simulator.port, { body: chatBody(), waitMs: 30 });
    await expect.poll(() => simulator.stats().abortedLoads).toBe(1);
    const first = rawRequest(simulator.port, { body: chatBody() });
    await expect.poll(() => simulator.stats().inference).toBe(2);
    const second = await rawRequest(simulator.port, { body: chatBody() });
    expect([second.status, second.body.toString()]).toEqual([
      503,
      expect.stringContaining("please try again.  maximum pending"),
    ]);
    expect((await first).status).toBe(200);
    expect(await ps()).toHaveLength(1);
  });

  test("Foundry Local refuses a model until it is told to load it, and lists all variants", async () => {
    const { port } = await start({ kind: "foundry_local", loadMs: 20 });
    const body = chatBody({ model: "tiny-generic-cpu:3" });
    const refused = await rawRequest(port, { body });
    expect([refused.status, refused.body.toString()]).toEqual([
      400,
      expect.stringContaining("must be loaded before inference"),
    ]);
    expect(json<unknown[]>(await rawRequest(port, { path: "/models/loaded" }))).toEqual([]);
    expect((await rawRequest(port, { path: "/models/load/tiny" })).status).toBe(200);
    expect(json<unknown[]>(await rawRequest(port, { path: "/models/loaded" }))).toEqual(["tiny-generic-cpu:3"]);
    expect((await rawRequest(port, { body })).status).toBe(200);
    expect((await rawRequest(port, { body: chatBody({ model: "tiny" }) })).status).toBe(404);
    await rawRequest(port, { path: "/models/unload/tiny" });
    expect((await rawRequest(port, { body })).status).toBe(400);
    expect(json<{ data: unknown[] }>(await rawRequest(port, { path: "/v1/models" })).data).toHaveLength(3);
  });
});
