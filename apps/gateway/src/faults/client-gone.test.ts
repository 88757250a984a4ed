import { connect } from "node:net";
import { expect, test } from "vitest";
import { startBlackhole } from "./blackhole.ts";
import { chatBody, type Pool, type PoolOptions, startPool, until } from "./fault-pool.ts";
import { startRawUpstream } from "./raw-upstream.ts";
import { ask } from "./wire-client.ts";

const modes = [
  { mode: "streamed", stream: true },
  { mode: "whole", stream: false },
];

interface Phase {
  readonly phase: string;
  readonly options: PoolOptions;
  readonly fault?: Parameters<Pool["primary"]["fault"]>[0];
  /** The request is in this phase when this holds. */
  readonly reached: (pool: Pool) => boolean;
  /** POST requests that the primary has seen by then. */
  readonly posts: number;
  readonly onlyStreamed?: boolean;
}

const slow = { tokensPerSecond: 20 };
const patient = { first_token: 8000, idle: 8000, connect: 8000 };

const phases: readonly Phase[] = [
  {
    phase: "waiting for a retry",
    options: { fallback: false, timeouts: patient },
    fault: { kind: "status", status: 500 },
    reached: (pool) => pool.seen("primary").some(({ endedAt }) => endedAt !== undefined),
    posts: 1,
  },
  {
    phase: "waiting for headers",
    options: { timeouts: patient },
    fault: { kind: "silence" },
    reached: (pool) => pool.seen("primary").length === 1,
    posts: 1,
  },
  {
    phase: "waiting in the engine's queue",
    options: { kind: "llama_cpp", timeouts: patient, primary: { slots: 1, tokensPerSecond: 10 } },
    reached: (pool) => pool.primary.stats().waiting === 1,
    posts: 2,
  },
  {
    phase: "waiting for the first token",
    options: { timeouts: patient },
    fault: { kind: "headers_then_silence" },
    reached: (pool) => pool.seen("primary").length === 1,
    posts: 1,
    onlyStreamed: true,
  },
  {
    phase: "reading the reply",
    options: { timeouts: patient, primary: slow },
    reached: (pool) => (pool.seen("primary")[0]?.tokensSent ?? 0) > 2,
    posts: 1,
    onlyStreamed: true,
  },
  {
    phase: "waiting for the whole reply",
    options: { timeouts: patient, primary: slow },
    reached: (pool) => pool.primary.stats().running === 1,
    posts: 1,
  },
  {
    phase: "in a reply that has stalled",
    options: { timeouts: patient },
    fault: { kind: "stall", after_tokens: 3 },
    reached: (pool) => pool.seen("primary")[0]?.fault === "stall",
    posts: 1,
  },
];

const cases = phases.flatMap((phase) =>
  modes.filter(({ stream }) => stream || phase.onlyStreamed !== true).map((mode) => ({ ...phase, ...mode })),
);

test.each(cases)(
  "F58 a client that leaves while $phase ($mode): the engine is let go within 100 ms, nobody else is asked, and nothing is held against it",
  async ({ options, fault, reached, posts, stream, phase }) => {
    const pool = await startPool(options);
    if (fault !== undefined) pool.primary.fault(fault);
    const { url } = pool.gateway;
    const others = new AbortController();
    if (phase.includes("queue")) {
      void ask(url, { body: chatBody(true), signal: others.signal }).catch(() => {});
      await until(() => pool.primary.stats().running === 1, 1000, "the slot is taken");
    }
    const leaving = new AbortController();
    const asked = ask(url, { body: chatBody(stream), signal: leaving.signal }).catch(() => undefined);
    await until(() => reached(pool), 2000, "the phase is reached");
    const entry = pool.seen("primary").at(-1)!;
    const left = Date.now();
    leaving.abort();
    await asked;
    if (entry.endedAt === undefined || entry.endedAt > left) {
      await until(() => entry.abortedAt !== undefined, 500, "the engine sees the connection close");
      expect(entry.abortedAt! - left).toBeLessThanOrEqual(100);
    }
    await until(
      () => pool.lastLine().code === "client_closed_request" || pool.lastLine().outcome === "client_gone",
      500,
      "the request is settled",
    );
    expect(pool.lastLine()).toMatchObject({ outcome: "client_gone" });
    others.abort();
    const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
    await until(() => state.inFlight === 0, 500, "no slot is held");
    await new Promise((resolve) => setTimeout(resolve, phase.includes("retry") ? 300 : 20));
    expect(pool.seen("primary")).toHaveLength(posts);
    expect(pool.seen("fallback")).toHaveLength(0);
    expect(state.breaker).toBe("closed");
    expect(await pool.gateway.metrics()).not.toMatch(/signalbox_breaker_transitions_total\{/);
  },
);

test("F58 a hundred clients that leave are no evidence against an engine", async () => {
  const pool = await startPool({ timeouts: patient });
  pool.primary.fault({ kind: "silence" });
  await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const leaving = new AbortController();
      const asked = ask(pool.gateway.url, { body: chatBody(i % 2 === 0), signal: leaving.signal }).catch(
        () => undefined,
      );
      await until(() => pool.seen("primary").length >= 100, 4000, "all are under way");
      leaving.abort();
      await asked;
    }),
  );
  const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
  await until(() => state.inFlight === 0, 500, "no slot is held");
  expect(state.breaker).toBe("closed");
  expect(pool.seen("primary")).toHaveLength(100);
  expect(pool.seen("fallback")).toHaveLength(0);
  await until(
    () => pool.seen("primary").every(({ abortedAt }) => abortedAt !== undefined),
    500,
    "no connection survives",
  );
});

test("F58 a client that leaves while the connection is made leaves no request behind", async () => {
  const pool = await startPool({ url: await startBlackhole(), probed: false, timeouts: patient });
  const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
  const leaving = new AbortController();
  const asked = ask(pool.gateway.url, { body: chatBody(true), signal: leaving.signal }).catch(() => undefined);
  await until(() => state.inFlight === 1, 1000, "the attempt is under way");
  leaving.abort();
  await asked;
  await until(() => state.inFlight === 0, 100, "the attempt is over");
  expect(pool.lastLine()).toMatchObject({ outcome: "client_gone" });
  expect(pool.seen("fallback")).toHaveLength(0);
  expect(state.breaker).toBe("closed");
});

test("F58 a client that leaves before its body is whole reaches no engine", async () => {
  const pool = await startPool();
  const socket = connect(pool.gateway.port, "127.0.0.1");
  socket.write(
    "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
  );
  await new Promise((resolve) => setTimeout(resolve, 30));
  socket.destroy();
  await until(() => pool.gateway.requestLines().length === 1, 1000, "the request is settled");
  expect(pool.lastLine()).toMatchObject({ code: "client_closed_request" });
  expect(pool.seen("primary")).toHaveLength(0);
});

test("F58 what a client that left had been sent is put down", async () => {
  const pool = await startPool({ primary: { tokensPerSecond: 50 } });
  const leaving = new AbortController();
  let text = "";
  await ask(pool.gateway.url, {
    body: chatBody(true),
    signal: leaving.signal,
    onData: (more) => {
      text += more;
      if (text.includes("p9 ")) leaving.abort();
    },
  }).catch(() => undefined);
  await until(() => pool.gateway.requestLines().length === 1, 1000, "the request is settled");
  const { output_tokens: tokens } = pool.lastLine();
  expect(tokens).toBeGreaterThanOrEqual(10);
  expect(tokens).toBeLessThan(20);
});

test("the deadline of a request ends it in every phase, and closes the engine's connection", async () => {
  const silent = await startRawUpstream(() => {});
  const pool = await startPool({ url: silent.url, timeouts: { ...patient, total: 200 } });
  for (const stream of [true, false]) {
    const answer = await pool.chat(stream);
    expect(answer.status).toBe(504);
    expect(answer.error?.code).toBe("deadline_exceeded");
    expect(answer.ms).toBeLessThan(400);
    await until(() => silent.open === 0, 200, "the connection is closed");
  }
  expect(pool.seen("fallback")).toHaveLength(0);
});
