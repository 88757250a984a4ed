import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startSimulator } from "@signalbox/simulator";
import { expect, onTestFinished, test } from "vitest";
import { readUsageFolder } from "../usage/usage-files.ts";
import { type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";

async function ids(folder: string): Promise<string[]> {
  const found: string[] = [];
  const range = { from: 0, until: Number.POSITIVE_INFINITY };
  await readUsageFolder(folder, range, { onEntry: ({ id }) => found.push(id), onTorn: () => {} });
  return found.sort();
}

test("what was used is written down within moments, and a SIGKILL takes none of that; nor does SIGTERM", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-usage-"));
  const engine = await startSimulator({ kind: "vllm", models: ["m"] });
  onTestFinished(async () => {
    await engine.close();
    rmSync(folder, { recursive: true });
  });
  const yaml = `
backends: { one: { kind: vllm, url: "${engine.url}" } }
models: { m: { on: [{ backend: one }] } }
usage: { folder: ${folder} }
`;
  const ask = async ({ url }: GatewayProcess, id: string): Promise<void> => {
    const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }] });
    const headers = { "content-type": "application/json", "x-request-id": id };
    const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
    expect(response.status).toBe(200);
    await response.text();
  };
  const all = (name: string): string[] => Array.from({ length: 20 }, (_, at) => `${name}-${at + 10}`);

  const first = await startGatewayProcess(yaml);
  for (const id of all("killed")) await ask(first, id);
  // Several times what it says it takes: the machine may be busy.
  await sleep(500);
  first.child.kill("SIGKILL");
  await first.exited;
  expect(await ids(folder)).toEqual(all("killed"));

  const second = await startGatewayProcess(yaml);
  for (const id of all("stopped")) await ask(second, id);
  second.child.kill("SIGTERM");
  expect(await second.exited).toBe(0);
  expect(await ids(folder)).toEqual([...all("killed"), ...all("stopped")]);
}, 60_000);
