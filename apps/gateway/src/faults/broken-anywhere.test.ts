import { chunkOf, LAST_CHUNK, STREAM_HEAD } from "@signalbox/simulator";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { startRawUpstream } from "./raw-upstream.ts";
import { ALL, COUNT, type ReplicaOptions, type Replicas, type Seen, startReplicas } from "./replica-pool.ts";

const ways: Record<string, ReplicaOptions> = {
  continued: {},
  "asked for anew": { backend: "", model: "restart_broken_streams: true" },
  told: { backend: "" },
};
const closes = ["cut", "clean_cut", "reset_midway", "close_delimited_cut", "vllm_engine_died", "vllm_stopped"] as const;

/** An outage is what this is; the breakers are not what is asked about. */
function forget({ gateway }: Replicas): void {
  for (const { state } of gateway.gateway.serving.backends.values()) {
    state.setOverride("close");
    state.setOverride(undefined);
  }
}

/** Either all of it, once, and then its end; or a beginning and the error. True = all of it. */
function expectTruth(reply: Seen, what: string): boolean {
  expect(reply.whole, what).toBe(true);
  if (reply.done === 1) {
    expect(reply.content, what).toBe(ALL);
    expect(reply.finishes, what).toEqual(["stop"]);
    expect(reply.errors, what).toEqual([]);
    return true;
  }
  expect(reply.done, what).toBe(0);
  expect(ALL.startsWith(reply.content), what).toBe(true);
  expect(reply.finishes, what).toEqual([]);
  expect(reply.errors, what).toHaveLength(1);
  return false;
}

describe.each(Object.entries(ways))("cut at every token, in every way, and %s:", (way, options) => {
  test.each(closes)("%s", async (kind) => {
    const pool = await startReplicas(options);
    let whole = 0;
    for (let after_tokens = 1; after_tokens < COUNT; after_tokens++) {
      forget(pool);
      await pool.a.clearFaults();
      pool.a.fault({ kind, after_tokens });
      if (expectTruth(await pool.chat(), `${kind} after ${after_tokens}`)) whole++;
    }
    // A reset may overtake what was sent, so that nothing had come and another backend is asked.
    if (way === "told" && kind !== "reset_midway") expect(whole).toBe(0);
    // One token alone may be found in the mark that ends a turn.
    if (way === "continued") expect(whole).toBeGreaterThanOrEqual(COUNT - 2);
    if (way === "asked for anew") expect(whole).toBe(COUNT - 1);
  });
});

const event = (delta: object, finish_reason: string | null, tokens: number): string =>
  `data: ${JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "big",
    choices: [{ index: 0, delta, finish_reason }],
    usage: { prompt_tokens: 3, completion_tokens: tokens, total_tokens: 3 + tokens },
  })}\n\n`;
const events = [
  event({ role: "assistant", content: "" }, null, 0),
  ...ALL.split(/(?<= )/).map((content, index) => event({ content }, null, index + 1)),
  event({}, "stop", COUNT),
];
const body = events.join("");
/** From here on the finish_reason has been said. */
const finished = body.length - 2;

test.each(Object.entries(ways))(
  "cut at any byte, in pieces of any size: %s, or a clean beginning",
  async (_way, options) => {
    let cut = { at: 0, piece: 1, close: "fin" };
    const upstream = await startRawUpstream(async ({ socket }) => {
      const { at, piece, close } = cut;
      socket.write(STREAM_HEAD);
      for (let from = 0; from < at; from += piece) {
        await new Promise((resolve) => socket.write(chunkOf(body.slice(from, Math.min(at, from + piece))), resolve));
      }
      if (close === "last_chunk") socket.write(LAST_CHUNK);
      if (close !== "reset") return void socket.end();
      await new Promise((resolve) => setTimeout(resolve, 2));
      socket.resetAndDestroy();
    });
    const pool = await startReplicas({ ...options, urls: { a: upstream.url } });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(finished - 1),
        fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 4000 })),
        fc.constantFrom("fin", "last_chunk", "reset"),
        fc.constantFrom({}, { stream_options: { include_usage: true } }, { max_tokens: 100 }),
        async (at, piece, close, more) => {
          cut = { at, piece, close };
          forget(pool);
          const reply = await pool.chat(more);
          const whole = expectTruth(reply, JSON.stringify(cut));
          if (whole && "stream_options" in more) expect([COUNT, COUNT + 1]).toContain(reply.usage.completion_tokens);
        },
      ),
      { numRuns: 120, seed: 20_261_121 },
    );
  },
  60_000,
);
