import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";

const main = new URL("../main.ts", import.meta.url).pathname;

/** Says on standard error which of OpenTelemetry's packages a process loads. */
const watch = `
import { registerHooks } from "node:module";
registerHooks({
  load(url, context, next) {
    const name = url.split("/node_modules/@opentelemetry/").at(-1);
    if (name !== url) process.stderr.write("loads " + name.split("/")[0] + "\\n");
    return next(url, context);
  },
});`;

/** The packages of OpenTelemetry that a gateway with these members of `server` has loaded when it listens. */
async function loadedBy(server: string): Promise<Set<string>> {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = path.join(folder, "signalbox.yaml");
  writeFileSync(
    config,
    `
version: 1
server: { listen: "127.0.0.1:0", admin: "127.0.0.1:0", drain_delay: 0s${server} }
backends: { a: { kind: vllm, url: "http://127.0.0.1:9" } }
models: { large: { on: [{ backend: a }] } }
`,
  );
  const args = ["--import", `data:text/javascript,${encodeURIComponent(watch)}`, main, "serve", "--config", config];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  child.stdout.on("data", (chunk: Buffer) => {
    if (chunk.includes("listening")) child.kill("SIGTERM");
  });
  expect((await once(child, "close"))[0]).toBe(0);
  return new Set([...errors.matchAll(/^loads (.*)$/gm)].map(([, name]) => name!));
}

test("a gateway that traces nothing loads nothing of OpenTelemetry's SDK", async () => {
  const [traced, plain] = await Promise.all([loadedBy(', traces: { endpoint: "http://127.0.0.1:9" }'), loadedBy("")]);
  for (const name of ["exporter-trace-otlp-proto", "resources"]) expect(traced).toContain(name);
  // prom-client has the API, which does nothing by itself.
  plain.delete("api");
  expect(plain).toEqual(new Set());
}, 60_000);
