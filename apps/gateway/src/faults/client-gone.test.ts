import { expect, test } from "vitest";
import { chatBody, startPool, until } from "./fault-pool.ts";
import { startRawUpstream } from "./raw-upstream.ts";
import { ask } from "./wire-client.ts";

const patient = { first_token: 8000, idle: 8000, connect: 8000 };

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
