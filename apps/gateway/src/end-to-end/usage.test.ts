import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hashKey } from "../teams/keys.ts";
import type { UsageEntry } from "../usage/usage-entry.ts";
import { readUsageFolder } from "../usage/usage-files.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const open: TestGateway<"one">[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "signalbox-usage-"));
});
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Setup {
  readonly budget?: string;
  readonly tokensPerSecond?: number;
  readonly firstTokenMs?: number;
}

async function start({ budget, tokensPerSecond = 0, firstTokenMs = 0 }: Setup = {}): Promise<TestGateway<"one">> {
  const gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"], tokensPerSecond, firstTokenMs } },
    yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}", gpus: 4 } }
models: { m: { on: [{ backend: one }], cost: { input: 0.2/M, output: 1.1/M } } }
usage: { folder: ${folder} }
teams:
  search: { keys: ["${hashKey("key-search")}"]${budget === undefined ? "" : `, budget: ${budget}`} }
`,
  });
  open.push(gateway);
  return gateway;
}

const key = { authorization: "Bearer key-search" };
const ask = (gateway: TestGateway<"one">, more: object = {}): Promise<Response> =>
  gateway.post("/v1/chat/completions", { model: "m", messages: [{ role: "user", content: "hi" }], ...more }, key);

async function written(): Promise<UsageEntry[]> {
  const entries: UsageEntry[] = [];
  const range = { from: 0, until: Number.POSITIVE_INFINITY };
  await readUsageFolder(folder, range, { onEntry: (entry) => entries.push(entry), onTorn: expect.unreachable });
  return entries;
}

interface Reply {
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

test("what a request used is written down: tokens as the engine counts them, cost and GPU time", async () => {
  const gateway = await start({ firstTokenMs: 50 });
  const { usage } = (await (await ask(gateway, { max_tokens: 5 })).json()) as Reply;
  await gateway.close();
  open.pop();
  const [entry, ...others] = await written();
  expect(others).toEqual([]);
  expect(entry).toMatchObject({
    team: "search",
    key: hashKey("key-search").slice("sha256:".length, "sha256:".length + 8),
    model: "m",
    backend: "one",
    endpoint: "chat_completions",
    outcome: "ok",
    input: usage.prompt_tokens,
    output: usage.completion_tokens,
    cost: usage.prompt_tokens * 200 + usage.completion_tokens * 1100,
  });
  // Four GPUs for 50 ms and a little more.
  expect(entry!.gpuMs).toBeGreaterThanOrEqual(4 * 49);
  expect(entry!.gpuMs).toBeLessThan(4 * 2000);
});

test("a request that no backend worked on leaves no entry", async () => {
  const gateway = await start();
  expect((await ask(gateway, { model: "none" })).status).toBe(404);
  await gateway.engines.one.close();
  expect((await ask(gateway)).status).toBeGreaterThanOrEqual(500);
  await gateway.close();
  open.pop();
  for (const { input, output, cost } of await written()) expect([input, output, cost]).toEqual([0, 0, 0]);
});

test("GPU time of a backend that never answered is paid, and the entry names it", async () => {
  const gateway = await start({ firstTokenMs: 5000 });
  const leaving = AbortSignal.timeout(300);
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }] });
  const headers = { "content-type": "application/json", ...key };
  await expect(
    fetch(`${gateway.baseUrl}/chat/completions`, { method: "POST", headers, body, signal: leaving }),
  ).rejects.toThrow();
  await expect.poll(() => gateway.requestLines().length).toBe(1);
  await gateway.close();
  open.pop();
  const [entry] = await written();
  expect(entry).toMatchObject({ backend: "one", outcome: "client_gone", input: 0, output: 0, cost: 0 });
  expect(entry!.gpuMs).toBeGreaterThan(0);
});

test("a client that leaves pays for what was generated until then", async () => {
  const gateway = await start({ tokensPerSecond: 50 });
  const leaving = new AbortController();
  const response = await fetch(`${gateway.baseUrl}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...key },
    body: JSON.stringify({ model: "m", stream: true, max_tokens: 500, messages: [{ role: "user", content: "hi" }] }),
    signal: leaving.signal,
  });
  const reader = response.body!.getReader();
  await reader.read();
  leaving.abort();
  await expect.poll(() => gateway.requestLines().length).toBe(1);
  await gateway.close();
  open.pop();
  const [entry] = await written();
  expect(entry).toMatchObject({ outcome: "client_gone", team: "search" });
  expect(entry!.output).toBeGreaterThan(0);
  expect(entry!.output).toBeLessThan(400);
  expect(entry!.gpuMs).toBeGreaterThan(0);
});

test("requests at the same time share the GPUs", async () => {
  const gateway = await start({ firstTokenMs: 300 });
  const began = performance.now();
  await Promise.all(Array.from({ length: 8 }, async () => (await ask(gateway, { max_tokens: 1 })).text()));
  const wall = performance.now() - began;
  await gateway.close();
  open.pop();
  const all = (await written()).reduce((sum, { gpuMs }) => sum + gpuMs, 0);
  expect(all).toBeGreaterThanOrEqual(4 * 295);
  expect(all).toBeLessThanOrEqual(4 * wall);
});

test("a budget that is spent refuses, says when it begins anew, and a restart does not give it back", async () => {
  const budget = "{ cost: 0.00002/month }";
  const first = await start({ budget });
  // One answer may go over what is left: it was estimated.
  const statuses: number[] = [];
  for (let count = 0; count < 20 && !statuses.includes(429); count++)
    statuses.push((await ask(first, { max_tokens: 5 })).status);
  expect(statuses.length).toBeGreaterThan(1);
  expect(statuses.at(-1)).toBe(429);
  await first.close();
  open.pop();

  const second = await start({ budget });
  const refused = await ask(second, { max_tokens: 5 });
  expect(refused.status).toBe(429);
  const { error } = (await refused.json()) as { error: { code: string; message: string } };
  expect(error.code).toBe("budget_exceeded");
  expect(error.message).toMatch(
    /^team search: budget of 0.00002 cost this month is spent; it begins anew at \d{4}-\d\d-01T00:00:00Z$/,
  );
  await second.gateway.serving.budgets.look();
  expect(await second.metrics()).toMatch(
    /signalbox_budget_used_ratio\{team="search",meter="cost",period="month"\} [01]\.\d/,
  );
  const status = (await (await fetch(`${second.adminUrl}/status`)).json()) as { budgets: unknown[] };
  expect(status.budgets).toEqual([
    expect.objectContaining({ team: "search", meter: "cost", period: "month", budget: 0.00002 }),
  ]);
  expect(second.logLines().some((line) => line.includes("budgets restored"))).toBe(true);
  // What was passed before the restart was said before it.
  expect(second.logLines().filter((line) => line.includes("is being used up"))).toEqual([]);
});
