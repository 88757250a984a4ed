import { startSimulator } from "@signalbox/simulator";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Pool, startPool, words } from "./fault-pool.ts";
import { chunkOf, LAST_CHUNK, recordedBody, STREAM_HEAD, startRawUpstream } from "./raw-upstream.ts";
import { ask } from "./wire-client.ts";

function event(content: string, finish_reason: string | null = null, more: object = {}): string {
  const choice = { index: 0, delta: { ...more, content }, finish_reason };
  return `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", model: "big", choices: [choice] })}\n\n`;
}

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
