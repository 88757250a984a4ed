import { expect, test } from "vitest";
import { chatBody, type PoolOptions, startPool, until, words } from "./fault-pool.ts";
import { chunkOf, LAST_CHUNK, STREAM_HEAD, startRawUpstream } from "./raw-upstream.ts";
import { ask } from "./wire-client.ts";

const tools = [{ type: "function", function: { name: "noargs", parameters: { type: "object" } } }];
const pieces = (count: number): string[] => [
  '<tool_call>\n{"name":"noargs","arguments":{"a":"',
  ...Array(count).fill("x"),
];
const ending = '"}}\n</tool_call>';
const dialect = { kind: "sglang" } as const satisfies PoolOptions;
const countedAs = (outcome: string) =>
  `signalbox_tool_calls_total{backend="primary",model="large",dialect="auto",outcome="${outcome}"} 1\n`;

const COMMENT = ": a tool call is being written\n\n";

/** What a client with patience reads: comments are for its connection. */
const withoutComments = (text: string): string => text.replaceAll(COMMENT, "");

test("behind text, a client that waits for a long call hears a comment each second, and the call comes in one piece", async () => {
  const script = [{ reply: { deltas: ["Let me see.\n", ...pieces(24), ending] } }];
  const pool = await startPool({ ...dialect, primary: { script, tokensPerSecond: 10 } });
  const seen: string[] = [];
  const answer = await ask(pool.gateway.url, { body: chatBody(true, { tools }), onData: (text) => seen.push(text) });
  expect(seen[0]).toContain("Let me see.");
  expect(answer.text.split(COMMENT).length - 1).toBe(2);
  const text = withoutComments(answer.text);
  expect(text.match(/"tool_calls":\[/g)).toHaveLength(1);
  expect(text).toContain(`"arguments":${JSON.stringify(`{"a":"${"x".repeat(24)}"}`)}`);
  expect(text.endsWith('"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n')).toBe(true);
  expect(pool.lastLine()).toMatchObject({ outcome: "ok", backend: "primary" });
});

test("a reply that is all call begins after two seconds, to show life", async () => {
  const script = [{ reply: { deltas: [...pieces(26), ending] } }];
  const pool = await startPool({ ...dialect, primary: { script, tokensPerSecond: 10 } });
  const answer = await ask(pool.gateway.url, { body: chatBody(true, { tools }) });
  expect(answer.headersMs).toBeGreaterThan(1900);
  expect(answer.headersMs).toBeLessThan(answer.ms);
  expect(withoutComments(answer.text)).toContain('"tool_calls":[');
});

test("a guarded reply waits for the whole call", async () => {
  const script = [{ reply: { deltas: [...pieces(26), ending] } }];
  const pool = await startPool({ ...dialect, primary: { script, tokensPerSecond: 10 } });
  await pool.gateway.apply(guarded(pool.gateway.engines.primary.url));
  const answer = await ask(pool.gateway.url, { body: chatBody(true, { tools }) });
  expect(answer.headersMs).toBeGreaterThan(2500);
  expect(answer.text).not.toContain(COMMENT);
  expect(answer.text).toContain('"tool_calls":[');
});

function guarded(url: string): string {
  return `
backends: { primary: { kind: sglang, url: "${url}" } }
models:
  large: { on: [{ backend: primary, model: big }], tools: true, guard: { undeclared: reject } }
defaults: { timeouts: { first_token: 5s, idle: 5s } }
`;
}

test("cut inside a call in the text, before anything was sent: the fallback answers", async () => {
  const pool = await startPool({ ...dialect, primary: { script: [{ reply: { deltas: [...pieces(8), ending] } }] } });
  pool.primary.fault({ kind: "cut", after_tokens: 5 });
  const answer = await pool.chat(true, { tools });
  expect(answer).toMatchObject({ status: 200, content: words.fallback, finishes: ["stop"], done: true });
  expect(pool.lastLine().tried).toMatchObject([
    { backend: "primary", outcome: "failed", cause: "cut" },
    { backend: "fallback", outcome: "ok" },
  ]);
  expect(await pool.gateway.metrics()).not.toMatch(/outcome="leaked"\} [1-9]/);
});

test("cut inside a call behind text: what was held back leaves as text, then the error, and no end", async () => {
  const script = [{ reply: { deltas: ["Let me see.\n\n", ...pieces(8), ending] } }];
  const pool = await startPool({ ...dialect, primary: { script } });
  pool.primary.fault({ kind: "cut", after_tokens: 5 });
  const answer = await pool.chat(true, { tools });
  const sent = `Let me see.\n\n${pieces(3).join("")}`;
  expect(answer).toMatchObject({ status: 200, content: sent, finishes: [], done: false });
  expect(answer.error?.code).toBe("stream_interrupted");
  expect(answer.chunks.at(-1)?.error).toBeDefined();
  expect(await pool.gateway.metrics()).toContain(countedAs("failed"));
});

const delta = (part: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", created: 1, model: "big", choices: [{ index: 0, delta: part, finish_reason: finish }] })}\n\n`;
const role = delta({ role: "assistant", content: "" });
const half = delta({
  tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "noargs", arguments: '{"a"' } }],
});

/** A pool whose primary sends these bytes, in one piece, and closes. */
async function poolThatSends(body: string) {
  const { url } = await startRawUpstream(({ socket }) => {
    socket.end(`${STREAM_HEAD}${chunkOf(body)}${LAST_CHUNK}`);
  });
  return startPool({ ...dialect, url });
}

const errors = [
  { what: "SS20 an error event", line: 'data: {"error":{"message":"the engine broke","code":500}}\n\n' },
  {
    what: "SS20 an error event and [DONE]",
    line: 'data: {"error":{"message":"it broke","code":500}}\n\ndata: [DONE]\n\n',
  },
  { what: "SS21 a bare line with an error", line: '{"error":"the engine broke"}\n\n' },
  { what: "SS21 a chunk that says nothing, and the end", line: 'data: {"model":"","choices":[]}\n\n' },
];

test.each(errors)("$what inside a call, before anything was sent: the fallback answers", async ({ line }) => {
  const pool = await poolThatSends(role + half + line);
  const answer = await pool.chat(true, { tools });
  expect(answer).toMatchObject({ status: 200, content: words.fallback, done: true });
});

test.each(errors)("$what inside a call behind text: an error event, and no [DONE]", async ({ line }) => {
  const pool = await poolThatSends(role + delta({ content: "Let me see. " }) + half + line);
  const answer = await pool.chat(true, { tools });
  expect(answer).toMatchObject({ status: 200, content: 'Let me see. {"a"', finishes: [], done: false });
  expect(answer.error?.code).toBe("stream_interrupted");
  expect(pool.lastLine()).toMatchObject({ outcome: "failed", code: "stream_interrupted", backend: "primary" });
  expect(pool.seen("fallback")).toHaveLength(0);
});

test.each([
  { when: "before anything was sent", deltas: pieces(400), count: 0 },
  { when: "behind text", deltas: ["Let me see.\n", ...pieces(400)], count: 1 },
])(
  "SS29 a client that leaves inside a call, $when: the engine stops, and nothing is flushed",
  async ({ deltas, count }) => {
    const pool = await startPool({ ...dialect, primary: { script: [{ reply: { deltas } }], tokensPerSecond: 50 } });
    const leave = new AbortController();
    let seen = "";
    const asked = ask(pool.gateway.url, {
      body: chatBody(true, { tools }),
      onData: (text) => {
        seen += text;
      },
      signal: leave.signal,
    });
    asked.catch(() => {});
    await until(() => (pool.seen("primary")[0]?.tokensSent ?? 0) > 8, 2000, "the engine is inside the call");
    leave.abort();
    await until(() => pool.seen("primary")[0]?.abortedAt !== undefined, 500, "the engine is let go");
    await until(() => pool.lastLine().outcome === "client_gone", 500, "the request is settled");
    expect(seen.match(/"content":"[^"]/g) ?? []).toHaveLength(count);
    expect(seen).not.toContain("tool_call");
    expect(pool.seen("fallback")).toHaveLength(0);
    expect(pool.breakerOf("primary")).toBe("closed");
  },
);
