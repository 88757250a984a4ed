import { expect, test } from "vitest";
import { chatBody, startPool, until } from "./fault-pool.ts";
import { startRawUpstream } from "./raw-upstream.ts";
import { ask } from "./wire-client.ts";

const policy = (primary: string, fallback: string, budget: string): string => `
backends:
  primary: { kind: vllm, url: "${primary}" }
  fallback: { kind: sglang, url: "${fallback}" }
models:
  large: { on: [{ backend: primary, model: big }], fallback: [small] }
  small: { on: [{ backend: fallback, model: tiny }] }
defaults: { retry_budget: ${budget}, probe: { interval: 60s, timeout: 20s } }
`;

test("S6 a storm of reloads does not fill the retry budget again", async () => {
  const pool = await startPool({ defaults: "retry_budget: 0%" });
  const { primary, fallback } = pool;
  for (const engine of [primary, fallback]) engine.fault({ kind: "status", status: 429, retry_after: 0 });
  const started = performance.now();
  let retries = 0;
  for (let reload = 0; reload < 20; reload++) {
    await pool.gateway.apply(policy(primary.url, fallback.url, "0%"));
    const answers = await Promise.all(Array.from({ length: 12 }, () => pool.chat(true)));
    for (const { headers } of answers) retries += Number(headers["x-signalbox-attempts"] ?? 1) - 1;
  }
  const seconds = (performance.now() - started) / 1000;
  expect(retries).toBeGreaterThanOrEqual(10);
  expect(retries).toBeLessThanOrEqual(10 * (seconds + 1));
});

test("the budget of the newest config is in force", async () => {
  const pool = await startPool({ defaults: "retry_budget: 0%" });
  const { primary, fallback } = pool;
  primary.fault({ kind: "status", status: 429, retry_after: 0 });
  const { retryBudget } = pool.gateway.gateway.serving;
  while (retryBudget.take());
  await pool.gateway.apply(policy(primary.url, fallback.url, "100%"));
  while (retryBudget.take());
  for (let i = 0; i < 20; i++) expect((await pool.chat(true)).status).toBe(200);
});

test("F54 requests that find every breaker open leave the retry budget to others", async () => {
  const pool = await startPool({ fallback: false, defaults: "retry_budget: 0%" });
  pool.primary.fault({ kind: "reset" });
  const { serving } = pool.gateway.gateway;
  const { state } = serving.backends.get("primary")!;
  while (state.breaker === "closed") await pool.chat(true);
  await new Promise((resolve) => setTimeout(resolve, 200));
  // One of them is the try that an open breaker takes per wait.
  await Promise.all(Array.from({ length: 50 }, () => pool.chat(true)));
  expect(serving.retryBudget.take()).toBe(true);
});

test("F09 a time that is given as a date is kept to, and told to the client", async () => {
  const served: number[] = [];
  const upstream = await startRawUpstream(({ socket }) => {
    served.push(performance.now());
    const now = Date.now();
    const dates = `date: ${new Date(now).toUTCString()}\r\nretry-after: ${new Date(now + 2000).toUTCString()}`;
    socket.write(`HTTP/1.1 429 Too Many Requests\r\n${dates}\r\ncontent-length: 2\r\n\r\n{}`);
  });
  const pool = await startPool({ url: upstream.url, fallback: false });
  const chat = () => ask(pool.gateway.url, { body: chatBody(true) });
  expect((await chat()).headers["retry-after"]).toBe("2");
  await until(() => performance.now() - served[0]! > 1700, 2500, "most of it has passed");
  expect(await chat()).toMatchObject({ status: 503, headers: { "retry-after": "1" } });
  expect(served).toHaveLength(1);
  await until(() => performance.now() - served[0]! > 2100, 2500, "all of it has passed");
  await chat();
  expect(served).toHaveLength(2);
  expect(served[1]! - served[0]!).toBeGreaterThan(1800);
});
