import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "@signalbox/simulator";
import { expect, test, vi } from "vitest";
import { startTestGateway } from "./test-gateway.ts";

const request = { model: "phi", messages: [{ role: "user", content: "hi" }] };

test("an engine that has a new port at every start is found again, and its alias is sent as the loaded variant", async () => {
  const folder = mkdtempSync(join(tmpdir(), "signalbox-port-"));
  const notice = join(folder, "status");
  const tell = (url: string) => writeFileSync(notice, `Model management service is running on ${url}/openai/status\n`);
  const before = await startSimulator({ kind: "foundry_local", models: ["phi-4-mini"] });
  tell(before.url);
  const pool = await startTestGateway({
    yaml: () => `
backends:
  foundry: { kind: foundry_local, url: auto, discover_command: [cat, "${notice}"], probe: { interval: 200ms, timeout: 500ms } }
models:
  phi: { on: [{ backend: foundry, model: phi-4-mini }] }
`,
  });
  const ask = () => pool.post("/v1/chat/completions", request);
  try {
    expect((await ask()).status).toBe(200);
    const sent = before.log.findLast(({ method }) => method === "POST");
    expect(JSON.parse(String(sent?.body)).model).toMatch(/^phi-4-mini-.+:\d+$/);
    await before.close();
    expect((await ask()).status).toBe(503);
    const after = await startSimulator({ kind: "foundry_local", models: ["phi-4-mini"] });
    expect(after.url).not.toBe(before.url);
    tell(after.url);
    await vi.waitFor(async () => expect((await ask()).status).toBe(200), { timeout: 10_000, interval: 100 });
    expect(after.log.some(({ path }) => path === "/v1/chat/completions")).toBe(true);
    await after.close();
  } finally {
    await pool.close();
    rmSync(folder, { recursive: true });
  }
});
