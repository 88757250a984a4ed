import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestGateway } from "../../apps/gateway/src/end-to-end/test-gateway.ts";
import { accepts, freePort, waitFor } from "../../bench/processes.ts";
import { repository } from "../tools.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-compose-"));
const secrets = join(folder, "secrets");
const files = ["admin.token", "grafana.password", "redis.acl", "redis.password"];
const makeSecrets = () => execFileSync("sh", [join(folder, "secrets.sh")], { stdio: "pipe" });
const textOf = (name: string) => readFileSync(join(secrets, name), "utf8");

beforeAll(() => {
  cpSync(`${repository}deploy/compose/secrets.sh`, join(folder, "secrets.sh"));
  makeSecrets();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("secrets are made once, long enough, and for their readers alone", () => {
  const before = files.map(textOf);
  makeSecrets();
  expect(files.map(textOf)).toEqual(before);
  expect(textOf("admin.token")).toMatch(/^[0-9a-f]{64}$/);
  expect(new Set(before).size).toBe(4);
  const isRoot = process.getuid?.() === 0;
  for (const name of files) {
    const { mode, gid } = statSync(join(secrets, name));
    expect((mode & 0o777).toString(8)).toBe(isRoot ? "440" : "444");
    if (isRoot) expect(gid).toBe(10001);
  }
  expect(textOf("redis.acl")).not.toContain(textOf("redis.password"));
});

test("with its Redis the gateways share limits and keys, and need no command that they may not use", {
  timeout: 60_000,
}, async () => {
  const port = await freePort();
  const acl = join(folder, "test.acl");
  cpSync(join(secrets, "redis.acl"), acl);
  appendFileSync(acl, "user test on nopass ~* +@all\n");
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--aclfile", acl, "--dir", folder];
  const server = spawn("redis-server", [`${repository}deploy/compose/redis.conf`, ...own], { stdio: "ignore" });
  const cli = (...words: string[]) =>
    execFileSync("redis-cli", ["-p", String(port), ...words])
      .toString()
      .trim();
  try {
    await waitFor("redis-server", server, () => accepts(port));
    expect(cli("ping")).toBe("PONG");
    expect(cli("keys", "*")).toContain("NOPERM");
    const gateway = await startTestGateway({
      engines: { a: { kind: "vllm", models: ["m"] } },
      yaml: ({ a }) => `
store: { url: "redis://127.0.0.1:${port}", username: signalbox, password_file: ${join(secrets, "redis.password")} }
usage: { folder: ${folder} }
backends: { a: { kind: vllm, url: "${a}" } }
models: { m: { on: [{ backend: a, model: m }], cost: { input: 1/M } } }
teams:
  t: { keys: ["sha256:${"0".repeat(64)}"], limits: { requests: 100/min, tokens: 1M/min, concurrent: 4 }, budget: { tokens: 1M/day } }
`,
    });
    try {
      // A machine that is busy may leave Redis for a moment: it comes back.
      const isShared = () =>
        vi.waitFor(
          async () => {
            const status = (await (await fetch(`${gateway.adminUrl}/status`)).json()) as { store: { state: string } };
            expect(status.store.state).toBe("shared");
          },
          { timeout: 15_000, interval: 50 },
        );
      await isShared();
      const headers = { "content-type": "application/json" };
      const made = await fetch(`${gateway.adminUrl}/keys`, {
        method: "POST",
        headers,
        body: JSON.stringify({ action: "create", team: "t", name: "one" }),
      });
      const { key } = (await made.json()) as { key: string };
      const body = { model: "m", messages: [{ role: "user", content: "hi" }] };
      for (let i = 0; i < 3; i++) {
        const reply = await gateway.post("/v1/chat/completions", body, { authorization: `Bearer ${key}` });
        expect(reply.status).toBe(200);
        await reply.text();
      }
      await isShared();
    } finally {
      await gateway.close();
    }
    const refused = cli("--user", "test", "--pass", "any", "acl", "log");
    expect(refused).toContain("user=default");
    expect(refused).not.toContain("user=signalbox");
    expect(Number(cli("--user", "test", "--pass", "any", "dbsize"))).toBeGreaterThan(2);
  } finally {
    server.kill("SIGKILL");
  }
});
