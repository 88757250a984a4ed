import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { readAuditChain } from "../audit/audit-chain.ts";
import type { AuditRecord } from "../audit/audit-line.ts";
import { noAudit } from "../audit/audit-log.ts";
import { createAdminApp } from "../routes/admin-app.ts";
import { createRequestLog } from "../signals/request-log.ts";
import { createFailureThrottle } from "../teams/failure-throttle.ts";
import { hashKey } from "../teams/keys.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const viewer = bearer("canary-viewer-token");
const operator = bearer("canary-operator-token");
const admin = bearer("canary-admin-token");

let folder: string;
let auditFile: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "signalbox-admin-"));
  auditFile = path.join(folder, "audit.jsonl");
  writeFileSync(path.join(folder, "operator"), "canary-operator-token\n");
  writeFileSync(path.join(folder, "admin"), "canary-admin-token\n");
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

const policy = (more = "", viewerToken = "canary-viewer-token") => `
server:
  listen: 127.0.0.1:0
  admin: 127.0.0.1:0
  drain_delay: 0s
  shed_lag: 0s
  admin_token_file: ${folder}/admin
  admin_tokens:
    - { name: grafana, role: viewer, hash: "${hashKey(viewerToken)}" }
    - { name: oncall, role: operator, token_file: ${folder}/operator }
  audit_file: ${auditFile}
backends: { one: { kind: vllm, url: "http://127.0.0.1:1" }, two: { kind: vllm, url: "http://127.0.0.1:1" } }
models: { m: { on: [{ backend: one }, { backend: two }] } }
${more}`;

async function start(yaml = policy()): Promise<TestGateway<never>> {
  const gateway = await startTestGateway({ yaml: () => yaml });
  onTestFinished(() => gateway.close());
  return gateway;
}

const get = (gateway: TestGateway<never>, where: string, headers: Record<string, string> = {}) =>
  fetch(`${gateway.adminUrl}${where}`, { headers });

const drain = (gateway: TestGateway<never>, headers: Record<string, string> = {}, action = "drain") =>
  fetch(`${gateway.adminUrl}/backends/one`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ action }),
  });

const records = (): AuditRecord[] =>
  readFileSync(auditFile, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as AuditRecord);

describe("with tokens of the admin listener", () => {
  test("everything but /livez and /readyz wants one, each as much as its role may", async () => {
    const gateway = await start();
    for (const open of ["/livez", "/readyz"]) expect((await get(gateway, open)).status).toBe(200);
    for (const guarded of ["/status", "/metrics"]) {
      expect((await get(gateway, guarded)).status).toBe(401);
      expect((await get(gateway, guarded, bearer("wrong"))).status).toBe(401);
      for (const token of [viewer, operator, admin]) expect((await get(gateway, guarded, token)).status).toBe(200);
    }
    const refused = await drain(gateway, viewer);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ error: { code: "role_not_sufficient" } });
    expect((await drain(gateway)).status).toBe(401);
    expect((await drain(gateway, operator)).status).toBe(200);
    expect((await drain(gateway, admin, "auto")).status).toBe(200);
  });

  test("no route is left out", async () => {
    const gateway = await start();
    const never = (): never => expect.unreachable();
    const view = {
      serving: never,
      advisor: never,
      report: never,
      notReady: never,
      room: never,
      version: "",
      local: true,
    };
    const throttle = createFailureThrottle({ now: () => 0 });
    const log = createRequestLog({ form: "silent" });
    const { routes } = createAdminApp({ ...view, log, audit: noAudit, stored: undefined, store: undefined, throttle });
    const open: string[] = [];
    for (const { method, path: where } of routes) {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${gateway.adminUrl}${where.replace(/:\w+/, "one")}`, { method, headers });
      await answer.text();
      if (answer.status !== 401) open.push(where);
    }
    expect(routes.length).toBeGreaterThan(6);
    expect(open).toEqual(["/livez", "/readyz"]);
  });

  test("a reload takes new ones, and lets the old ones go", async () => {
    const gateway = await start();
    await gateway.apply(policy("", "another-token-of-16"));
    expect((await get(gateway, "/status", viewer)).status).toBe(401);
    expect((await get(gateway, "/status", bearer("another-token-of-16"))).status).toBe(200);
  });

  test("wrong ones are throttled, and right ones pass beside them", async () => {
    const gateway = await start();
    const statuses: number[] = [];
    for (let i = 0; i < 30; i++) statuses.push((await get(gateway, "/status", bearer(`guess-${i}`))).status);
    expect(statuses).toEqual([...Array(20).fill(401), ...Array(10).fill(429)]);
    const told = await get(gateway, "/metrics", bearer("guess"));
    expect(await told.json()).toMatchObject({ error: { code: "too_many_failed_keys" } });
    expect(Number(told.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await drain(gateway, operator)).status).toBe(200);
    const metrics = await (await get(gateway, "/metrics", viewer)).text();
    expect(metrics).toContain('signalbox_admin_refusals_total{code="invalid_api_key"} 20');
    expect(metrics).toContain('signalbox_admin_refusals_total{code="too_many_failed_keys"} 11');
  });
});

describe("the audit file", () => {
  test("has every action with who did it, what was before, and what came of it", async () => {
    const gateway = await start();
    await drain(gateway, operator);
    await drain(gateway, admin, "auto");
    await drain(gateway, viewer);
    await drain(gateway, bearer("canary-guess"));
    await gateway.apply(policy("defaults: { attempts: 2 }"));
    gateway.gateway.reloadFailed(["signalbox.yaml:1:1: it is wrong", "and so is this"]);
    await gateway.gateway.close();
    const all = records();
    expect(all.map(({ actor, role, action, target, result }) => [actor, role, action, target, result])).toEqual([
      ["process", "none", "start", null, "ok"],
      ["oncall", "operator", "backend.drain", "one", "ok"],
      ["admin", "admin", "backend.auto", "one", "ok"],
      ["grafana", "viewer", "post /backends/:name", null, "role_not_sufficient"],
      ["unknown", "none", "post /backends/:name", null, "invalid_api_key"],
      ["file", "none", "config.reload", null, "ok"],
      ["file", "none", "config.reload", null, "refused"],
      ["process", "none", "stop", null, "ok"],
    ]);
    expect(all[1]).toMatchObject({ before: "auto", after: "drain", address: "127.0.0.1" });
    expect(all[2]).toMatchObject({ before: "drain", after: "auto" });
    expect(all[6]).toMatchObject({ after: { errors: 2, first: "signalbox.yaml:1:1: it is wrong" } });
    expect(readFileSync(auditFile, "utf8")).not.toContain("canary");
    expect(await readAuditChain(auditFile)).toMatchObject({ records: 8, broken: undefined });
  });

  test("is gone on from after a restart", async () => {
    await (await start()).gateway.close();
    await (await start()).gateway.close();
    expect(await readAuditChain(auditFile)).toMatchObject({ records: 4, broken: undefined });
  });

  test("that cannot be written keeps changes from being made, and nobody from being served", async () => {
    mkdirSync(auditFile);
    const gateway = await start();
    const refused = await drain(gateway, operator);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({
      error: { code: "audit_unavailable", message: expect.stringContaining("EISDIR") },
    });
    const status = (await (await get(gateway, "/status", viewer)).json()) as { ready: boolean; backends: object[] };
    expect(status).toMatchObject({ ready: true, backends: [{ name: "one", override: null }, { name: "two" }] });
    const before = gateway.gateway.serving.config;
    await expect(gateway.apply(policy("defaults: { attempts: 2 }"))).rejects.toThrow("audit file");
    expect(gateway.gateway.serving.config).toBe(before);
    rmSync(auditFile, { recursive: true });
    expect((await drain(gateway, operator)).status).toBe(200);
    expect(records()).toMatchObject([{ action: "backend.drain" }]);
  });
});

test.each([
  ["admin_tokens: [{ name: a, role: viewer }]", "wants either `token_file` or `hash`"],
  ['admin_tokens: [{ name: a, role: wiever, hash: "HASH" }]', "did you mean «viewer»?"],
  ["admin_tokens: [{ name: a, role: viewer, hash: secret }]", "a secret stands in the file"],
  [
    'admin_tokens: [{ name: a, role: viewer, hash: "HASH" }, { name: b, role: admin, hash: "HASH" }]',
    "another token's too",
  ],
  [
    'admin_tokens: [{ name: a, role: viewer, hash: "HASH" }, { name: a, role: admin, token_file: FILE }]',
    "has the name «a» already",
  ],
  [
    'admin_token_file: FILE, admin_tokens: [{ name: admin, role: viewer, hash: "HASH" }]',
    "is that of `admin_token_file`",
  ],
  ["admin_tokens: []", "expected at least one"],
  ["admin_tokens: [{ name: a, role: viewer, token_file: none }]", "does not exist"],
])("the setting %s is an error: %s", async (server, says) => {
  const text = server.replaceAll("HASH", hashKey("x")).replaceAll("FILE", `${folder}/admin`);
  const yaml = () => `server: { ${text} }
backends: { one: { kind: vllm, url: "http://127.0.0.1:1" } }
models: { m: { on: [{ backend: one }] } }`;
  await expect(startTestGateway({ yaml })).rejects.toThrow(says);
});
