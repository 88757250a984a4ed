import { expect, test } from "vitest";
import { chatBody, inferenceOf, startPool, until } from "./fault-pool.ts";
import { startGatewayProcess } from "./gateway-process.ts";
import { ask, readAnswer } from "./wire-client.ts";

const modes = [
  { mode: "streamed", stream: true },
  { mode: "whole", stream: false },
];

test.each(modes)(
  "F54 with every backend dead the answer is 503 with retry-after within 50 ms ($mode)",
  async ({ stream }) => {
    const pool = await startPool({ defaults: "probe: { interval: 50ms, timeout: 50ms }" });
    await pool.primary.kill();
    await pool.fallback.kill();
    for (let i = 0; i < 6; i++) expect((await pool.chat(stream)).status).toBe(503);
    const states = [...pool.gateway.gateway.serving.backends.values()].map(({ state }) => state);
    await until(() => states.every(({ health }) => health.status === "down"), 1000, "the probes have failed");
    for (let i = 0; i < 10; i++) {
      const answer = await pool.chat(stream);
      expect(answer.status).toBe(503);
      expect(answer.ms).toBeLessThan(50);
      expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
      expect(JSON.parse(answer.text)).toMatchObject({ error: { code: "backends_unavailable" } });
    }
  },
);

test("F54 a pool that hangs, known to be dead by probes and by requests, is answered for within 50 ms without a try", async () => {
  const pool = await startPool({
    fallback: false,
    timeouts: { first_token: 100 },
    defaults: "probe: { interval: 50ms, timeout: 50ms }",
  });
  pool.primary.fault({ kind: "silence", probes: true });
  for (let i = 0; i < 4; i++) await pool.chat(true);
  const { state } = pool.gateway.gateway.serving.backends.get("primary")!;
  await until(() => state.health.status === "down" && state.breaker === "open", 2000, "dead by both signals");
  const before = inferenceOf(pool.primary).length;
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(pool.gateway.url, { body: chatBody(true) })));
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(readAnswer(answer).error?.code).toBe("backends_unavailable");
    expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  }
  expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(100);
  expect(inferenceOf(pool.primary)).toHaveLength(before);
});

test("F54 a dead pool under load costs the gateway little", async () => {
  const gateway = await startGatewayProcess(`
backends: { primary: { kind: vllm, url: "http://127.0.0.1:1" } }
models: { large: { on: [{ backend: primary, model: big }] } }
defaults: { probe: { interval: 60s } }
`);
  for (let i = 0; i < 25; i++) await ask(gateway.url, { body: chatBody(true) });
  const before = gateway.cpuMs();
  const started = performance.now();
  for (let i = 0; i < 20; i++) {
    const answer = await ask(gateway.url, { body: chatBody(i % 2 === 0) });
    expect(answer.status).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  const share = (gateway.cpuMs() - before) / (performance.now() - started);
  expect(share).toBeLessThan(0.15);
});
