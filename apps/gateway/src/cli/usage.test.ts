import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { loadConfig } from "../config/load.ts";
import { createConnection } from "../store/connection.ts";
import { startRedis, type TestRedis } from "../store/test-redis.ts";
import { createRedisLedger } from "../usage/redis-ledger.ts";
import { entry } from "../usage/test-entry.ts";
import { type UsageEntry, usageLine } from "../usage/usage-entry.ts";
import { UsageError } from "./command.ts";
import { usage } from "./usage.ts";

let folder: string;

/** What the command prints, and what it ends with. */
async function run(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const lines: { out: string[]; err: string[] } = { out: [], err: [] };
  const out = vi.spyOn(console, "log").mockImplementation((line) => void lines.out.push(line));
  const err = vi.spyOn(console, "error").mockImplementation((line) => void lines.err.push(line));
  try {
    const code = await usage.run(args).catch((error: Error) => {
      lines.err.push(error.message);
      return error instanceof UsageError ? 2 : 3;
    });
    return { code, out: lines.out.join("\n"), err: lines.err.join("\n") };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

const at = (time: string, own: Partial<UsageEntry>): UsageEntry => entry({ time: Date.parse(time), ...own });
const entries = [
  at("2026-11-20T10:00:00Z", { team: "search", model: "large", cost: 1_500_000_000, gpuMs: 1500 }),
  at("2026-11-20T11:00:00Z", { team: "search", model: "small", input: 1, output: 2, cached: 1, key: "" }),
  at("2026-11-21T10:00:00Z", { team: "payments", model: "large", cost: 250_000_001, gpuMs: 250 }),
];

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "signalbox-cli-usage-"));
  writeFileSync(`${folder}/2026-11-20.jsonl`, `${usageLine(entries[0]!)}\n${usageLine(entries[1]!)}\n{"time":"20`);
  writeFileSync(`${folder}/2026-11-21.jsonl`, `${usageLine(entries[2]!)}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("shows a row for each group and the total, and says what was torn", async () => {
  const { out, err, code } = await run("--by", "team,model", folder);
  expect(code).toBe(0);
  expect(out.split("\n")).toEqual([
    "TEAM      MODEL  REQUESTS  INPUT TOKENS  OUTPUT TOKENS  TOTAL TOKENS  CACHED TOKENS  REASONING TOKENS         COST  GPU SECONDS",
    "payments  large         1           100             20           120              0                 0  0.250000001         0.25",
    "search    large         1           100             20           120              0                 0          1.5          1.5",
    "search    small         1             1              2             3              1                 0            0            0",
    "total                   3           201             42           243              1                 0  1.750000001         1.75",
  ]);
  expect(err).toBe(`${folder}/2026-11-20.jsonl: 1 lines are no entries and were left out`);
});

test("writes CSV for spreadsheets and JSON for programs, of a team and a time", async () => {
  const files = [`${folder}/2026-11-20.jsonl`, `${folder}/2026-11-21.jsonl`];
  const csv = await run("--by", "day,key", "--csv", "--team", "search", ...files);
  expect(csv.out.split("\r\n")).toEqual([
    "day,key,requests,input_tokens,output_tokens,total_tokens,cached_tokens,reasoning_tokens,cost,gpu_seconds",
    "2026-11-20,,1,1,2,3,1,0,0,0",
    "2026-11-20,k1,1,100,20,120,0,0,1.5,1.5",
  ]);
  const json = await run("--json", "--by", "hour", "--since", "2026-11-20T10:30:00Z", "--until", "2026-11-21", folder);
  expect(JSON.parse(json.out)).toEqual({
    by: ["hour"],
    rows: [expect.objectContaining({ hour: "2026-11-20T11", requests: 1, total_tokens: 3, cost: "0" })],
    total: expect.objectContaining({ requests: 1, input_tokens: 1 }),
  });
});

test.each([
  [["--by", "colour"], "--by knows team, key"],
  [["--since", "yesterday"], "--since needs 7d"],
  [["--since", "1d", "--until", "2d"], "--since lies behind --until"],
  [["--csv", "--json"], "not both"],
  [["/nowhere.jsonl"], "/nowhere.jsonl: there is no such file or folder"],
])("%j is refused with what is wrong", async (args, words) => {
  const { err, code } = await run(...args);
  expect(err).toContain(words);
  expect(code).toBe(2);
});

const policy = (more: string): string => `version: 1
backends: { gpu: { kind: vllm, url: "http://127.0.0.1:8000" } }
models: { large: { on: [{ backend: gpu }] } }
${more}
`;

test("finds the ledger by the policy file: a folder, or none", async () => {
  writeFileSync(`${folder}/files.yaml`, policy("usage: { folder: . }"));
  writeFileSync(`${folder}/none.yaml`, policy(""));
  expect((await run("--config", `${folder}/files.yaml`, "--by", "", "--csv")).out.split("\r\n")[1]).toMatch(
    /^3,201,42,243/,
  );
  const none = await run("--config", `${folder}/none.yaml`);
  expect([none.code, none.err]).toEqual([
    1,
    `${folder}/none.yaml: usage is not written down: name a usage.folder, or share a Redis`,
  ]);
});

test("reads the streams of a Redis that replicas share, and says when there is none", async () => {
  const redis: TestRedis = await startRedis();
  try {
    const text = policy(`store: redis://127.0.0.1:${redis.port}`);
    writeFileSync(`${folder}/redis.yaml`, text);
    const loaded = await loadConfig(text, { env: {}, fileName: "redis.yaml" });
    if (!loaded.ok || loaded.config.store === "memory") throw new Error("not the config that was meant");
    const connection = createConnection(loaded.config.store);
    const ledger = createRedisLedger({ connection, keepDays: 92, onProblem: expect.unreachable });
    await expect.poll(() => connection.connected).toBe(true);
    for (const one of [1, 2, 3]) ledger.enter(entry({ time: Date.now(), cost: one }));
    await ledger.close();
    connection.close();
    const { out } = await run("--config", `${folder}/redis.yaml`, "--since", "1h", "--csv");
    expect(out.split("\r\n")[1]).toBe("search,large,3,300,60,360,0,0,0.000000006,0");
  } finally {
    await redis.close();
  }
  const { err, code } = await run("--config", `${folder}/redis.yaml`);
  expect(err).toContain("Redis: ");
  expect(code).toBe(1);
}, 20_000);
