import { afterEach, expect, test } from "vitest";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const open: TestGateway<"one">[] = [];
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
});

async function start(models: string, teams: string): Promise<TestGateway<"one">> {
  const gateway = await startTestGateway({
    engines: { one: { kind: "vllm", models: ["m"] } },
    yaml: ({ one }) => `
backends: { one: { kind: vllm, url: "${one}" } }
models:
${models}
teams:
${teams}
`,
  });
  open.push(gateway);
  return gateway;
}

const keys = (...names: string[]) => `keys: [${names.map((name) => `"${hashKey(`key-${name}`)}"`).join(", ")}]`;
const plainModels =
  "  large: { on: [{ backend: one, model: m }], aliases: [big] }\n  small: { on: [{ backend: one, model: m }] }";

async function ask(gateway: TestGateway<"one">, key: string, model = "small", more = {}) {
  const body = { model, max_tokens: 5, messages: [{ role: "user", content: "hi" }], ...more };
  const response = await gateway.post("/v1/chat/completions", body, { authorization: `Bearer key-${key}` });
  const { error } = (await response.json()) as { error?: { code: string; message: string } };
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, headers, ...error };
}

test("each key of a team has its own count within the team's", async () => {
  const gateway = await start(
    plainModels,
    `  a: { ${keys("one", "two")}, limits: { requests: 3/min, per_key: { requests: 2/min } } }`,
  );
  expect((await ask(gateway, "one")).headers).toMatchObject({ "x-ratelimit-limit-requests": "2" });
  expect((await ask(gateway, "one")).status).toBe(200);
  const key = hashKey("key-one").slice(7, 15);
  expect(await ask(gateway, "one")).toMatchObject({
    status: 429,
    code: "rate_limit_exceeded",
    message: expect.stringContaining(`key ${key} of team a: limit of 2 requests in 1 min reached; try again in 6`),
  });
  const third = await ask(gateway, "two");
  expect(third.status).toBe(200);
  expect(third.headers).toMatchObject({ "x-ratelimit-limit-requests": "3", "x-ratelimit-remaining-requests": "0" });
  expect((await ask(gateway, "two")).message).toContain("team a: limit of 3 requests in 1 min reached");
});

test("a team's limit of one model leaves it the others, and an alias is the same model", async () => {
  const gateway = await start(
    plainModels,
    `  a: { ${keys("one")}, limits: { per_model: { big: { requests: 1/min } } } }`,
  );
  expect((await ask(gateway, "one", "large")).status).toBe(200);
  expect(await ask(gateway, "one", "big")).toMatchObject({
    status: 429,
    message: expect.stringContaining("team a on model large: limit of 1 requests in 1 min reached"),
  });
  expect((await ask(gateway, "one", "small")).status).toBe(200);
});

test("a model's limit holds for all teams together", async () => {
  const gateway = await start(
    "  small: { on: [{ backend: one, model: m }], limits: { requests: 2/min } }",
    `  a: { ${keys("one")} }\n  b: { ${keys("two")} }`,
  );
  expect((await ask(gateway, "one")).status).toBe(200);
  expect((await ask(gateway, "two")).headers).toMatchObject({ "x-ratelimit-remaining-requests": "0" });
  expect((await ask(gateway, "one")).message).toContain("model small: limit of 2 requests in 1 min reached");
});

test("of several windows the headers are the tightest one's, and retry-after the longest wait", async () => {
  const gateway = await start(
    plainModels,
    `  a: { ${keys("one")}, limits: { requests: [50/s, 2/min], tokens: [10k/min, 100/hour] } }`,
  );
  const first = await ask(gateway, "one");
  expect(first.headers).toMatchObject({
    "x-ratelimit-limit-requests": "2",
    "x-ratelimit-remaining-requests": "1",
    "x-ratelimit-limit-tokens": "100",
    "x-ratelimit-reset-tokens": expect.stringMatching(/^1h0m/),
  });
  expect((await ask(gateway, "one")).status).toBe(200);
  const refused = await ask(gateway, "one", "small", { max_tokens: 99 });
  expect(refused.message).toContain("team a: limit of 100 tokens in 1 hour reached");
  expect(Number(refused.headers["retry-after"])).toBeGreaterThanOrEqual(3590);
});

test("prompts and replies can be limited apart", async () => {
  const gateway = await start(
    plainModels,
    `  a: { ${keys("one")}, limits: { input_tokens: 1000/min, output_tokens: 40/min } }`,
  );
  expect((await ask(gateway, "one", "small", { max_tokens: 30 })).status).toBe(200);
  expect((await ask(gateway, "one", "small", { max_tokens: 40 })).message).toContain(
    "limit of 40 output tokens in 1 min",
  );
  const long = { messages: [{ role: "user", content: "word ".repeat(2000) }] };
  expect((await ask(gateway, "one", "small", long)).message).toContain("limit of 1000 input tokens in 1 min");
});

test("a spent budget says when it begins anew, and asks official clients not to try again", async () => {
  const gateway = await start(plainModels, `  a: { ${keys("one")}, budget: { tokens: 20/day } }`);
  expect((await ask(gateway, "one")).status).toBe(200);
  const refused = await ask(gateway, "one", "small", { max_tokens: 20 });
  expect(refused).toMatchObject({ status: 429, code: "budget_exceeded" });
  const begins = /^team a: budget of 20 tokens this day is spent; it begins anew at (.*T00:00:00Z)$/.exec(
    refused.message!,
  )?.[1];
  expect(Date.parse(begins!) - Date.now()).toBeGreaterThan(0);
  expect(Date.parse(begins!) - Date.now()).toBeLessThanOrEqual(86_400_000);
  expect(refused.headers).toMatchObject({ "x-should-retry": "false" });
  expect(Math.abs(Number(refused.headers["retry-after"]) - (Date.parse(begins!) - Date.now()) / 1000)).toBeLessThan(10);
  expect(await gateway.metrics()).toContain('signalbox_rate_limited_total{team="a",limit="budget"} 1');
});
