import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { report as command } from "../cli/report.ts";
import type { Report } from "../report/report.ts";
import { hashKey } from "../teams/keys.ts";
import { type CommandRun, runCommand } from "./run-command.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const TOKEN = "a-token-for-reading-16";

const policy = (urls: Readonly<Record<"big" | "little", string>>): string => `
server:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  drain_delay: 0s
  shed_lag: 0s
  admin_tokens: [{ name: reader, role: viewer, hash: "${hashKey(TOKEN)}" }]
  alerts: { response_time: { warning: 1ms, critical: 1h }, min_requests: 1, min_failures: 1 }
backends:
  big: { kind: vllm, url: "${urls.big}", max_concurrent: 8 }
  little: { kind: vllm, url: "${urls.little}", max_concurrent: 8 }
  gone: { kind: vllm, url: "http://127.0.0.1:1" }
models:
  large: { on: [{ backend: big, model: m }], cost: { input: 1000/M, output: 3000/M } }
  small: { on: [{ backend: little, model: m }], fallback: [large], cost: { input: 100/M, output: 300/M } }
  lost: { on: [{ backend: gone, model: m }], fallback: [small] }
routing:
  - { name: easy, when: { complexity: simple }, use: small }
  - { use: large }
teams:
  search: { keys: ["${hashKey("key-search")}"] }
  pay: { keys: ["${hashKey("key-pay")}"], limits: { requests: 2/day } }
`;

let gateway: TestGateway<"big" | "little">;
let folder: string;
const tokens = { input: 0, output: 0 };

const report = (...args: readonly string[]): Promise<CommandRun> =>
  runCommand(command, "--token-file", path.join(folder, "token"), ...args);

async function chat(model: string, key: string, more: object = {}): Promise<number> {
  const body = { model, messages: [{ role: "user", content: "SECRET-PROMPT" }], max_tokens: 8, ...more };
  const answer = await gateway.post("/v1/chat/completions", body, { authorization: `Bearer ${key}` });
  const text = await answer.text();
  const usage = [...text.matchAll(/"usage":(\{[^}]*\})/g)].at(-1)?.[1];
  if (answer.status === 200 && usage !== undefined) {
    const { prompt_tokens, completion_tokens } = JSON.parse(usage) as Record<string, number>;
    tokens.input += prompt_tokens!;
    tokens.output += completion_tokens!;
  }
  return answer.status;
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "signalbox-report-"));
  writeFileSync(path.join(folder, "token"), TOKEN);
  gateway = await startTestGateway({
    engines: { big: { kind: "vllm", models: ["m"], firstTokenMs: 20 }, little: { kind: "vllm", models: ["m"] } },
    yaml: policy,
  });
  const stream = { stream: true, stream_options: { include_usage: true } };
  for (let i = 0; i < 6; i++) expect(await chat("large", "key-search")).toBe(200);
  for (let i = 0; i < 4; i++) expect(await chat("small", "key-search", stream)).toBe(200);
  for (let i = 0; i < 3; i++) expect(await chat("auto", "key-search")).toBe(200);
  expect(await chat("lost", "key-search")).toBe(200);
  for (const status of [200, 200, 429, 429]) expect(await chat("large", "key-pay")).toBe(status);
  gateway.engines.big.fault({ kind: "status", status: 500 });
  expect(await chat("large", "key-search")).toBe(502);
  await gateway.engines.big.clearFaults();
  expect(await chat("nothing", "key-search")).toBe(404);
});
afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true });
});

test("counts what clients saw, exactly", async () => {
  const { out, code } = await report("--admin", gateway.adminUrl, "--format", "json");
  expect(code).toBe(0);
  const told = JSON.parse(out) as Report;
  expect(told.requests).toMatchObject({ total: 20, ok: 16, failed: 1 });
  expect(told.complete).toBe(false);
  expect(told.errors.map(({ name, requests }) => [name, requests])).toEqual(
    expect.arrayContaining([
      ["rate_limit_exceeded", 2],
      ["model_not_found", 1],
      ["upstream_failed", 1],
    ]),
  );
  expect(told.tokens).toMatchObject(tokens);
  const models = Object.fromEntries(told.models.map(({ name, requests }) => [name, requests]));
  expect(models).toEqual({ large: 11, small: 8, other: 1 });
  expect(told.teams.map(({ name, requests, refused }) => [name, requests, refused])).toEqual([
    ["search", 16, 0],
    ["pay", 4, 2],
  ]);
  expect(told.complexity).toEqual([{ name: "simple", requests: 3, share: 1 }]);
  expect(told.rules).toEqual(expect.arrayContaining([{ name: "easy", requests: 3, share: expect.any(Number) }]));
  expect(told.attempts).toMatchObject({ fallbacks: 1 });
  expect(told.response_time.count).toBe(20);
  expect(told.first_token.count).toBe(16);
  expect(told.per_token.count).toBe(4);
  expect(told.response_time.p50!).toBeLessThanOrEqual(told.response_time.p99!);
  // Small is ten times cheaper than large, which everything could have gone to.
  expect(told.cost!.baseline).toBeCloseTo((tokens.input * 1000 + tokens.output * 3000) / 1e6, 6);
  expect(told.cost!.saving).toBeGreaterThan(0);
  expect(told.cost!.cost + told.cost!.saving).toBeCloseTo(told.cost!.baseline, 6);
  const backends = Object.fromEntries(told.backends.map((one) => [one.name, one]));
  expect(backends.little).toMatchObject({ now: "up", attempts: 8, failed: 0 });
  expect(backends.gone).toMatchObject({ now: "down" });
  expect(told.advice.map(({ models }) => models)).toEqual([["large"], ["small"], ["lost"]]);
  expect(told.alerts).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: "SignalboxModelDown", about: "lost", severity: "critical", until: null }),
      expect.objectContaining({ name: "SignalboxBackendDown", about: "gone" }),
      expect.objectContaining({ name: "SignalboxResponseTime", about: "large", severity: "warning", threshold: 0.001 }),
      expect.objectContaining({ name: "SignalboxErrorRate", about: "large", severity: "critical" }),
    ]),
  );
});

test("two gateways are added up", async () => {
  const admins = ["--admin", gateway.adminUrl, "--admin", gateway.adminUrl];
  const told = JSON.parse((await report(...admins, "--format", "json")).out) as Report;
  expect(told.requests.total).toBe(40);
  expect(told.response_time.count).toBe(40);
  expect(told.tokens.output).toBe(2 * tokens.output);
  expect(told.gateways).toHaveLength(2);
});

test("text fits into 100 columns and has all sections", async () => {
  const { out } = await report("--admin", gateway.adminUrl, "--since", "2h");
  expect(out.split("\n").filter((line) => line.length > 100)).toEqual([]);
  for (const title of ["Alerts", "Figures", "Advice", "Models", "Complexity", "Rules", "Backends", "Teams", "Errors"])
    expect(out).toMatch(new RegExp(`^${title}$`, "m"));
  const page = readFileSync(fileURLToPath(new URL("../../../../docs/report.md", import.meta.url)), "utf8");
  const words = out.split("\n").flatMap((line) => {
    const [first = "", ...others] = line.trim().split(/ {2,}/);
    return /^[A-Z][A-Z0-9 ]+$/.test(first) ? [first, ...others] : others.length === 1 ? [first] : [];
  });
  expect(words.length).toBeGreaterThan(30);
  expect(words.filter((word) => !page.includes(word))).toEqual([]);
  expect(out).toContain("(120 minutes were asked for; not all of them are known)");
  expect(out).toMatch(/ requests +20 \(/);
});

test("HTML is one page that asks for nothing from anywhere, and has no prompt and no key", async () => {
  const file = path.join(folder, "report.html");
  const { code } = await report("--admin", gateway.adminUrl, "--format", "html", "--output", file);
  expect(code).toBe(0);
  const page = readFileSync(file, "utf8");
  expect(page).toMatch(/^<!doctype html>/);
  expect(page).not.toMatch(/<script|<link|<img|<iframe|\bsrc=|\bhref=|url\(|@import/i);
  for (const secret of ["SECRET-PROMPT", "key-search", "key-pay", TOKEN, hashKey("key-pay").slice(7)])
    expect(page).not.toContain(secret);
  expect(page).toContain("SignalboxModelDown (lost)");
});

test("reading it takes a token of a viewer, and a right number of minutes", async () => {
  const get = (query: string, token?: string) =>
    fetch(
      `${gateway.adminUrl}/report${query}`,
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    );
  expect((await get("")).status).toBe(401);
  expect((await get("", TOKEN)).status).toBe(200);
  for (const minutes of ["0", "1441", "-1", "x", "1e3"])
    expect((await get(`?minutes=${minutes}`, TOKEN)).status).toBe(400);
});

test.each([
  [["--since", "25h"], 2, "24h at most"],
  [["--format", "pdf"], 2, "--format knows text, json, html, not «pdf»"],
  [["--admin", "http://127.0.0.1:1"], 1, "no gateway's admin listener answers"],
])("%j is refused with what is wrong", async (args, code, words) => {
  const told = await report(...args);
  expect(told.code).toBe(code);
  expect(told.out).toContain(words);
});
