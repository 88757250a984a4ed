import { afterAll, beforeAll, expect, test } from "vitest";
import type { Gateway } from "../runtime/gateway.ts";
import { type CuttingProxy, startCuttingProxy } from "./cutting-proxy.ts";
import { startRealGateway } from "./real-gateway.ts";
import { startVllm, type VllmServer } from "./vllm-process.ts";

let server: VllmServer;
let proxy: CuttingProxy;
let gateway: Gateway;

beforeAll(async () => {
  server = await startVllm();
  proxy = await startCuttingProxy(server.url);
  const on = "strategy: ordered, on: [{ backend: fragile, model: tiny }, { backend: sound, model: tiny }]";
  gateway = await startRealGateway(`
backends:
  fragile: { kind: vllm, url: "${proxy.url}" }
  sound: { kind: vllm, url: "${server.url}", continue_final_message: true }
  plain: { kind: vllm, url: "${server.url}" }
models:
  whole: { on: [{ backend: plain, model: tiny }] }
  continued: { ${on} }
  restarted: { strategy: ordered, on: [{ backend: fragile, model: tiny }, { backend: plain, model: tiny }], restart_broken_streams: true }
`);
  await gateway.probed;
}, 300_000);

afterAll(async () => {
  await gateway?.close();
  await proxy?.close();
  await server?.stop();
});

const LETTERS = 60;
/** The tokens of the letters a to z, each one alone: behind three of its own, the tokenizer has the bytes from `!` on. */
const letters = Object.fromEntries(Array.from({ length: 26 }, (_, i) => [3 + "a".charCodeAt(0) - 33 + i, 100]));

interface Chunk {
  readonly id: string;
  readonly model: string;
  readonly choices: readonly {
    readonly delta: { content?: string; role?: string };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
}

/** Has the noise written in letters, one a token, and reads it as a client does. */
async function ask(model: string, more: Readonly<Record<string, unknown>> = {}) {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model,
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: LETTERS,
      logit_bias: letters,
      messages: [{ role: "user", content: "Say letters." }],
      ...more,
    }),
  });
  const parts = (await answer.text()).split("\n\n").slice(0, -1);
  const data = parts.filter((part) => part.startsWith("data: ")).map((part) => part.slice(6));
  const chunks = data.filter((text) => text !== "[DONE]").map((text) => JSON.parse(text) as Chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices ?? []);
  return {
    content: choices.map(({ delta }) => delta.content ?? "").join(""),
    roles: choices.filter(({ delta }) => delta.role !== undefined).length,
    finishes: choices.flatMap(({ finish_reason }) => finish_reason ?? []),
    ids: new Set(chunks.map(({ id }) => id)).size,
    usage: chunks.flatMap(({ usage }) => usage ?? []),
    done: data.at(-1) === "[DONE]",
    comments: parts.filter((part) => part.startsWith(":")),
    text: parts.join("\n"),
  };
}

test("a stream that is cut is continued by vLLM: one reply, with as many tokens as were allowed", async () => {
  const whole = await ask("whole");
  for (const events of [30, 41, 59]) {
    proxy.cutAfter(events);
    const reply = await ask("continued");
    expect(reply.comments, reply.text).toContain(": the reply continues on sound");
    expect(reply).toMatchObject({ done: true, finishes: ["length"], ids: 1, roles: 1 });
    // Each token is one letter: none is lost, and none came twice.
    expect(reply.content).toMatch(/^[a-z]{60}$/);
    expect(reply.usage).toEqual([
      expect.objectContaining({ prompt_tokens: whole.usage[0]!.prompt_tokens, completion_tokens: LETTERS }),
    ]);
  }
}, 240_000);

test("a stream that is cut is asked for anew, and comes to the end that it would have had", async () => {
  const seeded = { seed: 7 };
  const whole = await ask("whole", seeded);
  for (const events of [3, 30, 59]) {
    proxy.cutAfter(events);
    const reply = await ask("restarted", seeded);
    expect(reply.comments, reply.text).toContain(": the reply continues on plain");
    expect(reply).toMatchObject({ content: whole.content, done: true, finishes: ["length"], ids: 1, roles: 1 });
    expect(reply.usage).toEqual(whole.usage);
  }
}, 240_000);
