import { afterEach, describe, expect, test } from "vitest";
import { loadConfig } from "../config/load.ts";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const open: TestGateway<"one">[] = [];
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
});

const key = (name: string) => ({ authorization: `Bearer key-${name}` });
const chat = "/v1/chat/completions";
const hi = (model = "m", more = {}) => ({ model, messages: [{ role: "user", content: "hi" }], ...more });

async function start(teams: string, tokensPerSecond = 0): Promise<TestGateway<"one">> {
  const gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"], tokensPerSecond } },
    yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}" } }
models:
  m: { on: [{ backend: one, model: m }], aliases: [m-alias] }
  big: { on: [{ backend: one, model: m }] }
routing: [{ use: big }]
teams:
${teams}
`,
  });
  open.push(gateway);
  return gateway;
}

const team = (name: string, more = "") => `  ${name}: { keys: ["${hashKey(`key-${name}`)}"]${more} }`;

async function errorOf(
  response: Response,
): Promise<{ status: number; code: string; message: string; param: string | null }> {
  const { error } = (await response.json()) as { error: { code: string; message: string; param: string | null } };
  return { status: response.status, ...error };
}

describe("keys", () => {
  test("a request without a key, or with a wrong one, is 401 and goes nowhere", async () => {
    const gateway = await start(team("all"));
    const wrong: Record<string, string>[] = [
      {},
      { authorization: "Bearer" },
      { authorization: "Bearer " },
      { authorization: "Basic a2V5LWFsbA==" },
      { authorization: "key-all" },
      { authorization: "Bearer key-al" },
      { authorization: "Bearer key-all2" },
      { authorization: "Bearer KEY-ALL" },
      { authorization: `Bearer ${hashKey("key-all")}` },
      { authorization: `Bearer ${"x".repeat(8000)}` },
      { "x-api-key": "wrong" },
      { authorization: "Bearer key-all", "x-api-key": "wrong" },
    ];
    for (const headers of wrong) {
      const error = await errorOf(await gateway.post(chat, hi(), headers));
      expect(error, JSON.stringify(headers)).toMatchObject({ status: 401, code: "invalid_api_key" });
      expect(error.message).not.toMatch(/key-al|sha256/);
    }
    expect(gateway.engines.one.log.some(({ method }) => method === "POST")).toBe(false);
  });

  test("a key is taken as a bearer token or as x-api-key, and names its team in the log", async () => {
    const gateway = await start(`${team("search")}\n${team("payments")}`);
    for (const headers of [key("search"), { authorization: "bearer key-payments" }, { "x-api-key": "key-payments" }]) {
      expect((await gateway.post(chat, hi(), headers)).status).toBe(200);
    }
    expect(gateway.requestLines().map((line) => line.team)).toEqual(["search", "payments", "payments"]);
  });

  test("wrong keys from one address are throttled after a while, right keys still pass", async () => {
    const gateway = await start(team("all"));
    const statuses: number[] = [];
    let last: Response | undefined;
    for (let i = 0; i < 70; i++) {
      last = await gateway.post(chat, hi(), { authorization: `Bearer guess-${i}` });
      statuses.push(last.status);
      if (i < 69) await last.text();
    }
    expect(statuses.slice(0, 60)).toEqual(Array.from({ length: 60 }, () => 401));
    expect(statuses.slice(-5)).toEqual([429, 429, 429, 429, 429]);
    expect(Number(last?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await errorOf(last!)).toMatchObject({ code: "too_many_failed_keys" });
    expect((await gateway.post(chat, hi(), key("all"))).status).toBe(200);
  });

  test("without teams everybody is served, but only on a loopback address", async () => {
    const policy = (listen: string) => `version: 1
server: { listen: "${listen}" }
backends: { one: { kind: vllm, url: "http://127.0.0.1:9" } }
models: { m: { on: [{ backend: one }] } }
`;
    for (const listen of ["127.0.0.1:8080", "[::1]:8080", "localhost:8080"]) {
      expect(await loadConfig(policy(listen), { env: {}, fileName: "x.yaml" })).toMatchObject({ ok: true });
    }
    for (const listen of ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080", "gateway.internal:8080"]) {
      const loaded = await loadConfig(policy(listen), { env: {}, fileName: "x.yaml" });
      expect(loaded.ok, listen).toBe(false);
      if (!loaded.ok) expect(loaded.errors.map(({ message }) => message).join()).toMatch(/teams/);
    }
  });
});

describe("models of a team", () => {
  test("the list, 403 and 404 know what the key may use", async () => {
    const gateway = await start(
      `${team("all")}\n${team("few", ", models: [m]")}\n${team("routed", ", models: [auto, m]")}`,
    );
    const list = async (name: string) => {
      const response = await fetch(`${gateway.url}/v1/models`, { headers: key(name) });
      return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
    };
    expect(await list("all")).toEqual(["auto", "big", "m", "m-alias"]);
    expect(await list("few")).toEqual(["m", "m-alias"]);
    expect(await list("routed")).toEqual(["auto", "m", "m-alias"]);

    expect((await gateway.post(chat, hi("m-alias"), key("few"))).status).toBe(200);
    expect(await errorOf(await gateway.post(chat, hi("big"), key("few")))).toMatchObject({
      status: 403,
      code: "model_not_allowed",
    });
    expect(await errorOf(await gateway.post(chat, hi("auto"), key("few")))).toMatchObject({ status: 403 });
    const unknown = await errorOf(await gateway.post(chat, hi("gpt-9"), key("few")));
    expect(unknown).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
    expect(unknown.message).toMatch(/gpt-9.*\bm\b/);
    expect(unknown.message).not.toContain("big");
    const hidden = await fetch(`${gateway.url}/v1/models/big`, { headers: key("few") });
    expect(await errorOf(hidden)).toMatchObject({ status: 404, code: "model_not_found" });
    expect((await fetch(`${gateway.url}/v1/models/big`)).status).toBe(401);
  });
});

describe("limits of a team", () => {
  test("requests: the headers count down, the one too many is 429 with an honest wait, others go on", async () => {
    const gateway = await start(`${team("limited", ", limits: { requests: 3/min }")}\n${team("other")}`);
    const remaining: (string | null)[] = [];
    for (let i = 0; i < 3; i++) {
      const response = await gateway.post(chat, hi(), key("limited"));
      expect(response.status).toBe(200);
      expect(response.headers.get("x-ratelimit-limit-requests")).toBe("3");
      expect(response.headers.get("x-ratelimit-reset-requests")).toMatch(/^\d+(\.\d+)?(ms|s)$|^\d+m/);
      remaining.push(response.headers.get("x-ratelimit-remaining-requests"));
      await response.text();
    }
    expect(remaining).toEqual(["2", "1", "0"]);
    const refused = await gateway.post(chat, hi(), key("limited"));
    expect(refused.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    const wait = Number(refused.headers.get("retry-after"));
    expect(wait).toBeGreaterThanOrEqual(55);
    expect(wait).toBeLessThanOrEqual(61);
    const error = await errorOf(refused);
    expect(error).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
    expect(error.message).toMatch(/3/);
    const free = await gateway.post(chat, hi(), key("other"));
    expect(free.status).toBe(200);
    expect([...free.headers.keys()].filter((name) => name.startsWith("x-ratelimit"))).toEqual([]);
    expect(await gateway.metrics()).toContain('signalbox_rate_limited_total{team="limited",limit="rate"} 1');
  });

  test("requests: who waits as long as was said is admitted", async () => {
    const gateway = await start(team("limited", ", limits: { requests: 2/s }"));
    const ask = async () => {
      const response = await gateway.post(chat, hi(), key("limited"));
      await response.text();
      return response;
    };
    const first = [await ask(), await ask(), await ask()];
    expect(first.map(({ status }) => status)).toEqual([200, 200, 429]);
    // Real time: the promise is about seconds on the client's clock.
    const wait = Number(first[2]?.headers.get("retry-after"));
    expect(wait).toBeLessThanOrEqual(2);
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    expect((await ask()).status).toBe(200);
  });

  test("tokens: what a reply took counts, also when it was streamed, and also when the client left", async () => {
    const gateway = await start(team("limited", ", limits: { tokens: 2000/min }"), 200);
    const left = async () => {
      const response = await gateway.post(chat, hi("m", { max_tokens: 1 }), key("limited"));
      await response.text();
      return Number(response.headers.get("x-ratelimit-remaining-tokens"));
    };
    const before = await left();
    const whole = (await (await gateway.post(chat, hi(), key("limited"))).json()) as {
      usage: { total_tokens: number };
    };
    const after = await left();
    // Both reserve the same for themselves: what is between them is what the reply took.
    expect(before - after).toBeGreaterThanOrEqual(whole.usage.total_tokens);
    await (await gateway.post(chat, hi("m", { stream: true }), key("limited"))).text();
    const streamed = await left();
    expect(after - streamed).toBeGreaterThanOrEqual(whole.usage.total_tokens);

    const controller = new AbortController();
    const gone = await fetch(`${gateway.url}${chat}`, {
      method: "POST",
      headers: key("limited"),
      body: JSON.stringify(hi("m", { stream: true })),
      signal: controller.signal,
    });
    const reader = gone.body!.getReader();
    await reader.read();
    controller.abort();
    await expect.poll(() => gateway.requestLines().at(-1)?.outcome).toBe("client_gone");
    expect(await left()).toBeLessThan(streamed);
  });

  test("tokens: a request that asks for more than is left is 429, one larger than the whole limit is not refused for ever", async () => {
    const gateway = await start(team("limited", ", limits: { tokens: 1000/min }"));
    expect((await gateway.post(chat, hi("m", { max_tokens: 20_000 }), key("limited"))).status).toBe(200);
    const more = await gateway.post(chat, hi("m", { max_tokens: 990 }), key("limited"));
    expect(more.headers.get("x-ratelimit-limit-tokens")).toBe("1000");
    expect(Number(more.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await errorOf(more)).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
  });

  test("concurrent: a slot is held to the end of a stream, and free again after it", async () => {
    const gateway = await start(team("limited", ", limits: { concurrent: 2 }"), 60);
    const ask = () => gateway.post(chat, hi("m", { stream: true }), key("limited"));
    const streams = [await ask(), await ask()];
    expect(streams.map(({ status }) => status)).toEqual([200, 200]);
    const refused = await ask();
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await errorOf(refused)).toMatchObject({ status: 429, code: "concurrency_limit_exceeded" });
    await Promise.all(streams.map((stream) => stream.body?.cancel()));
    await expect
      .poll(async () => (await gateway.post(chat, hi("m", { max_tokens: 1 }), key("limited"))).status)
      .toBe(200);
  });

  test("a refused or failed request gives back what it had reserved", async () => {
    const gateway = await start(team("limited", ", limits: { requests: 3/min, concurrent: 1 }"));
    for (let i = 0; i < 5; i++) {
      expect((await gateway.post(chat, { model: "none", messages: [] }, key("limited"))).status).toBe(400);
      expect((await gateway.post(chat, hi("none"), key("limited"))).status).toBe(404);
    }
    const response = await gateway.post(chat, hi(), key("limited"));
    expect(response.headers.get("x-ratelimit-remaining-requests")).toBe("2");
  });

  test("a hundred at once never get more than the limit", async () => {
    const gateway = await start(team("limited", ", limits: { requests: 40/min }"));
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => gateway.post(chat, hi("m", { max_tokens: 1 }), key("limited"))),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(40);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(60);
    expect(gateway.engines.one.log.filter(({ method }) => method === "POST")).toHaveLength(40);
  });
});
