import { expect, test } from "vitest";
import { peakOf } from "../../../../bench/lab/peak-of.ts";
import { chatBody, type Pool, startPool, until, words } from "./fault-pool.ts";
import { startRawUpstream } from "./raw-upstream.ts";
import { ask, readAnswer } from "./wire-client.ts";

const stateOf = (pool: Pool) => pool.gateway.gateway.serving.backends.get("primary")!.state;

test("F54 a pool that hangs, known to be dead by probes and by requests, is answered for at once, without a try", async () => {
  const pool = await startPool({
    fallback: false,
    timeouts: { first_token: 1000 },
    defaults: "probe: { interval: 50ms, timeout: 50ms }",
  });
  pool.primary.fault({ kind: "silence", probes: true });
  for (let i = 0; i < 4; i++) await pool.chat(true);
  const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
  await until(() => state.health.status === "down" && state.breaker === "open", 2000, "dead by both signals");
  const before = pool.seen("primary").length;
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(pool.gateway.url, { body: chatBody(true) })));
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(readAnswer(answer).error?.code).toBe("backends_unavailable");
    expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  }
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(1000);
  expect(pool.seen("primary")).toHaveLength(before);
});

test("S6 in a total outage retries stay within the budget", async () => {
  let tried = 0;
  const upstream = await startRawUpstream(({ socket }) => {
    tried++;
    socket.end("HTTP/1.1 500 x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}");
  });
  const pool = await startPool({ url: upstream.url, fallback: false });
  const statuses = new Map<number, number>();
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(Array.from({ length: 25 }, () => pool.chat(round % 2 === 0)));
    for (const { status, ms } of answers) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      expect(ms).toBeLessThan(1500);
    }
  }
  expect([...statuses.keys()].every((status) => status === 502 || status === 503)).toBe(true);
  expect(tried).toBeLessThanOrEqual(500 * 1.1 + 10);
  // The breaker is what keeps an outage cheap.
  expect(tried).toBeLessThan(100);
});

test("max_concurrent holds under load, and what does not fit goes to the fallback", async () => {
  const pool = await startPool({
    primary: { tokensPerSecond: 20, slots: 64 },
    settings: ", max_concurrent: 4",
    timeouts: { connect: 2000, first_token: 5000 },
  });
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => pool.chat(i % 3 !== 0)));
  expect(answers.every(({ status, error }) => status === 200 && error === undefined)).toBe(true);
  expect(pool.primary.stats().peakRunning).toBe(4);
  expect(pool.seen("primary")).toHaveLength(4);
  expect(pool.seen("fallback")).toHaveLength(56);
  for (let round = 0; round < 2; round++) await Promise.all(Array.from({ length: 8 }, () => pool.chat(true)));
  const spans = pool
    .seen("primary")
    .map(({ at, endedAt, abortedAt }) => ({ from: at, to: endedAt ?? abortedAt ?? Number.POSITIVE_INFINITY }));
  expect(peakOf(spans)).toBeLessThanOrEqual(4);
  expect(stateOf(pool).inFlight).toBe(0);
});

test("full everywhere is 503 with retry-after, at once, and no attempt, where nobody may wait", async () => {
  const pool = await startPool({
    fallback: false,
    primary: { tokensPerSecond: 100 },
    settings: ", max_concurrent: 1",
    defaults: "queue: { max_waiting: 0 }",
  });
  const running = pool.chat(true);
  await until(() => pool.primary.stats().running === 1, 1000, "the slot is taken");
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ status: 503, error: { code: "backends_overloaded" } });
  expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  expect(answer.ms).toBeLessThan(50);
  expect((await running).content).toBe(words.primary);
  expect(pool.seen("primary")).toHaveLength(1);
});

test("a backend with a failed probe alone is still tried when there is nobody else", async () => {
  const pool = await startPool({ fallback: false, defaults: "probe: { interval: 50ms, timeout: 50ms }" });
  pool.primary.fault({ kind: "status", status: 500, paths: ["/health"] });
  await until(() => stateOf(pool).health.status === "down", 1000, "the probe has failed");
  expect(await pool.chat(true)).toMatchObject({ status: 200, content: words.primary });
});

test("a slow probe does not eject a backend that is delivering, however long its stream", async () => {
  const pool = await startPool({
    primary: { tokensPerSecond: 40 },
    defaults: "probe: { interval: 50ms, timeout: 50ms }",
  });
  const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
  const running = pool.chat(true);
  await until(() => (pool.seen("primary")[0]?.tokensSent ?? 0) > 2, 1000, "tokens come");
  pool.primary.fault({ kind: "silence", paths: ["/health"] });
  const health = new Set<string>();
  const watch = setInterval(() => health.add(state.health.status), 10);
  expect((await running).content).toBe(words.primary);
  clearInterval(watch);
  expect([...health]).toEqual(["ready"]);
  expect(pool.primary.log.filter(({ fault }) => fault === "silence").length).toBeGreaterThan(2);
});
