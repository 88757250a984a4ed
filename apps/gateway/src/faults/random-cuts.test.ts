import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { startPool, until } from "./fault-pool.ts";
import { chunkOf, LAST_CHUNK, STREAM_HEAD, startRawUpstream } from "./raw-upstream.ts";

const CUTS = 300;
const SEED = 20_261_121;
const closes = ["fin", "fin_and_last_chunk", "reset", "close_delimited"] as const;

/** mulberry32: small, seeded, even. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const tokens = Array.from({ length: 30 }, (_, i) => `t${i}é `);
const event = (delta: object, finish_reason: string | null): string =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "big", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
const events = [
  event({ role: "assistant" }, null),
  ...tokens.map((content) => event({ content }, null)),
  event({}, "stop"),
];
const body = Buffer.from(`${events.join("")}data: [DONE]\n\n`);
/** From here on the finish_reason has been sent whole. */
const finished = Buffer.byteLength(events.join("")) - 2;

/** The text of the events that end within the first `bytes`. */
function spokenUntil(bytes: number): string {
  let text = "";
  let end = Buffer.byteLength(events[0]!);
  for (const [i, token] of tokens.entries()) {
    end += Buffer.byteLength(events[i + 1]!);
    if (end <= bytes) text += token;
  }
  return text;
}

interface Cut {
  readonly at: number;
  readonly close: (typeof closes)[number];
  /** Sizes of the pieces that the bytes before the cut are written in. */
  readonly piece: number;
}

async function write(socket: Socket, { at, close, piece }: Cut): Promise<void> {
  const delimited = close === "close_delimited";
  socket.write(delimited ? "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" : STREAM_HEAD);
  for (let from = 0; from < at; from += piece) {
    const text = body.toString("latin1", from, Math.min(at, from + piece));
    await new Promise((resolve) => socket.write(delimited ? text : chunkOf(text), "latin1", resolve));
  }
  if (close === "fin_and_last_chunk") socket.write(LAST_CHUNK);
  if (close !== "reset") return void socket.end();
  // What was written is to arrive first.
  await new Promise((resolve) => setTimeout(resolve, 2));
  socket.resetAndDestroy();
}

test(`of ${CUTS} streams cut at random bytes none is reported complete, and their tokens are a prefix of what was said`, async () => {
  const random = createRandom(SEED);
  const cuts = Array.from(
    { length: CUTS },
    (_, i): Cut => ({
      at: Math.floor(random() * (finished - 1)),
      close: closes[i % closes.length]!,
      piece: 1 + Math.floor(random() ** 3 * 2000),
    }),
  );
  const upstream = await startRawUpstream(({ socket, request }) => {
    const index = Number(/"cut (\d+)"/.exec(request)![1]);
    void write(socket, cuts[index]!);
  });
  const pool = await startPool({ url: upstream.url, fallback: false, timeouts: { first_token: 2000, idle: 2000 } });
  const whole = tokens.join("");
  const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
  let delivered = 0;
  for (const [index, cut] of cuts.entries()) {
    // An outage is what this is; the breaker is not what is asked about.
    if (state.breaker === "open") state.observe({ status: "down", reason: "" }, undefined, undefined);
    state.observe({ status: "ready", reason: "" }, undefined, undefined);
    const answer = await pool.chat(true, { messages: [{ role: "user", content: `cut ${index}` }] });
    const what = JSON.stringify({ index, ...cut });
    expect(answer.whole, what).toBe(true);
    expect(answer.done, what).toBe(false);
    expect(answer.finishes, what).toEqual([]);
    expect(answer.error, what).toBeDefined();
    expect(whole.startsWith(answer.content), what).toBe(true);
    if (answer.status !== 200) continue;
    delivered++;
    if (cut.close === "reset") continue;
    // Every event that was sent whole has come; a clean end also ends a line that lacks nothing but its line end.
    const arrived = [spokenUntil(cut.at), spokenUntil(cut.at + 2)];
    expect(arrived, what).toContain(answer.content);
  }
  expect(delivered).toBeGreaterThan(CUTS / 2);
  expect(upstream.requests.length).toBeGreaterThanOrEqual(CUTS);
  await until(() => upstream.open === 0, 500, "no connection survives");
}, 60_000);
