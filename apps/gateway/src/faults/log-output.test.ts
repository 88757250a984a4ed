import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { startSimulator } from "@signalbox/simulator";
import { expect, onTestFinished, test } from "vitest";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import { ask } from "./wire-client.ts";

/** On a machine that has much else to do. */
const soon = { interval: 10, timeout: 20_000 };

const MB = 1024 * 1024;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A gateway whose log goes to `stdout`, asked 800 times in vain and a few times for an answer. */
async function askMuch(stdout: number | "pipe"): Promise<GatewayProcess> {
  const engine = await startSimulator({ kind: "vllm", models: ["m"] });
  onTestFinished(() => engine.close());
  const [port, admin] = [await freePort(), await freePort()];
  const gateway = await startGatewayProcess(
    `
server: { listen: 127.0.0.1:${port}, admin: 127.0.0.1:${admin}, drain_delay: 0s, shed_lag: 0s }
backends: { one: { kind: vllm, url: "${engine.url}" } }
models: { m: { on: [{ backend: one, model: m }] } }
`,
    { log: { stdout, url: `http://127.0.0.1:${port}`, adminUrl: `http://127.0.0.1:${admin}` } },
  );
  const messages = [{ role: "user", content: "hi" }];
  for (let round = 0; round < 8; round++) {
    const asked = Array.from({ length: 100 }, () => ask(gateway.url, { body: { model: "n".repeat(250), messages } }));
    for (const { status } of await Promise.all(asked)) expect(status).toBe(404);
    const answer = await ask(gateway.url, { body: { model: "m", messages, stream: true } });
    expect(answer.text).toMatch(/data: \[DONE\]\n\n$/);
  }
  expect(gateway.rss()).toBeLessThan(250 * MB);
  return gateway;
}

async function expectToEnd(gateway: GatewayProcess): Promise<void> {
  const began = performance.now();
  gateway.child.kill("SIGTERM");
  expect(await gateway.exited).toBe(0);
  expect(performance.now() - began).toBeLessThan(5000);
}

test("F50 a full disk under the log costs no request anything, and what is lost is counted", async () => {
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  const gateway = await askMuch(full);
  await expect.poll(() => gateway.metric("signalbox_log_lines_dropped_total"), soon).toBeGreaterThanOrEqual(808);
  await expectToEnd(gateway);
}, 90_000);

test("F50 a pipe that nobody reads costs no request anything, and holds no end up", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-pipe-"));
  execFileSync("sh", ["-c", `mkfifo "$0"`, path.join(folder, "log")]);
  const reader = openSync(path.join(folder, "log"), constants.O_RDONLY | constants.O_NONBLOCK);
  const pipe = openSync(path.join(folder, "log"), constants.O_WRONLY);
  onTestFinished(() => {
    closeSync(reader);
    closeSync(pipe);
    rmSync(folder, { recursive: true });
  });
  await expectToEnd(await askMuch(pipe));
}, 90_000);

test("F50 a socket that nobody reads costs no request anything, and holds no end up", async () => {
  // What a child's output is connected to by default, and what systemd gives its services.
  await expectToEnd(await askMuch("pipe"));
}, 90_000);
