import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const chat = "/v1/chat/completions";
const hi = (model: string, more = {}) => ({ model, messages: [{ role: "user", content: "hi" }], ...more });
const withKey = { authorization: "Bearer key-all" };

const usage = {
  prompt_tokens: 100,
  completion_tokens: 20,
  total_tokens: 120,
  prompt_tokens_details: { cached_tokens: 64 },
  completion_tokens_details: { reasoning_tokens: 5 },
};
const counted = {
  status: 200,
  body: {
    id: "c",
    object: "chat.completion",
    model: "m",
    choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
    usage,
  },
};

const policy = (urls: Readonly<Record<string, string>>): string => `
backends:
  one: { kind: vllm, url: "${urls.one}", max_concurrent: 8, gpus: 2 }
  two: { kind: vllm, url: "${urls.two}" }
  gone: { kind: vllm, url: "http://127.0.0.1:1" }
models:
  small: { on: [{ backend: one, model: m }], cost: { input: 1/M, output: 2/M } }
  large: { on: [{ backend: one, model: m }, { backend: two, model: m }], strategy: ordered, cost: { input: 10/M, output: 20/M } }
  lost: { on: [{ backend: gone, model: m }], fallback: [small] }
routing:
  - { name: hard, when: { complexity: complex }, use: large }
  - { use: small }
teams:
  all: { keys: ["${hashKey("key-all")}"], limits: { requests: 1000/min } }
`;

let gateway: TestGateway<"one" | "two">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: {
      one: { kind: "vllm", models: ["m"], script: [{ when: { contains: "count" }, reply: counted }] },
      two: { kind: "vllm", models: ["m"] },
    },
    yaml: policy,
  });
});
afterAll(() => gateway.close());

async function shown(series: string): Promise<number | undefined> {
  const line = (await gateway.metrics()).split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

describe("before the first request", () => {
  test("counters that the config lets one expect are there with 0", async () => {
    for (const series of [
      'signalbox_retries_total{model="lost",cause="connect"}',
      'signalbox_decisions_total{rule="hard",model="large",complexity="complex"}',
      'signalbox_decisions_total{rule="routing.1",model="small",complexity="simple"}',
      'signalbox_decisions_total{rule="named",model="lost",complexity=""}',
      'signalbox_fallbacks_total{from_model="lost",to_model="small"}',
      'signalbox_breaker_transitions_total{backend="gone",model="m",to="open"}',
      'signalbox_attempts_total{backend="gone",model="lost",outcome="failed",cause="connect"}',
      'signalbox_tokens_total{team="all",model="small",backend="one",type="input"}',
      'signalbox_rate_limited_total{team="all",limit="rate"}',
      'signalbox_shed_requests_total{reason="lag"}',
      'signalbox_config_reloads_total{result="failure"}',
    ])
      expect(`${series} ${await shown(series)}`).toBe(`${series} 0`);
  });

  test("the pool is told as the config has it, and as engines say", async () => {
    for (const [series, value] of [
      ['signalbox_backend_info{backend="one",kind="vllm"}', 1],
      ['signalbox_backend_max_concurrent{backend="one"}', 8],
      ['signalbox_backend_max_concurrent{backend="two"}', undefined],
      ['signalbox_backend_gpus{backend="one"}', 2],
      ['signalbox_backend_gpus{backend="two"}', undefined],
      ['signalbox_backend_running_requests{backend="one"}', 0],
      ['signalbox_backend_running_requests{backend="gone"}', undefined],
      ['signalbox_backend_kv_cache_usage_ratio{backend="two"}', 0],
      ['signalbox_model_backends{model="large"}', 2],
      ['signalbox_model_backends_up{model="large"}', 2],
      ['signalbox_model_backends{model="lost"}', 1],
      ['signalbox_model_backends_up{model="lost"}', 0],
      [`signalbox_config_info{hash="${gateway.gateway.serving.config.hash.slice(0, 12)}"}`, 1],
      ['signalbox_build_info{version="0.1.0"}', 1],
    ] as const)
      expect(`${series} ${await shown(series)}`).toBe(`${series} ${value}`);
    const taken = (await shown("signalbox_config_last_reload_timestamp_seconds")) ?? 0;
    expect(Math.abs(Date.now() / 1000 - taken)).toBeLessThan(600);
  });
});

describe("a request", () => {
  test("counts its tokens by type, and its cost beside that of the dearest model", async () => {
    await (
      await gateway.post(chat, { ...hi("small"), messages: [{ role: "user", content: "count" }] }, withKey)
    ).text();
    const tokens = (type: string) => `signalbox_tokens_total{team="all",model="small",backend="one",type="${type}"}`;
    expect(await shown(tokens("input"))).toBe(100);
    expect(await shown(tokens("output"))).toBe(20);
    expect(await shown(tokens("cached_input"))).toBe(64);
    expect(await shown(tokens("reasoning"))).toBe(5);
    expect(await shown('signalbox_cost_total{team="all",model="small"}')).toBeCloseTo(140e-6, 12);
    expect(await shown('signalbox_baseline_cost_total{team="all",model="small"}')).toBeCloseTo(1400e-6, 12);
    expect(
      await shown('signalbox_request_duration_seconds_count{team="all",model="small",endpoint="chat_completions"}'),
    ).toBe(1);
    expect(await shown('signalbox_attempt_duration_seconds_count{backend="one",model="small"}')).toBe(1);
  });

  test("that a rule routes counts for the rule, with the complexity that was found", async () => {
    await (await gateway.post(chat, hi("auto"), withKey)).text();
    expect(await shown('signalbox_decisions_total{rule="routing.1",model="small",complexity="simple"}')).toBe(1);
  });

  test("that another model answers counts as a decision for the one that was chosen", async () => {
    for (const model of ["small", "lost"]) await (await gateway.post(chat, hi(model), withKey)).text();
    expect(await shown('signalbox_decisions_total{rule="named",model="lost",complexity=""}')).toBe(1);
    expect(await shown('signalbox_fallbacks_total{from_model="lost",to_model="small"}')).toBe(1);
  });

  test("that is tried again counts what the attempt before ended in, and attempts last until their answers end", async () => {
    gateway.engines.two.fault({ kind: "stall", ms: 300, after_tokens: 2, times: 1 });
    gateway.engines.one.fault({ kind: "status", status: 500, times: 1 });
    await (await gateway.post(chat, hi("large", { stream: true }), withKey)).text();
    expect(await shown('signalbox_retries_total{model="large",cause="server_error"}')).toBe(1);
    expect(await shown('signalbox_attempt_duration_seconds_count{backend="one",model="large"}')).toBe(1);
    const sum = await shown('signalbox_attempt_duration_seconds_sum{backend="two",model="large"}');
    expect(sum).toBeGreaterThan(0.28);
  });
});

test("a traced request is the exemplar of its times", async () => {
  const collector = createServer((request, reply) => request.on("data", () => {}).on("end", () => reply.end()));
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  const server = `{ listen: 127.0.0.1:0, admin: 127.0.0.1:0, traces: { endpoint: "http://127.0.0.1:${port}", sample: 0% } }`;
  await gateway.apply(`server: ${server}\n${policy({ one: gateway.engines.one.url, two: gateway.engines.two.url })}`);
  const traced = async (traceId: string, flag: string) =>
    (
      await gateway.post(chat, hi("small"), { ...withKey, traceparent: `00-${traceId}-00f067aa0ba902b7-${flag}` })
    ).text();
  const [seen, unseen] = ["4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736"] as const;
  await traced(seen, "01");
  await traced(unseen, "00");
  const accept = "application/openmetrics-text;version=1.0.0";
  const text = await (await fetch(`${gateway.adminUrl}/metrics`, { headers: { accept } })).text();
  const exemplars = text.split("\n").filter((line) => line.includes(`# {trace_id="${seen}"}`));
  expect(exemplars.map((line) => line.slice(0, line.indexOf("{"))).toSorted()).toEqual([
    "signalbox_attempt_duration_seconds_bucket",
    "signalbox_request_duration_seconds_bucket",
    "signalbox_time_to_first_token_seconds_bucket",
  ]);
  expect(text).not.toContain(unseen);
  collector.closeAllConnections();
  collector.close();
});

test("what leaves the config leaves no gauge behind", async () => {
  await gateway.apply(`
backends:
  one: { kind: vllm, url: "${gateway.engines.one.url}" }
models:
  small: { on: [{ backend: one, model: m }] }
teams:
  new: { keys: ["${hashKey("key-new")}"] }
`);
  await expect.poll(() => gateway.metrics()).not.toContain("signalbox_limit_used_ratio{");
  const text = await gateway.metrics();
  for (const gauge of text.match(/^# TYPE signalbox_\w+ gauge$/gm) ?? []) {
    const name = gauge.split(" ")[2] as string;
    const series = text.match(new RegExp(`^${name}\\{.*$`, "gm")) ?? [];
    expect(series.filter((one) => /"(?:two|gone|large|lost|all)"/.test(one))).toEqual([]);
  }
  expect(text.match(/^signalbox_config_info/gm)).toHaveLength(1);
  expect(text).toMatch(/^signalbox_tokens_total\{team="all",.*type="input"\} 1\d\d$/m);
});

test("a reply that the guard kept from the client has cost its tokens, too", async () => {
  const rm = { name: "shell", arguments: { command: "rm" } };
  const guarded = await startTestGateway({
    engines: {
      edge: { kind: "vllm", models: ["m"], script: [{ reply: { tool_calls: [rm] } }] },
      gpu: { kind: "vllm", models: ["m"] },
    },
    yaml: ({ edge, gpu }) => `
backends: { edge: { kind: vllm, url: "${edge}" }, gpu: { kind: vllm, url: "${gpu}" } }
models:
  asks: { on: [{ backend: edge, model: m }], tools: true, fallback: [large], guard: { deny: [{ tool: shell, action: escalate }] } }
  large: { on: [{ backend: gpu, model: m }], tools: true }
`,
  });
  const tools = [{ type: "function", function: { name: "shell", parameters: { type: "object" } } }];
  await (await guarded.post(chat, hi("asks", { tools }))).text();
  const text = await guarded.metrics();
  for (const series of ['model="asks",backend="edge"', 'model="large",backend="gpu"'])
    for (const type of ["input", "output"])
      expect(text).toMatch(
        new RegExp(`^signalbox_tokens_total\\{team="default",${series},type="${type}"\\} [1-9]`, "m"),
      );
  await guarded.close();
});
