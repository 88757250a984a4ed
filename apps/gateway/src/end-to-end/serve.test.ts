import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Simulator, startSimulator } from "@signalbox/simulator";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startTestGateway, wholePolicy } from "./test-gateway.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const chat = "/v1/chat/completions";

let engine: Simulator;
let slow: Simulator;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  engine = await startSimulator({ kind: "vllm", models: ["m"] });
  const deltas = Array.from({ length: 100 }, (_, i) => `s${i} `);
  slow = await startSimulator({ kind: "vllm", models: ["s"], tokensPerSecond: 50, script: [{ reply: { deltas } }] });
  folder = await mkdtemp(path.join(tmpdir(), "signalbox-serve-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(async () => {
  await engine.close();
  await slow.close();
  await rm(folder, { recursive: true, force: true });
});

/** A policy that serves the engine's model under one name, so that an answer shows which file it came from. */
const policy = (name: string) => `
backends: { one: { kind: vllm, url: "${engine.url}" } }
models: { ${name}: { on: [{ backend: one, model: m }] } }
`;

const slowPolicy = () => `
backends: { slow: { kind: vllm, url: "${slow.url}" } }
models: { s: { on: [{ backend: slow, model: s }] } }
`;

interface Served {
  readonly child: ChildProcess;
  readonly url: string;
  readonly adminUrl: string;
  readonly lines: readonly Record<string, unknown>[];
  /** Resolves when a line with this event was written. */
  event(name: string): Promise<Record<string, unknown>>;
  readonly exited: Promise<number | null>;
}

/** Runs `signalbox serve` as its users do. */
async function serve(file: string, ...nodeOptions: string[]): Promise<Served> {
  const words = [...nodeOptions, main, "serve", "--config", file];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const exited = once(child, "exit").then(([code]) => code as number | null);
  const lines: Record<string, unknown>[] = [];
  const waiting: { name: string; resolve(line: Record<string, unknown>): void }[] = [];
  createInterface({ input: child.stdout! }).on("line", (text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    lines.push(line);
    for (const one of waiting.filter(({ name }) => name === line.event)) one.resolve(line);
  });
  const event = (name: string) =>
    new Promise<Record<string, unknown>>((resolve) => {
      const before = lines.find((line) => line.event === name);
      if (before !== undefined) resolve(before);
      else waiting.push({ name, resolve });
    });
  const { url, admin } = await event("listening");
  return { child, url: String(url), adminUrl: String(admin), lines, event, exited };
}

async function policyFile(name: string, text: string): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, wholePolicy(text));
  return file;
}

/** As editors and Kubernetes do: the new file takes the old one's place whole. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, wholePolicy(text));
  await rename(`${file}.new`, file);
}

const ask = (url: string, model: string, more = {}) =>
  fetch(`${url}${chat}`, {
    method: "POST",
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }], ...more }),
  });

async function modelsOf(url: string): Promise<string[]> {
  const answer = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
  return answer.data.map(({ id }) => id);
}

async function reloadSuccess(adminUrl: string): Promise<string | undefined> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return /^signalbox_config_reload_success (\d)$/m.exec(text)?.[1];
}

describe("reload", () => {
  test("a changed file comes into force, by itself and on SIGHUP; a broken one keeps the last good one and says so", async () => {
    const file = await policyFile("reload.yaml", policy("first"));
    const served = await serve(file);
    expect(await modelsOf(served.url)).toEqual(["first"]);

    await replace(file, policy("second"));
    await expect.poll(() => modelsOf(served.url), { timeout: 5000 }).toEqual(["second"]);
    expect((await ask(served.url, "second")).status).toBe(200);
    expect((await ask(served.url, "first")).status).toBe(404);

    await replace(file, "models: { oops: [\n");
    await expect.poll(() => reloadSuccess(served.adminUrl), { timeout: 5000 }).toBe("0");
    expect(await modelsOf(served.url)).toEqual(["second"]);
    expect((await ask(served.url, "second")).status).toBe(200);
    const told = await served.event("config not taken, the last good one stays");
    expect(JSON.stringify(told.errors)).toMatch(/reload\.yaml:\d+:\d+/);
    served.child.kill("SIGHUP");
    await expect.poll(() => reloads(served.adminUrl, "failure"), { timeout: 5000 }).toBe(2);

    await replace(file, policy("third"));
    served.child.kill("SIGHUP");
    await expect.poll(() => modelsOf(served.url), { timeout: 5000 }).toEqual(["third"]);
    expect(await reloadSuccess(served.adminUrl)).toBe("1");

    await rm(file);
    await expect.poll(() => reloadSuccess(served.adminUrl), { timeout: 5000 }).toBe("0");
    expect((await ask(served.url, "third")).status).toBe(200);
    // The config in force comes back as it was: nothing to change, and nothing wrong any more.
    await replace(file, policy("third"));
    await expect.poll(() => reloadSuccess(served.adminUrl), { timeout: 5000 }).toBe("1");
    served.child.kill("SIGTERM");
    expect(await served.exited).toBe(0);
  });

  test("a hundred reloads under load fail no request, and each answer comes from one config whole", async () => {
    const both = (limit: number) => `
backends: { one: { kind: vllm, url: "${engine.url}", max_concurrent: ${limit} } }
models: { m: { on: [{ backend: one, model: m }], aliases: [alias-${limit}] } }
`;
    const gateway = await startTestGateway({ yaml: () => both(100) });
    let running = true;
    const statuses = new Map<number, number>();
    const finished: boolean[] = [];
    const load = Array.from({ length: 8 }, async (_, client) => {
      while (running) {
        const response = await ask(gateway.url, "m", { stream: client % 2 === 0, max_tokens: 20 });
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        const text = await response.text();
        finished.push(client % 2 === 0 ? text.endsWith("data: [DONE]\n\n") : text.endsWith("}"));
      }
    });
    for (let i = 1; i <= 100; i++) {
      // Every other one changes the backend, which is then another one with connections of its own.
      await gateway.apply(both(100 + (i % 2) * i));
      if (i % 10 === 0) expect(await modelsOf(gateway.url)).toEqual(["alias-100", "m"]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => finished.length).toBeGreaterThan(50);
    running = false;
    await Promise.all(load);
    expect([...statuses.keys()]).toEqual([200]);
    expect(finished.every(Boolean)).toBe(true);
    const text = await gateway.metrics();
    expect(text).toMatch(/^signalbox_config_reloads_total\{result="success"\} 100$/m);
    expect(text).toMatch(/^signalbox_in_flight_requests 0$/m);
    await gateway.close();
  });

  test("a stream under way finishes on the backend that the new config no longer has", async () => {
    const gateway = await startTestGateway({ yaml: slowPolicy });
    const stream = await ask(gateway.url, "s", { stream: true, max_tokens: 30 });
    await gateway.apply(policy("other"));
    expect(await modelsOf(gateway.url)).toEqual(["other"]);
    expect((await ask(gateway.url, "s")).status).toBe(404);
    expect(await stream.text()).toMatch(/"finish_reason":"length".*data: \[DONE\]\n\n$/s);
    expect(await gateway.metrics()).not.toMatch(/signalbox_backend_up\{backend="slow"\}/);
    await gateway.close();
  });
});

describe("stopping", () => {
  test("SIGTERM lets fifty streams finish, takes no new connection, and exits with 0", async () => {
    const served = await serve(await policyFile("drain.yaml", slowPolicy()));
    const streams = await Promise.all(Array.from({ length: 50 }, () => ask(served.url, "s", { stream: true })));
    served.child.kill("SIGTERM");
    await expect.poll(async () => (await fetch(`${served.adminUrl}/readyz`)).status, { interval: 5 }).toBe(503);
    await expect(ask(served.url, "s")).rejects.toThrow();
    const texts = await Promise.all(streams.map((stream) => stream.text()));
    expect(texts.filter((text) => text.endsWith("data: [DONE]\n\n"))).toHaveLength(50);
    const began = performance.now();
    expect(await served.exited).toBe(0);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(served.lines.filter(({ event, outcome }) => event === "request" && outcome === "ok")).toHaveLength(50);
    expect(served.lines.find(({ event }) => event === "draining")).toMatchObject({ in_flight: 50 });
  });

  test("SIGINT drains too; a second signal stops at once, and no cut stream looks complete", async () => {
    const served = await serve(await policyFile("cut.yaml", slowPolicy()));
    const streams = await Promise.all(
      Array.from({ length: 5 }, () => ask(served.url, "s", { stream: true, max_tokens: 4000 })),
    );
    const ends = streams.map((stream) => stream.text().catch(() => "cut"));
    served.child.kill("SIGINT");
    await served.event("draining");
    const began = performance.now();
    served.child.kill("SIGTERM");
    await served.exited;
    expect(performance.now() - began).toBeLessThan(1500);
    for (const text of await Promise.all(ends)) expect(text).not.toContain("[DONE]");
  });

  test("streams that outlast the drain time are cut", async () => {
    const file = await policyFile(
      "short.yaml",
      `server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, drain_delay: 0s, drain: 200ms }\n${slowPolicy()}`,
    );
    const served = await serve(file);
    const stream = await ask(served.url, "s", { stream: true, max_tokens: 4000 });
    const end = stream.text().catch(() => "cut");
    served.child.kill("SIGTERM");
    expect(await served.exited).toBe(0);
    expect(await end).not.toContain("[DONE]");
  });
});

describe("while it runs", () => {
  test("a log that nobody reads any more holds up nothing", async () => {
    const served = await serve(await policyFile("mute.yaml", policy("m")));
    served.child.stdout?.destroy();
    for (let i = 0; i < 30; i++) expect((await ask(served.url, "m")).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 300)); // Longer than the log's own pause between writes.
    expect((await ask(served.url, "m")).status).toBe(200);
    served.child.kill("SIGTERM");
    expect(await served.exited).toBe(0);
  });

  test("an error that nobody caught ends nothing but itself, and is told", async () => {
    const faulty = `process.on("SIGUSR2", () => { Promise.reject(new Error("left alone")); setTimeout(() => { throw new Error("thrown alone"); }); });`;
    const file = await policyFile("faulty.yaml", slowPolicy());
    const served = await serve(file, "--import", `data:text/javascript,${encodeURIComponent(faulty)}`);
    const stream = await ask(served.url, "s", { stream: true, max_tokens: 30 });
    served.child.kill("SIGUSR2");
    const told = await served.event("an error that nobody caught");
    expect(told.error).toMatch(/left alone|thrown alone/);
    expect(await stream.text()).toMatch(/data: \[DONE\]\n\n$/);
    expect((await ask(served.url, "s", { max_tokens: 1 })).status).toBe(200);
    served.child.kill("SIGTERM");
    expect(await served.exited).toBe(0);
  });
});

test("an IPv6 address is shown as a client can use it", async () => {
  const file = await policyFile("six.yaml", `server: { listen: "[::1]:0", admin: "127.0.0.1:0" }\n${policy("m")}`);
  const served = await serve(file);
  expect(served.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  expect((await ask(served.url, "m")).status).toBe(200);
});

describe("starting", () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [main, ...args]).then(
      () => ({ code: 0, stderr: "" }),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
    );
  let taken: Server;
  afterEach(() => taken?.close());

  test("a config with errors is refused with each of them, and nothing listens", async () => {
    const file = await policyFile("broken.yaml", "backends: { one: { kind: vlm, url: 7 } }\nmodels: {}\n");
    const { code, stderr } = await run("serve", "--config", file);
    expect(code).toBe(1);
    expect(stderr).toMatch(/broken\.yaml:3:\d+: .*kind.*vllm/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test("a config that is open to the network without keys is refused", async () => {
    const file = await policyFile("open.yaml", `server: { listen: "0.0.0.0:0" }\n${policy("m")}`);
    const { code, stderr } = await run("serve", "--config", file);
    expect(code).toBe(1);
    expect(stderr).toMatch(/teams/);
  });

  test("a missing file and a taken address are told in one line", async () => {
    const missing = await run("serve", "--config", path.join(folder, "none.yaml"));
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/^signalbox: .*none\.yaml: there is no such file\n$/);
    taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { port: number };
    const file = await policyFile(
      "taken.yaml",
      `server: { listen: "127.0.0.1:${port}", admin: "127.0.0.1:0" }\n${policy("m")}`,
    );
    const busy = await run("serve", "--config", file);
    expect(busy.code).toBe(1);
    expect(busy.stderr).toMatch(new RegExp(`^signalbox: .*${port}.*\n$`));
  });

  test("wrong words on the command line are told, with exit code 2", async () => {
    const ends = await Promise.all([run(), run("sevre"), run("serve", "--port", "1"), run("keys", "delete")]);
    expect(ends.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
    expect(ends[1]?.stderr).toMatch(/sevre.*serve/);
    expect(ends[2]?.stderr).toContain("--port");
    expect(ends[3]?.stderr).toContain("create");
  });
});

async function reloads(adminUrl: string, result: "success" | "failure"): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(
    new RegExp(`^signalbox_config_reloads_total\\{result="${result}"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0,
  );
}
