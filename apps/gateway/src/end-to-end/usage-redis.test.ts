import { startSimulator } from "@signalbox/simulator";
import { afterEach, expect, test } from "vitest";
import { createConnection, type RedisConnection } from "../store/connection.ts";
import { startRedis, type TestRedis } from "../store/test-redis.ts";
import { hashKey } from "../teams/keys.ts";
import type { UsageEntry } from "../usage/usage-entry.ts";
import { readUsageStreams } from "../usage/usage-streams.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(budget: string): Promise<{ redis: TestRedis; replicas: TestGateway<"one">[] }> {
  const redis = await startRedis({ persistent: true });
  open.push(redis);
  const replicas = await Promise.all(
    [1, 2].map(() =>
      startTestGateway({
        engines: { one: { kind: "vllm", models: ["m"] } },
        yaml: ({ one }) => `
store: redis://127.0.0.1:${redis.port}
backends: { one: { kind: vllm, url: "${one}" } }
models: { m: { on: [{ backend: one }], cost: { input: 1/M, output: 1/M } } }
teams:
  search: { keys: ["${hashKey("key-search")}"], limits: { requests: 100/min, concurrent: 4 }, budget: ${budget} }
`,
      }),
    ),
  );
  open.push(...replicas);
  const shared = (): boolean =>
    replicas.every(({ logLines }) => logLines().some((line) => line.includes("limits are shared by all replicas")));
  await expect.poll(shared, { timeout: 10_000 }).toBe(true);
  return { redis, replicas };
}

const ask = async (gateway: Pick<TestGateway<"one">, "post">): Promise<number> => {
  const body = { model: "m", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
  const response = await gateway.post("/v1/chat/completions", body, { authorization: "Bearer key-search" });
  await response.text();
  return response.status;
};

async function written(gateway: Pick<TestGateway<"one">, "gateway">): Promise<UsageEntry[]> {
  const { store } = gateway.gateway.serving.config;
  if (store === "memory") throw new Error("not the store that was meant");
  const connection: RedisConnection = createConnection(store);
  try {
    await expect.poll(() => connection.connected).toBe(true);
    const entries: UsageEntry[] = [];
    const now = Date.now();
    await readUsageStreams(connection, { from: now - 3_600_000, until: now + 1 }, (entry) => entries.push(entry));
    return entries;
  } finally {
    connection.close();
  }
}

test("replicas write into one ledger, and spend one budget, of which each alert is told once", async () => {
  const { replicas } = await start("{ cost: 0.0004/day }");
  let served = 0;
  for (let count = 0; count < 60; count++) {
    const status = await ask(replicas[count % 2]!);
    if (status === 200) served++;
    else expect(status).toBe(429);
    if (status === 429) break;
  }
  const known = async (): Promise<unknown> => {
    // The first refusal may have come while the end of the last request was on its way to Redis yet.
    if ((await ask(replicas[0]!)) === 200) served++;
    for (const { gateway } of replicas) await gateway.serving.budgets.look();
    const alerts = replicas.flatMap(({ logLines }) =>
      logLines()
        .map((line) => JSON.parse(line) as { event: string; percent?: number })
        .filter(({ percent }) => percent !== undefined)
        .map(({ percent }) => percent),
    );
    return { alerts: alerts.sort(), levels: new Set(replicas.map(gatewayUsed)).size };
  };
  await expect.poll(known).toEqual({ alerts: [100, 50, 80], levels: 1 });
  await expect.poll(async () => (await written(replicas[0]!)).length, { timeout: 5000 }).toBe(served);
  const cost = (await written(replicas[0]!)).reduce((sum, entry) => sum + entry.cost, 0);
  expect(gatewayUsed(replicas[0]!)).toBe(cost);
}, 30_000);

const gatewayUsed = ({ gateway }: TestGateway<"one">): number => gateway.serving.budgets.levels[0]!.used;

test("what is used while Redis is gone is written down when it is back", async () => {
  const { redis, replicas } = await start("{ tokens: 1G/month }");
  const [first] = replicas;
  expect(await ask(first!)).toBe(200);
  await redis.kill();
  expect(await ask(first!)).toBe(200);
  expect(await ask(first!)).toBe(200);
  await redis.restart();
  await expect.poll(async () => (await written(first!).catch(() => [])).length, { timeout: 15_000 }).toBe(3);
}, 40_000);

test("replicas that work on one backend at once share its GPUs", async () => {
  const redis = await startRedis();
  open.push(redis);
  const engine = await startSimulator({ kind: "vllm", models: ["m"], firstTokenMs: 2500 });
  open.push(engine);
  const replicas = await Promise.all(
    [1, 2].map(() =>
      startTestGateway({
        yaml: () => `
store: redis://127.0.0.1:${redis.port}
backends: { one: { kind: vllm, url: "${engine.url}", gpus: 8, probe: { interval: 50ms } } }
models: { m: { on: [{ backend: one }] } }
teams:
  search: { keys: ["${hashKey("key-search")}"] }
`,
      }),
    ),
  );
  open.push(...replicas);
  const began = performance.now();
  expect(await Promise.all(replicas.map(ask))).toEqual([200, 200]);
  const wall = performance.now() - began;
  await expect.poll(async () => (await written(replicas[0]!)).length, { timeout: 5000 }).toBe(2);
  const paid = (await written(replicas[0]!)).reduce((sum, { gpuMs }) => sum + gpuMs, 0);
  // As if each were alone it would be twice 8 x 2500.
  expect(paid).toBeGreaterThan(8 * 2500 * 0.8);
  expect(paid).toBeLessThan(8 * wall * 1.4);
}, 30_000);

test("replicas show alike how much of a team's limits is used by all of them", async () => {
  const { replicas } = await start("{ tokens: 1M/day }");
  for (let count = 0; count < 10; count++) expect(await ask(replicas[count % 2]!)).toBe(200);
  for (const { metrics } of replicas) {
    await expect
      .poll(metrics, { timeout: 10_000 })
      .toContain('signalbox_limit_used_ratio{team="search",meter="requests"} 0.1\n');
    expect(await metrics()).toContain('signalbox_limit_used_ratio{team="search",meter="concurrent"} 0\n');
  }
});
