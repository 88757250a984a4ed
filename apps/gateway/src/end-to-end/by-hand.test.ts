import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { SimulatorInput } from "@signalbox/simulator";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { backends as backendsCommand } from "../cli/backends.ts";
import { UsageError } from "../cli/command.ts";
import { statusTable } from "../cli/status.ts";
import { until } from "../faults/fault-pool.ts";
import { chunkOf, LAST_CHUNK, STREAM_HEAD, startRawUpstream } from "../faults/raw-upstream.ts";
import type { BackendStatus, Status } from "../routes/status.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const chat = "/v1/chat/completions";
const hi = (more = {}) => ({ model: "m", messages: [{ role: "user", content: "hi" }], ...more });

type Pool = TestGateway<"one" | "two">;

const policy = (urls: Readonly<Record<"one" | "two", string>>, more = "") => `
backends: { one: { kind: vllm, url: "${urls.one}" }, two: { kind: vllm, url: "${urls.two}" } }
models: { m: { on: [{ backend: one }, { backend: two }], strategy: ordered }, alone: { on: [{ backend: one, model: m }] } }
defaults: { probe: { interval: 60s }, timeouts: { idle: 60s } }
${more}`;

const eventOf = (choice: object): string => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;

async function startTwo(server = "", tokensPerSecond = 1000): Promise<Pool> {
  const script = [{ reply: { deltas: Array.from({ length: 60 }, (_, index) => `w${index} `) } }];
  const engine: SimulatorInput = { kind: "vllm", models: ["m"], tokensPerSecond, script };
  const pool: Pool = await startTestGateway({
    engines: { one: engine, two: engine },
    yaml: (urls) => policy(urls, server),
  });
  onTestFinished(() => pool.close());
  return pool;
}

/** `signalbox backends ...` in a process of its own. */
function spawnBackends(pool: Pool, args: readonly string[]) {
  const child: ChildProcess = spawn(process.execPath, [main, "backends", ...args, "--admin", pool.adminUrl]);
  const told = { out: "", err: "" };
  child.stdout!.on("data", (chunk) => (told.out += chunk));
  child.stderr!.on("data", (chunk) => (told.err += chunk));
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { told, exit };
}

/** The same command within this process: what it tells, and its exit code once it has ended. */
function backends(pool: Pool, args: readonly string[]) {
  const told = { out: "", err: "" };
  const out = vi.spyOn(console, "log").mockImplementation((line) => {
    told.out += `${line}\n`;
  });
  const err = vi.spyOn(console, "error").mockImplementation((line) => {
    told.err += `${line}\n`;
  });
  const exit = backendsCommand.run([...args, "--admin", pool.adminUrl]).finally(() => {
    out.mockRestore();
    err.mockRestore();
  });
  return { told, exit };
}

async function run(pool: Pool, args: readonly string[]) {
  const { told, exit } = backends(pool, args);
  return { code: await exit, ...told };
}

async function change(pool: Pool, name: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${pool.adminUrl}/backends/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const answer = (await response.json()) as BackendStatus & { error?: { code: string; message: string } };
  return { status: response.status, answer };
}

async function statusOf(pool: Pool, name: string): Promise<BackendStatus> {
  const status = (await (await fetch(`${pool.adminUrl}/status`)).json()) as Status;
  return status.backends.find((backend) => backend.name === name)!;
}

const answeredBy = async (pool: Pool, more = {}) => {
  const response = await pool.post(chat, hi(more));
  return { status: response.status, by: response.headers.get("x-signalbox-backend"), text: await response.text() };
};

describe("drain", () => {
  test("lets a stream under way finish, sends new requests elsewhere, and ends when the last has finished", {
    // A process that starts beside the whole suite takes its time.
    timeout: 60_000,
  }, async () => {
    let finish = (): void => {};
    const engine = await startRawUpstream(({ socket }) => {
      socket.write(STREAM_HEAD + chunkOf(eventOf({ delta: { content: "well" }, finish_reason: null })));
      finish = () => {
        socket.write(chunkOf(`${eventOf({ delta: {}, finish_reason: "stop" })}data: [DONE]\n\n`) + LAST_CHUNK);
      };
    });
    const pool: Pool = await startTestGateway({
      engines: { one: { kind: "vllm" }, two: { kind: "vllm", models: ["m"] } },
      yaml: ({ two }) => policy({ one: engine.url, two }),
    });
    onTestFinished(() => pool.close());
    const stream = await pool.post(chat, hi({ stream: true }));
    expect(stream.headers.get("x-signalbox-backend")).toBe("one");
    const { told, exit } = spawnBackends(pool, ["drain", "one"]);
    await until(() => told.out !== "", 50_000, "the command has told something");
    expect(told.out).toBe("one: draining, 1 under way\n");
    expect(await answeredBy(pool, { max_tokens: 1 })).toMatchObject({ status: 200, by: "two" });
    expect(await statusOf(pool, "one")).toMatchObject({ override: "drain", in_flight: 1, breaker: "closed" });
    finish();
    expect(await stream.text()).toMatch(/data: \[DONE\]\n\n$/);
    expect(await exit).toBe(0);
    expect(told).toEqual({ out: "one: draining, 1 under way\none: drained\n", err: "" });
    expect(await pool.metrics()).toContain('signalbox_backend_override{backend="one",override="drain"} 1\n');
  });

  test("tells a client whom nobody else can answer why, and forces nothing", async () => {
    const pool = await startTwo();
    expect(await run(pool, ["drain", "one"])).toMatchObject({ code: 0, out: "one: drained\n" });
    const { status, text } = await answeredBy(pool, { model: "alone" });
    expect(status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({
      error: { code: "backends_unavailable", message: "no backend is available: one (draining)" },
    });
    expect(pool.engines.one.log.filter(({ method }) => method === "POST")).toEqual([]);
    expect(await run(pool, ["auto", "one"])).toMatchObject({ code: 0, out: "one: left to itself, 0 under way\n" });
    expect(await answeredBy(pool, { model: "alone" })).toMatchObject({ status: 200, by: "one" });
    expect(await pool.metrics()).not.toContain("signalbox_backend_override{");
  });

  test("ends with 1 when it takes too long, and at once with --no-wait; the backend drains on", async () => {
    const pool = await startTwo("", 2);
    const stream = await pool.post(chat, hi({ stream: true, max_tokens: 500 }));
    expect(await run(pool, ["drain", "one", "--timeout", "100ms"])).toEqual({
      code: 1,
      out: "one: draining, 1 under way\n",
      err: "one: 1 still under way after 100 ms; it goes on draining\n",
    });
    expect(await run(pool, ["drain", "one", "--no-wait"])).toEqual({
      code: 0,
      out: "one: draining, 1 under way\n",
      err: "",
    });
    expect((await statusOf(pool, "one")).override).toBe("drain");
    await stream.body!.cancel();
  });

  test("ends with 1 when a reload gives the backend back", async () => {
    const pool = await startTwo("", 2);
    const stream = await pool.post(chat, hi({ stream: true, max_tokens: 500 }));
    const { told, exit } = backends(pool, ["drain", "one"]);
    await until(() => told.out !== "", 20_000, "the command has told something");
    await pool.apply(policy({ one: pool.engines.one.url, two: pool.engines.two.url }, "routing: [{ use: m }]"));
    expect(await exit).toBe(1);
    expect(told.err).toBe("one: drains no more: a reload, or another hand, has given it back\n");
    await stream.body!.cancel();
  });
});

test("open and close: the breaker is where the operator put it, and each action is a line of the log", async () => {
  const pool = await startTwo();
  expect(await change(pool, "one", { action: "open" })).toMatchObject({
    status: 200,
    answer: { name: "one", override: "open", breaker: "open", deployments: [{ unfit: "opened_by_hand" }] },
  });
  expect(await answeredBy(pool)).toMatchObject({ by: "two" });
  expect(await pool.metrics()).toContain('signalbox_breaker_state{backend="one",model="m"} 1\n');
  const alone = await answeredBy(pool, { model: "alone" });
  expect(alone.text).toContain("no backend is available: one (opened_by_hand)");

  await change(pool, "one", { action: "close" });
  pool.engines.one.fault({ kind: "status", status: 500 });
  for (let round = 0; round < 8; round++) expect(await answeredBy(pool)).toMatchObject({ status: 200, by: "two" });
  expect(await statusOf(pool, "one")).toMatchObject({ override: "close", breaker: "closed" });
  expect(pool.engines.one.log.filter(({ method }) => method === "POST").length).toBeGreaterThanOrEqual(8);

  await change(pool, "one", { action: "auto" });
  for (let round = 0; round < 3; round++) await answeredBy(pool);
  expect(await statusOf(pool, "one")).toMatchObject({ override: null, breaker: "open" });
  const lines = pool.logLines().map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.filter(({ event }) => event === "backend set by hand")).toEqual([
    expect.objectContaining({ level: 40, backend: "one", action: "open", before: "auto", in_flight: 0 }),
    expect.objectContaining({ level: 40, backend: "one", action: "close", before: "open", in_flight: 0 }),
    expect.objectContaining({ level: 40, backend: "one", action: "auto", before: "close", in_flight: 0 }),
  ]);
});

test("a reload gives back what was set by hand, says so, and keeps what was learned", async () => {
  const pool = await startTwo();
  pool.engines.two.fault({ kind: "status", status: 500 });
  await change(pool, "one", { action: "open" });
  for (let round = 0; round < 4; round++) await answeredBy(pool);
  expect(await statusOf(pool, "two")).toMatchObject({ breaker: "open" });
  await change(pool, "two", { action: "drain" });
  await pool.apply(policy({ one: pool.engines.one.url, two: pool.engines.two.url }, "routing: [{ use: m }]"));
  expect(await statusOf(pool, "one")).toMatchObject({ override: null, breaker: "half_open" });
  expect(await statusOf(pool, "two")).toMatchObject({ override: null, breaker: "open" });
  expect(await answeredBy(pool)).toMatchObject({ status: 200, by: "one" });
  const lines = pool.logLines().map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.filter(({ event }) => String(event).startsWith("set by hand no more"))).toEqual([
    expect.objectContaining({ backend: "one", was: "open" }),
    expect.objectContaining({ backend: "two", was: "drain" }),
  ]);
});

test("`backends list` and `status` show what is set, for each model", async () => {
  const pool = await startTwo();
  await change(pool, "two", { action: "drain" });
  const { out, code } = await run(pool, ["list"]);
  const [head, ...rows] = out.trimEnd().split("\n");
  expect(code).toBe(0);
  expect(head).toMatch(/^BACKEND +BY HAND +HEALTH +IN FLIGHT +MODEL +BREAKER +NOT TRIED FOR$/);
  expect(rows[0]).toMatch(/^one +- +ready +0 +m +closed +-$/);
  expect(rows[1]).toMatch(/^two +drain +ready +0 +m +closed +draining$/);
  const status = (await (await fetch(`${pool.adminUrl}/status`)).json()) as Status;
  expect(statusTable(status)).toMatch(/^two +vllm +ready +drain by hand, closed +0 /m);
});

test.each([
  { words: [], says: "list, drain, open, close, auto" },
  { words: ["kill", "one"], says: "list, drain, open, close, auto" },
  { words: ["drain", "one", "two"], says: "list, drain, open, close, auto" },
  { words: ["drain"], says: "wants a name" },
  { words: ["list", "one"], says: "takes no name" },
  { words: ["drain", "one", "--timeout", "5"], says: "--timeout 5" },
  { words: ["drain", "one", "--token-file", "/no/such/file"], says: "ENOENT" },
])("`backends $words` is a mistake of words, and asks nobody", async ({ words, says }) => {
  const failure = await backendsCommand.run([...words, "--admin", "127.0.0.1:1"]).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(UsageError);
  expect((failure as UsageError).message).toContain(says);
});

describe("what is refused", () => {
  test("unknown backends, actions and words, with what there is", async () => {
    const pool = await startTwo();
    expect(await change(pool, "three", { action: "drain" })).toMatchObject({
      status: 404,
      answer: { error: { code: "route_not_found", message: 'there is no backend "three": one, two' } },
    });
    for (const body of [{ action: "kill" }, { action: "drain", force: true }, {}, [], "{", "", "null"]) {
      expect(await change(pool, "one", body)).toMatchObject({
        status: 400,
        answer: { error: { code: "invalid_request" } },
      });
    }
    const large = await change(pool, "one", { action: "drain", why: "x".repeat(5000) });
    expect(large).toMatchObject({ status: 413, answer: { error: { code: "request_too_large" } } });
    expect((await fetch(`${pool.adminUrl}/backends/one`)).status).toBe(404);
    expect(await run(pool, ["drain", "three"])).toMatchObject({
      code: 1,
      err: 'there is no backend "three": one, two\n',
    });
    expect((await statusOf(pool, "one")).override).toBeNull();
  });

  test("a page in the operator's browser, over the real socket: another origin, a name that it rebinds, a form", async () => {
    const pool = await startTwo();
    const strangers = [{ origin: "http://evil.example" }, { "content-type": "text/plain" }];
    for (const headers of strangers) {
      const { status } = await change(pool, "one", { action: "drain" }, headers as Record<string, string>);
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect((await statusOf(pool, "one")).override).toBeNull();
    expect(pool.logLines().filter((line) => line.includes("change refused"))).toHaveLength(2);
  });

  test("everything on a listener that others can reach, until there is a token; reading stays open", async () => {
    const open = "server: { listen: 127.0.0.1:0, admin: 0.0.0.0:0 }";
    const pool = await startTwo(open);
    expect(await change(pool, "one", { action: "drain" })).toMatchObject({
      status: 403,
      answer: { error: { code: "change_not_allowed", message: expect.stringContaining("server.admin_tokens") } },
    });
    expect((await run(pool, ["drain", "one"])).err).toContain("server.admin_tokens");

    const folder = mkdtempSync(path.join(tmpdir(), "signalbox-token-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, "token");
    writeFileSync(file, "canary-admin-token\n");
    const urls = { one: pool.engines.one.url, two: pool.engines.two.url };
    await pool.apply(policy(urls, open.replace(" }", `, admin_token_file: ${JSON.stringify(file)} }`)));
    expect((await change(pool, "one", { action: "drain" })).status).toBe(401);
    expect((await change(pool, "one", { action: "drain" }, { authorization: "Bearer wrong" })).status).toBe(401);
    expect((await run(pool, ["drain", "one"])).code).toBe(1);
    expect((await statusOf(pool, "one")).override).toBeNull();
    expect((await run(pool, ["drain", "one", "--token-file", file])).code).toBe(0);
    expect((await statusOf(pool, "one")).override).toBe("drain");
    vi.stubEnv("SIGNALBOX_ADMIN_TOKEN", "canary-admin-token");
    onTestFinished(() => void vi.unstubAllEnvs());
    expect((await run(pool, ["auto", "one"])).code).toBe(0);
    expect((await statusOf(pool, "one")).override).toBeNull();
    const told = [...pool.logLines(), await pool.metrics(), JSON.stringify(await statusOf(pool, "one"))].join("\n");
    expect(told).not.toContain("canary-admin-token");
  });
});
