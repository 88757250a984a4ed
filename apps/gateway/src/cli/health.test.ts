import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { startTestGateway } from "../end-to-end/test-gateway.ts";
import { health } from "./health.ts";

const told = vi.spyOn(console, "error").mockImplementation(() => {});
afterEach(() => vi.clearAllMocks());

/** A policy file of which only the admin address matters. */
function policyFile(admin: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-health-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "signalbox.yaml");
  writeFileSync(file, `version: 1\nserver: { admin: "${admin}" }\nbackends: not read\n`);
  return file;
}

test("a gateway that answers is healthy, and one that has stopped is not", async () => {
  const gateway = await startTestGateway({
    yaml: () =>
      'backends: { one: { kind: vllm, url: "http://127.0.0.1:1" } }\nmodels: { m: { on: [{ backend: one, model: m }] } }',
  });
  onTestFinished(gateway.close);
  const { port } = new URL(gateway.adminUrl);
  for (const host of ["127.0.0.1", "0.0.0.0", "localhost", `\${SIGNALBOX_NO_SUCH_HOST:-127.0.0.1}`]) {
    expect(await health.run(["--config", policyFile(`${host}:${port}`)])).toBe(0);
  }
  expect(await health.run(["--url", `${gateway.url}/livez`])).toBe(0);
  expect(told).not.toHaveBeenCalled();
  await gateway.gateway.close();
  expect(await health.run(["--config", policyFile(`127.0.0.1:${port}`)])).toBe(1);
  expect(String(told.mock.lastCall![0])).toContain(`http://127.0.0.1:${port}/livez: connect ECONNREFUSED`);
});

test("an answer that is not 200 is not healthy", async () => {
  const server = createServer((_request, response) => response.writeHead(503).end()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/livez`;
  expect(await health.run(["--url", url])).toBe(1);
  expect(told).toHaveBeenCalledWith(`${url}: answered with 503`);
});

test("a file that is missing, or says no port, is told", async () => {
  await expect(health.run(["--config", "/no/such.yaml"])).rejects.toThrow("/no/such.yaml: there is no such file");
  await expect(health.run(["--config", policyFile("127.0.0.1:0")])).rejects.toThrow("says no port to ask; give --url");
});

test("it loads a handful of files: a health check runs every few seconds beside the gateway", () => {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, type, name = ""] of readFileSync(file, "utf8").matchAll(
      /^(?:import|\}) ?(type )?[^;]*?from "(.+)";$/gm,
    )) {
      if (type !== undefined || name.startsWith("node:")) continue;
      if (name.startsWith(".")) visit(path.resolve(path.dirname(file), name));
      else packages.add(name);
    }
  };
  visit(fileURLToPath(new URL("../main.ts", import.meta.url)));
  expect([...packages]).toEqual(["yaml"]);
  expect(files.size).toBeLessThan(12);
});
