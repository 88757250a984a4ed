import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startSimulator } from "@signalbox/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { publicRoutes } from "../routes/public-app.ts";
import { metricTable } from "../signals/metric-table.ts";
import { withMetricTable } from "../signals/metrics-doc.ts";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const run = promisify(execFile);
const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const chat = "/v1/chat/completions";
const hi = (model: string, more = {}) => ({ model, messages: [{ role: "user", content: "hi" }], ...more });
const withKey = { authorization: "Bearer key-all" };

let gateway: TestGateway<"one" | "local">;

beforeAll(async () => {
  gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] }, local: { kind: "ollama", models: ["small:1b"] } },
    yaml: ({ one, local }) => `
backends:
  one: { kind: vllm, url: "${one}", max_concurrent: 8 }
  local: { kind: ollama, url: "${local}" }
  gone: { kind: vllm, url: "http://127.0.0.1:1" }
models:
  m: { on: [{ backend: one, model: m }, { backend: gone, model: m }], fallback: [small], strategy: ordered }
  small: { on: [{ backend: local, model: "small:1b" }] }
  lost: { on: [{ backend: gone, model: m }], fallback: [small] }
teams:
  all: { keys: ["${hashKey("key-all")}"] }
  limited: { keys: ["${hashKey("key-limited")}"], limits: { requests: 1/min } }
`,
  });
});
afterAll(() => gateway.close());

describe("the public listener", () => {
  test("every address but /livez wants a key", async () => {
    expect(publicRoutes.length).toBeGreaterThan(4);
    const open: string[] = [];
    for (const { method, path } of publicRoutes) {
      const address = `${gateway.url}${path.replace(/:\w+\{.*\}/, "m")}`;
      const answer = await fetch(address, method === "POST" ? { method, body: JSON.stringify(hi("m")) } : { method });
      await answer.text();
      if (answer.status !== 401) open.push(path);
    }
    expect(open).toEqual(["/livez"]);
    expect(publicRoutes.filter((route) => route.open).map(({ path }) => path)).toEqual(["/livez"]);
  });

  test("does not show what the admin listener shows, nor the other way round", async () => {
    for (const path of ["/status", "/metrics", "/readyz"]) {
      expect((await fetch(`${gateway.url}${path}`, { headers: withKey })).status).toBe(404);
    }
    for (const path of ["/v1/models", "/v1/chat/completions", "/"]) {
      expect((await fetch(`${gateway.adminUrl}${path}`)).status).toBe(404);
    }
  });
});

describe("/readyz", () => {
  test("is 503 until every backend was probed once, 200 after that, whatever the probes said", async () => {
    const mute = await startSimulator({ kind: "vllm", models: ["m"] });
    mute.fault({ kind: "silence", probes: true });
    const starting = await startTestGateway({
      probed: false,
      yaml: () => `
backends: { mute: { kind: vllm, url: "${mute.url}", probe: { timeout: 300ms } } }
models: { m: { on: [{ backend: mute, model: m }] } }
`,
    });
    const early = await fetch(`${starting.adminUrl}/readyz`);
    expect(early.status).toBe(503);
    expect(await early.json()).toMatchObject({ reason: "starting" });
    expect((await fetch(`${starting.adminUrl}/livez`)).status).toBe(200);
    await starting.gateway.probed;
    expect((await fetch(`${starting.adminUrl}/readyz`)).status).toBe(200);
    await starting.close();
    await mute.close();
  });

  test("is 503 while draining, and the stream under way ends well", async () => {
    const draining = await startTestGateway({
      engines: { slow: { kind: "vllm", models: ["m"], tokensPerSecond: 100 } },
      yaml: ({ slow }) => `
backends: { slow: { kind: vllm, url: "${slow}" } }
models: { m: { on: [{ backend: slow, model: m }] } }
`,
    });
    const stream = await draining.post(chat, hi("m", { stream: true, max_tokens: 30 }));
    const drained = draining.gateway.drain();
    const ready = await fetch(`${draining.adminUrl}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ reason: "draining" });
    expect(await stream.text()).toMatch(/data: \[DONE\]\n\n$/);
    await drained;
    await draining.close();
  });
});

describe("/metrics", () => {
  test("has every metric of the table, with its type and help, and no other of ours", async () => {
    const text = await gateway.metrics();
    for (const [name, { type, help }] of Object.entries(metricTable)) {
      expect(text).toContain(`# HELP ${name} ${help}`);
      expect(text).toContain(`# TYPE ${name} ${type}`);
    }
    const shown = [...text.matchAll(/^# TYPE (signalbox_\w+)/gm)].map(([, name]) => name);
    expect(shown.toSorted()).toEqual(Object.keys(metricTable).toSorted());
  });

  test("counts what clients saw", async () => {
    const usage = { prompt: 0, completion: 0 };
    for (let i = 0; i < 5; i++) {
      const reply = await gateway.post(chat, hi("m"), withKey);
      const told = ((await reply.json()) as { usage: { prompt_tokens: number; completion_tokens: number } }).usage;
      usage.prompt += told.prompt_tokens;
      usage.completion += told.completion_tokens;
    }
    await (await gateway.post(chat, hi("m", { stream: true, max_tokens: 5 }), withKey)).text();
    await (await gateway.post(chat, hi("lost"), withKey)).text();
    await (await gateway.post(chat, hi("nothing"), withKey)).text();
    await (await gateway.post(chat, hi("m"), { authorization: "Bearer key-limited" })).text();
    await (await gateway.post(chat, hi("m"), { authorization: "Bearer key-limited" })).text();
    const text = await gateway.metrics();
    const count = (name: string, ...labels: string[]) => {
      const lines = text
        .split("\n")
        .filter((line) => line.startsWith(`${name}{`) && labels.every((label) => line.includes(label)));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
    };
    expect(
      count(
        "signalbox_requests_total",
        'team="all"',
        'model="m"',
        'endpoint="chat_completions"',
        'status="200"',
        'code="ok"',
      ),
    ).toBe(6);
    expect(count("signalbox_requests_total", 'code="model_not_found"', 'status="404"', 'model="other"')).toBe(1);
    expect(count("signalbox_requests_total", 'team="limited"', 'status="429"')).toBe(1);
    expect(count("signalbox_rate_limited_total", 'team="limited"')).toBe(1);
    expect(count("signalbox_fallbacks_total", 'from_model="lost"', 'to_model="small"')).toBe(1);
    expect(count("signalbox_attempts_total", 'backend="one"', 'outcome="ok"')).toBe(7);
    expect(count("signalbox_time_to_first_token_seconds_count", 'model="m"', 'backend="one"')).toBe(7);
    const chatOf = ['team="all"', 'model="m"', 'backend="one"'];
    const types = [...text.matchAll(/signalbox_tokens_total\{[^}]*type="(\w+)"/g)].map(([, type]) => type);
    expect([...new Set(types)].toSorted()).toHaveLength(2);
    const streamedPrompt = usage.prompt / 5;
    expect(count("signalbox_tokens_total", ...chatOf)).toBe(usage.prompt + usage.completion + streamedPrompt + 5);
    expect(text).toMatch(/^signalbox_backend_up\{backend="gone"\} 0$/m);
    expect(text).toMatch(/^signalbox_backend_up\{backend="one"\} 1$/m);
    expect(text).toMatch(/^signalbox_in_flight_requests 0$/m);
  });

  test("docs/metrics.md has the table as the code has it: pnpm metrics:doc writes it", () => {
    const docs = readFileSync(new URL("../../../../docs/metrics.md", import.meta.url), "utf8");
    expect(docs).toBe(withMetricTable(docs));
  });
});

describe("/status", () => {
  test("tells of every backend and model what an operator needs", async () => {
    const status = (await (await fetch(`${gateway.adminUrl}/status`)).json()) as Record<string, unknown[]>;
    expect(status).toMatchObject({
      ready: true,
      reason: null,
      in_flight: 0,
      version: expect.stringMatching(/^\d+\.\d+/),
    });
    expect(status.config_hash).toMatch(/^[0-9a-f]{64}$/);
    expect(status.backends).toHaveLength(3);
    expect(status.backends?.[0]).toEqual({
      name: "one",
      kind: "vllm",
      hosted: false,
      address: gateway.engines.one.url,
      version: null,
      health: { status: "ready", reason: expect.any(String), for_seconds: expect.any(Number) },
      override: null,
      breaker: "closed",
      deployments: [{ model: "m", breaker: "closed", unfit: null, cooling_down_seconds: 0 }],
      in_flight: 0,
      max_concurrent: 8,
      load: { running: expect.any(Number), waiting: 0, kv_use: expect.any(Number), slots: null },
      models: [{ id: "m", loaded: true }],
    });
    expect(status.backends?.[1]).toMatchObject({
      name: "local",
      models: [{ id: "small:1b", loaded: expect.any(Boolean) }],
    });
    expect(status.backends?.[2]).toMatchObject({ name: "gone", health: { status: "down" }, max_concurrent: null });
    expect(status.models).toContainEqual({
      name: "m",
      strategy: "ordered",
      on: [expect.any(String), expect.any(String)],
      fallback: ["small"],
    });
  });

  test("`signalbox status` prints it as a table, and as JSON", async () => {
    const { stdout } = await run(process.execPath, [main, "status", "--admin", gateway.adminUrl]);
    const [title, , head, ...rows] = stdout.trimEnd().split("\n");
    expect(title).toMatch(/^signalbox \S+ · ready · 0 in flight · up \d+ s$/);
    expect(head).toMatch(/^BACKEND +KIND +HEALTH +BREAKER +IN FLIGHT +QUEUE +KV +MODELS +ADDRESS$/);
    expect(rows[0]).toMatch(/^one +vllm +ready +closed +0\/8 +0 +\d+ % +1 of 1 loaded +http:/);
    expect(rows[1]).toMatch(/^local +ollama +ready +closed +0 .* of 1 loaded +http:/);
    expect(rows[2]).toMatch(/^gone +vllm +down \(.+\) +\w+/);
    const json = await run(process.execPath, [
      main,
      "status",
      "--json",
      "--admin",
      gateway.adminUrl.replace("http://", ""),
    ]);
    expect(JSON.parse(json.stdout)).toMatchObject({ ready: true });
  });

  test("`signalbox status` says so where no gateway answers, or something else does", async () => {
    await expect(run(process.execPath, [main, "status", "--admin", "127.0.0.1:1"])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^no gateway's admin listener answers at http:\/\/127\.0\.0\.1:1/),
    });
    await expect(run(process.execPath, [main, "status", "--admin", gateway.url])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^no gateway's admin listener answers at .*: status 404\n$/),
    });
  });
});

test("a key of `signalbox keys create` opens the gateway by its hash", async () => {
  const { stdout } = await run(process.execPath, [main, "keys", "create"]);
  const [, key] = /^key: +(sb-\S{43})$/m.exec(stdout) ?? [];
  const [, hash] = /^hash: +(sha256:[0-9a-f]{64})$/m.exec(stdout) ?? [];
  const keyed = await startTestGateway({
    yaml: () => `
backends: { one: { kind: vllm, url: "${gateway.engines.one.url}" } }
models: { m: { on: [{ backend: one, model: m }] } }
teams: { new: { keys: ["${hash}"] } }
`,
  });
  expect((await keyed.post(chat, hi("m"))).status).toBe(401);
  expect((await keyed.post(chat, hi("m"), { authorization: `Bearer ${key}` })).status).toBe(200);
  await keyed.close();
});

test("secrets and prompts are nowhere: not in logs, metrics, status, errors or headers", async () => {
  const canaries = [
    "canary-upstream-key",
    "canary-header-value",
    "canary-team-key",
    "canary-wrong-key",
    "canary-prompt",
    "canary-answer",
    "canary-cookie",
  ];
  const secret = await startTestGateway({
    engines: {
      one: {
        kind: "vllm",
        models: ["m"],
        apiKey: "canary-upstream-key",
        script: [{ reply: { deltas: ["canary-answer"] } }],
      },
    },
    env: { UPSTREAM_KEY: "canary-upstream-key", HEADER: "canary-header-value" },
    yaml: ({ one }) => `
backends:
  one: { kind: vllm, url: "${one}", api_key: "\${UPSTREAM_KEY}", headers: { x-tenant: "\${HEADER}" } }
  gone: { kind: vllm, url: "http://127.0.0.1:1", api_key: "\${UPSTREAM_KEY}" }
models:
  m: { on: [{ backend: one, model: m }] }
  gone: { on: [{ backend: gone, model: m }] }
teams: { all: { keys: ["${hashKey("canary-team-key")}"] } }
`,
  });
  const told: string[] = [];
  const ask = async (body: unknown, key: string) => {
    const response = await secret.post(chat, body, { authorization: `Bearer ${key}`, cookie: "canary-cookie" });
    const text = await response.text();
    told.push(JSON.stringify([...response.headers]));
    if (response.status !== 200) told.push(text);
    return { status: response.status, text };
  };
  const prompt = (model: string, more = {}) => ({
    model,
    messages: [{ role: "user", content: "canary-prompt" }],
    user: "canary-prompt",
    ...more,
  });
  expect((await ask(prompt("m"), "canary-team-key")).text).toContain("canary-answer");
  expect((await ask(prompt("m", { stream: true }), "canary-team-key")).text).toContain("canary-answer");
  expect((await ask(prompt("m"), "canary-wrong-key")).status).toBe(401);
  expect((await ask(prompt("m", { temperature: "canary-prompt" }), "canary-team-key")).status).toBe(400);
  expect((await ask('{"model":"m","messages":["canary-prompt" ', "canary-team-key")).status).toBe(400);
  expect((await ask(prompt("gone"), "canary-team-key")).status).toBeGreaterThanOrEqual(502);
  secret.engines.one.fault({ kind: "status", status: 401, message: "wrong key canary-upstream-key", times: 3 });
  expect((await ask(prompt("m"), "canary-team-key")).status).toBe(502);
  expect(secret.engines.one.log.some(({ headers }) => headers["x-tenant"] === "canary-header-value")).toBe(true);
  told.push(secret.logLines().join("\n"), await secret.metrics());
  told.push(await (await fetch(`${secret.adminUrl}/status`)).text(), JSON.stringify(secret.gateway.serving.config));
  await secret.close();
  const all = told.join("\n");
  expect(all).toContain("chat_completions");
  expect(canaries.filter((canary) => all.includes(canary))).toEqual([]);
});

test("the headers of an answer say who answered, why, after how many attempts, under which id", async () => {
  const first = await gateway.post(chat, hi("lost"), { ...withKey, "x-request-id": "my-id.1:2_3" });
  expect(Object.fromEntries(first.headers)).toMatchObject({
    "x-request-id": "my-id.1:2_3",
    "x-signalbox-backend": "local",
    "x-signalbox-model": "small",
    "x-signalbox-route": expect.stringContaining("lost"),
    "x-signalbox-attempts": expect.stringMatching(/^[12]$/),
  });
  const stream = await gateway.post(chat, hi("m", { stream: true }), withKey);
  expect(stream.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  expect(stream.headers.get("x-signalbox-backend")).toBe("one");
  expect(stream.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  await stream.text();
  const sent = gateway.engines.one.log.findLast(({ path }) => path === chat);
  expect(sent?.headers["x-request-id"]).toBe(stream.headers.get("x-request-id"));
  expect(gateway.requestLines().at(-1)?.request_id).toBe(stream.headers.get("x-request-id"));

  const refused = await gateway.post(chat, hi("nothing"), { ...withKey, "x-request-id": "mine" });
  expect(refused.headers.get("x-request-id")).toBe("mine");
  for (const path of ["/v1/models", "/v1/models/none", "/none"]) {
    const other = await fetch(`${gateway.url}${path}`, { headers: { ...withKey, "x-request-id": "mine-2" } });
    expect(other.headers.get("x-request-id")).toBe("mine-2");
  }
});
