import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAuditLog } from "../audit/audit-log.ts";
import { createMetrics } from "../signals/metrics.ts";
import { audit } from "./audit.ts";
import { UsageError } from "./command.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "signalbox-audit-"));
  file = path.join(folder, "audit.jsonl");
  const log = createAuditLog({ file, log: { info() {}, warn() {} }, metrics: createMetrics(), now: () => 0 });
  const entry = { actor: "ops", role: "admin", address: null, action: "backend.open", before: null, after: null };
  for (const target of ["a", "b", "c"]) await log.record({ ...entry, target, result: "ok" });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string }> {
  const lines: string[] = [];
  const out = vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
  const err = vi.spyOn(console, "error").mockImplementation((line) => void lines.push(line));
  try {
    return { code: await audit.run(args), out: lines.join("\n") };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

test("a whole file gives its count, first and last time and head, and 0", async () => {
  const records = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const { code, out } = await run("verify", file);
  expect(code).toBe(0);
  expect(out).toBe(`${file}: whole: 3 records, ${records[0].time} to ${records[2].time}\nhead ${records[2].hash}`);
  expect((await run("verify", file, "--expect", records[2].hash.toUpperCase())).code).toBe(0);
});

test("a broken line is told by its number, and gives 1", async () => {
  writeFileSync(file, readFileSync(file, "utf8").replace('"target":"b"', '"target":"x"'));
  expect(await run("verify", file)).toEqual({ code: 1, out: `${file}:2: broken: its hash is not that of its text` });
});

test("an end that was cut off shows against the head that was noted", async () => {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const { hash } = JSON.parse(lines[2]!);
  writeFileSync(file, `${lines.slice(0, 2).join("\n")}\n`);
  expect((await run("verify", file)).code).toBe(0);
  expect(await run("verify", file, "--expect", hash)).toMatchObject({
    code: 1,
    out: expect.stringContaining("another one"),
  });
});

test.each([
  [[]],
  [["show"]],
  [["verify"]],
  [["verify", "a", "b"]],
  [["verify", "none"]],
  [["verify", "a", "--expect", "1"]],
])("of the words %j something is wrong", async (words) => {
  await expect(audit.run(words)).rejects.toThrow(UsageError);
});
