import { startSimulator } from "@signalbox/simulator";
import { expect, onTestFinished, test } from "vitest";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { ask, readAnswer } from "./wire-client.ts";

/** On a machine that has much else to do. */
const soon = { interval: 10, timeout: 20_000 };

const TOKENS = 120;
const deltas = Array.from({ length: TOKENS }, (_, i) => `t${i} `);
const stream = (max = TOKENS) => ({
  model: "m",
  stream: true,
  max_tokens: max,
  messages: [{ role: "user", content: "hi" }],
});

async function start(server: string): Promise<GatewayProcess> {
  const engine = await startSimulator({
    kind: "vllm",
    models: ["m"],
    tokensPerSecond: 20,
    script: [{ reply: { deltas } }],
  });
  onTestFinished(() => engine.close());
  return startGatewayProcess(`
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, shed_lag: 0s, ${server} }
backends: { one: { kind: vllm, url: "${engine.url}" } }
models: { m: { on: [{ backend: one, model: m }] } }
`);
}

const statusOf = (url: string): Promise<number> =>
  fetch(url, { headers: { connection: "close" } }).then(
    ({ status }) => status,
    () => 0,
  );

/** Resolves when nothing listens there any more. */
async function untilClosed(url: string): Promise<void> {
  await expect.poll(() => statusOf(`${url}/livez`), soon).toBe(0);
}

test("F47 two hundred streams: not ready at once, served through the delay, none cut, exit code 0", async () => {
  const gateway = await start("drain_delay: 1s");
  await expect.poll(() => statusOf(`${gateway.adminUrl}/readyz`), soon).toBe(200);
  const streams = Array.from({ length: 200 }, () => ask(gateway.url, { body: stream() }));
  await expect.poll(() => gateway.metric("signalbox_in_flight_requests"), soon).toBe(200);
  const began = performance.now();
  gateway.child.kill("SIGTERM");
  await expect.poll(() => statusOf(`${gateway.adminUrl}/readyz`), soon).toBe(503);
  const late = await ask(gateway.url, { body: stream(2), headers: { connection: "keep-alive" } });
  expect(late.status).toBe(200);
  expect(late.headers.connection).toBe("close");
  await untilClosed(gateway.url);
  expect(performance.now() - began).toBeGreaterThan(900);
  // Who watches it sees it drain.
  expect(await gateway.metric("signalbox_in_flight_requests")).toBe(200);
  const answers = await Promise.all(streams);
  const whole = answers.map(readAnswer).filter(({ done, content }) => done && content === deltas.join(""));
  expect(whole).toHaveLength(200);
  expect(await gateway.exited).toBe(0);
  expect(performance.now() - began).toBeLessThan(20_000);
}, 90_000);

test.each([
  ["SIGINT", ["SIGINT"]],
  ["a second SIGTERM", ["SIGTERM", "SIGTERM"]],
] as const)(
  "%s goes without the delay, and streams still finish",
  async (_, signals) => {
    const gateway = await start("drain_delay: 60s");
    const answer = ask(gateway.url, { body: stream() });
    await expect.poll(() => gateway.metric("signalbox_in_flight_requests"), soon).toBe(1);
    for (const signal of signals) {
      gateway.child.kill(signal);
      await expect.poll(() => statusOf(`${gateway.adminUrl}/readyz`), soon).toBe(503);
    }
    await untilClosed(gateway.url);
    expect(readAnswer(await answer).done).toBe(true);
    expect(await gateway.exited).toBe(0);
  },
  30_000,
);
