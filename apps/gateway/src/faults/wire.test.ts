import { expect, test } from "vitest";
import { startPool, until, words } from "./fault-pool.ts";
import { chunkOf, JSON_HEAD, LAST_CHUNK, STREAM_HEAD, startRawUpstream } from "./raw-upstream.ts";
import { ask, readAnswer } from "./wire-client.ts";

const event = (content: string, finish_reason: string | null = null, index = 0): string =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index, delta: { content }, finish_reason }] })}\n\n`;
const DONE = "data: [DONE]\n\n";
const streamBody = `${event("Hello ")}${event("world")}${event("", "stop")}${DONE}`;
const jsonBody = JSON.stringify({
  id: "c",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello world" }, finish_reason: "stop" }],
});
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test.each([
  {
    what: "a chunked stream",
    stream: true,
    wire: `${STREAM_HEAD}${chunkOf(event("Hello "))}${chunkOf(event("world") + event("", "stop"))}${chunkOf(DONE)}${LAST_CHUNK}`,
  },
  {
    what: "chunks with extensions and trailers",
    stream: true,
    wire: `${STREAM_HEAD}${streamBody.length.toString(16).toUpperCase()};name="v"\r\n${streamBody}\r\n0;x\r\nx-trailer: 1\r\n\r\n`,
  },
  {
    what: "an interim response first",
    stream: false,
    wire: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${JSON_HEAD}content-length: ${jsonBody.length}\r\n\r\n${jsonBody}`,
  },
  {
    what: "a body with a length",
    stream: false,
    wire: `${JSON_HEAD}Content-Length:${jsonBody.length}\r\nX-Empty:\r\n\r\n${jsonBody}`,
  },
])("$what is the same wherever the network cuts it, and its connection serves on", async ({ stream, wire }) => {
  let at = 0;
  const upstream = await startRawUpstream(({ socket }) => {
    socket.write(wire.slice(0, at), "latin1", () => setImmediate(() => socket.write(wire.slice(at), "latin1")));
  });
  const pool = await startPool({ url: upstream.url, fallback: false });
  for (at = 1; at < wire.length; at++) {
    expect(await pool.chat(stream), `cut at ${at}`).toMatchObject({
      status: 200,
      content: "Hello world",
      finishes: ["stop"],
      done: stream,
    });
  }
  expect(upstream.requests).toHaveLength(wire.length - 1);
  expect(upstream.open).toBe(1);
});

const good = `content-length: ${jsonBody.length}\r\n\r\n${jsonBody}`;

test("bytes behind the end of an answer never reach the next request", async () => {
  const wire = `${JSON_HEAD}${good}`;
  const foreign = `${JSON_HEAD}${good.replaceAll("Hello", "Howdy")}`;
  const upstream = await startRawUpstream(({ socket }) => void socket.write(wire + foreign, "latin1"));
  const pool = await startPool({ url: upstream.url, fallback: false });
  for (let i = 0; i < 10; i++) {
    const answer = await pool.chat(false);
    expect(answer.content).not.toContain("Howdy");
    expect([200, 502]).toContain(answer.status);
  }
});

test("the answer of an attempt that was given up never reaches another request", async () => {
  const upstream = await startRawUpstream(({ socket, index }) => {
    const say = (text: string): string =>
      `${JSON_HEAD}content-length: ${jsonBody.length}\r\n\r\n${jsonBody.replace("Hello", text)}`;
    if (index % 2 === 1) return void socket.write(say("Hello"));
    setTimeout(() => socket.write(say("Howdy")), 30);
  });
  const pool = await startPool({ url: upstream.url, fallback: false });
  for (let i = 0; i < 10; i++) {
    const leaving = new AbortController();
    const left = ask(pool.gateway.url, {
      body: { model: "large", messages: [{ role: "user", content: "x" }] },
      signal: leaving.signal,
    }).catch(() => undefined);
    await until(() => upstream.requests.length === 2 * i + 1, 500, "it is under way");
    leaving.abort();
    await left;
    expect((await pool.chat(false)).content).toBe("Hello world");
  }
});

test("a name with an address that refuses and one that answers is reached", async () => {
  const upstream = await startRawUpstream(({ socket }) => void socket.write(`${JSON_HEAD}${good}`));
  const pool = await startPool({ url: upstream.url.replace("127.0.0.1", "localhost"), fallback: false });
  expect((await pool.chat(false)).content).toBe("Hello world");
});

test("the first of two choices may end more than a second before the second begins", async () => {
  const upstream = await startRawUpstream(async ({ socket }) => {
    socket.write(STREAM_HEAD + chunkOf(event("one") + event("", "stop")));
    await wait(1200);
    socket.write(chunkOf(event("two", null, 1) + event("", "stop", 1) + DONE) + LAST_CHUNK);
  });
  const pool = await startPool({ url: upstream.url, fallback: false, timeouts: { idle: 3000 } });
  const answer = await pool.chat(true, { n: 2 });
  expect(answer).toMatchObject({ content: "onetwo", finishes: ["stop", "stop"], done: true, error: undefined });
});

test("of two choices only the first came: not complete", async () => {
  const upstream = await startRawUpstream(
    ({ socket }) => void socket.end(STREAM_HEAD + chunkOf(event("one") + event("", "stop")) + LAST_CHUNK),
  );
  const pool = await startPool({ url: upstream.url, fallback: false });
  expect(await pool.chat(true, { n: 2 })).toMatchObject({
    content: "one",
    done: false,
    error: { code: "stream_interrupted" },
  });
  expect(await pool.chat(true)).toMatchObject({ content: "one", done: true, error: undefined });
});

test("a client that reads slowly is not the engine's stall", async () => {
  const part = event("x".repeat(8000));
  const parts = 1200;
  const upstream = await startRawUpstream(async ({ socket }) => {
    socket.write(STREAM_HEAD);
    for (let i = 0; i < parts && !socket.destroyed; i++) {
      if (!socket.write(chunkOf(part)))
        await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
    }
    socket.write(chunkOf(event("", "stop") + DONE) + LAST_CHUNK);
  });
  const pool = await startPool({ url: upstream.url, fallback: false, timeouts: { idle: 150 } });
  const { request } = await import("node:http");
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(
      `${pool.gateway.url}/v1/chat/completions`,
      { method: "POST", headers: { "content-type": "application/json" } },
      (response) => {
        let tail = "";
        let length = 0;
        let pauses = 0;
        response.on("data", (chunk: Buffer) => {
          length += chunk.length;
          tail = (tail + chunk.toString("latin1")).slice(-300);
          if (length < (pauses + 1) * 2_000_000) return;
          pauses++;
          response.pause();
          setTimeout(() => response.resume(), 320 + pauses * 37);
        });
        response.on("close", () => resolve(`${length}${tail}`));
      },
    );
    sent.on("error", reject);
    sent.end(JSON.stringify({ model: "large", stream: true, messages: [{ role: "user", content: "x" }] }));
  });
  expect(text).toContain("data: [DONE]");
  expect(text).not.toContain('"error"');
  expect(Number.parseInt(text, 10)).toBeGreaterThan(parts * part.length);
});

test.each([
  { path: "/v1/completions", body: { prompt: "count" }, stream: true },
  { path: "/v1/completions", body: { prompt: "count" }, stream: false },
  { path: "/v1/embeddings", body: { input: "count" }, stream: false },
])("$path (stream: $stream) has the same fallbacks", async ({ path, body, stream }) => {
  for (const kind of ["reset", "html", "silence"] as const) {
    const pool = await startPool({ timeouts: { first_token: stream ? 200 : 30 } });
    pool.primary.fault({ kind });
    const answer = await ask(pool.gateway.url, {
      path,
      body: { model: "large", ...body, ...(stream ? { stream } : {}) },
    });
    expect(answer.status, `${kind}: ${answer.text}`).toBe(200);
    expect(answer.headers).toMatchObject({ "x-signalbox-model": "small", "x-signalbox-backend": "fallback" });
    if (stream) expect(readAnswer(answer)).toMatchObject({ done: true, content: words.fallback });
  }
});

test("/v1/completions that breaks after its first text ends in an error event", async () => {
  const pool = await startPool();
  pool.primary.fault({ kind: "cut", after_tokens: 5 });
  const answer = await ask(pool.gateway.url, {
    path: "/v1/completions",
    body: { model: "large", prompt: "count", stream: true },
  });
  expect(readAnswer(answer)).toMatchObject({ done: false, finishes: [], error: { code: "stream_interrupted" } });
});
