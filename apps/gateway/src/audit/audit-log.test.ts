import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMetrics } from "../signals/metrics.ts";
import { readAuditChain } from "./audit-chain.ts";
import { type AuditEntry, type AuditRecord, noHash } from "./audit-line.ts";
import { type AuditLog, createAuditLog } from "./audit-log.ts";

let folder: string;
let file: string;
let told: [string, Record<string, unknown> | undefined][];
let metrics: ReturnType<typeof createMetrics>;
let time: number;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "signalbox-audit-"));
  file = path.join(folder, "audit.jsonl");
  told = [];
  metrics = createMetrics();
  time = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tell = (event: string, facts?: Record<string, unknown>): void => void told.push([event, facts]);
const openLog = (): AuditLog => createAuditLog({ file, log: { info: tell, warn: tell }, metrics, now: () => time });
const entry = (target: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  actor: "ops",
  role: "operator",
  address: "127.0.0.1",
  action: "backend.drain",
  target,
  before: "auto",
  after: "drain",
  result: "ok",
  ...more,
});
const records = (): AuditRecord[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as AuditRecord);

async function write(count: number, log = openLog()): Promise<AuditLog> {
  for (let i = 0; i < count; i++) await log.record(entry(`b${i}`));
  return log;
}

describe("a chain", () => {
  test("has the hash of each line in the next one, and goes on after a restart", async () => {
    await write(3);
    await write(2);
    const all = records();
    expect(all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(all[0]).toEqual({
      ...entry("b0"),
      seq: 1,
      time: expect.any(String),
      prev: noHash,
      hash: expect.any(String),
    });
    for (const [index, { prev }] of all.entries()) if (index > 0) expect(prev).toBe(all[index - 1]!.hash);
    expect(await readAuditChain(file)).toMatchObject({
      records: 5,
      broken: undefined,
      head: all[4]!.hash,
      first: all[0]!.time,
      last: all[4]!.time,
    });
    expect(told).toEqual([["audit chain continues", { file, records: 3, head: all[2]!.hash }]]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("holds entries that come all at once in their order", async () => {
    const log = openLog();
    await Promise.all(Array.from({ length: 20 }, (_, i) => log.record(entry(`b${i}`))));
    expect(records().map(({ target }) => target)).toEqual(Array.from({ length: 20 }, (_, i) => `b${i}`));
    expect((await readAuditChain(file)).broken).toBeUndefined();
  });

  test("is found whole from any byte of the file on", async () => {
    await write(4);
    const { head } = await readAuditChain(file);
    for (let from = 0; from < statSync(file).size - 400; from += 7) {
      expect(await readAuditChain(file, from)).toMatchObject({ broken: undefined, head, seq: 4 });
    }
  });

  test("shows every byte that was changed, by its line", async () => {
    await write(3);
    const text = readFileSync(file);
    let line = 1;
    for (let at = 0; at < text.length; at++) {
      const changed = Buffer.from(text);
      changed[at] = changed[at]! ^ 1;
      writeFileSync(file, changed);
      const { broken } = await readAuditChain(file);
      expect(broken?.line, `byte ${at}`).toBe(line);
      if (text[at] === 0x0a) line++;
    }
  });

  test.each([
    ["taken out", (lines: string[]) => lines.splice(1, 1), 2],
    ["swapped", (lines: string[]) => lines.splice(1, 2, lines[2]!, lines[1]!), 2],
    ["there twice", (lines: string[]) => lines.splice(1, 0, lines[1]!), 3],
    ["taken out at the beginning", (lines: string[]) => lines.splice(0, 1), 1],
  ])("shows a line that was %s", async (_, change, line) => {
    await write(4);
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    change(lines);
    writeFileSync(file, `${lines.join("\n")}\n`);
    expect((await readAuditChain(file)).broken?.line).toBe(line);
  });

  test("ends in another hash when its last lines are cut off", async () => {
    await write(3);
    const { head } = await readAuditChain(file);
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    writeFileSync(file, `${lines.slice(0, 2).join("\n")}\n`);
    const cut = await readAuditChain(file);
    expect(cut).toMatchObject({ broken: undefined, records: 2 });
    expect(cut.head).not.toBe(head);
  });
});

describe("an end that is not as it was left", () => {
  test("torn anywhere in its last line is told, and a segment links to what is left of it", async () => {
    await write(2);
    const whole = readFileSync(file);
    const second = whole.indexOf(0x0a) + 1;
    for (let size = second + 1; size < whole.length; size += 11) {
      writeFileSync(file, whole.subarray(0, size));
      expect(await readAuditChain(file)).toMatchObject({ broken: { line: 2 }, tornEnd: true });
      told = [];
      await write(2);
      expect(told[0]).toEqual([
        "audit file is not as it was left: a new segment begins behind its end",
        expect.anything(),
      ]);
      const chain = await readAuditChain(file);
      expect(chain, `cut at ${size}`).toMatchObject({ broken: undefined, untold: undefined });
      expect(records().find(({ action }) => action === "segment")).toMatchObject({ result: "torn", actor: "process" });
      await write(1);
      expect((await readAuditChain(file)).broken).toBeUndefined();
    }
  });

  test("tampered with is told once, and stays broken for who verifies", async () => {
    await write(3);
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace('"target":"b2"', '"target":"b9"'));
    await write(1);
    await write(1);
    expect(told.filter(([event]) => event.startsWith("audit file is not"))).toHaveLength(1);
    expect(records().filter(({ action }) => action === "segment")).toMatchObject([{ result: "tampered" }]);
    expect(await readAuditChain(file)).toMatchObject({ broken: { line: 3 }, untold: undefined });
  });

  test("a line that looks torn and is told of by nobody is broken", async () => {
    await write(3);
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    lines[1] = lines[1]!.slice(0, 40);
    writeFileSync(file, `${lines.join("\n")}\n`);
    expect((await readAuditChain(file)).broken?.line).toBe(2);
  });

  test("in a file that was moved away goes on in a new one, which links to it", async () => {
    const log = await write(2);
    const { head } = await readAuditChain(file);
    renameSync(file, `${file}.1`);
    await write(2, log);
    expect(await readAuditChain(file)).toMatchObject({ broken: undefined, begunBehind: head, records: 3 });
  });

  test("that another process wrote is told, and gone on from", async () => {
    const log = await write(1);
    await write(1);
    await write(1, log);
    expect(told.map(([event]) => event)).toContain(
      "audit file was written by somebody else: each replica wants a file of its own",
    );
    expect(await readAuditChain(file)).toMatchObject({ broken: undefined, records: 3 });
  });
});

describe("an action", () => {
  test("that cannot be written is refused, and written again once it can be", async () => {
    const log = await write(1);
    const { mode } = statSync(file);
    rmSync(file);
    writeFileSync(`${folder}/file`, "");
    const gone = createAuditLog({
      file: `${folder}/file/audit`,
      log: { info: tell, warn: tell },
      metrics,
      now: () => 0,
    });
    await expect(gone.record(entry("b"))).rejects.toMatchObject({ code: "audit_unavailable", status: 503 });
    await expect(gone.around(entry("b"), async () => expect.unreachable())).rejects.toMatchObject({
      code: "audit_unavailable",
    });
    expect(metrics.counter("signalbox_audit_records_total", { result: "failed" }).value).toBe(2);
    await write(1, log);
    expect(mode & 0o777).toBe(0o600);
    expect(await readAuditChain(file)).toMatchObject({ broken: undefined, records: 2 });
    chmodSync(file, 0o600);
  });

  test("is refused while the disk is full", async () => {
    const full = createAuditLog({ file: "/dev/full", log: { info: tell, warn: tell }, metrics, now: () => 0 });
    await expect(full.record(entry("b"))).rejects.toThrow("ENOSPC");
  });

  test("that can fail is begun before and ended behind it", async () => {
    const log = openLog();
    const seen = await log.around(entry("a"), async () => records().map(({ result }) => result));
    expect(seen).toEqual(["begun"]);
    await expect(log.around(entry("b"), () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(records().map(({ target, result }) => [target, result])).toEqual([
      ["a", "begun"],
      ["a", "ok"],
      ["b", "begun"],
      ["b", "failed"],
    ]);
  });

  test("that was refused is noted thirty times at once, then every ten seconds, with how many were left out", async () => {
    const log = openLog();
    for (let i = 0; i < 1000; i++) log.refused(entry("b", { result: "invalid_api_key" }));
    await log.flush();
    expect(records()).toHaveLength(30);
    time += 10_000;
    for (let i = 0; i < 10; i++) log.refused(entry("c", { result: "invalid_api_key" }));
    await log.flush();
    expect(records().slice(30)).toMatchObject([{ target: "c", after: { left_out_before: 970 } }]);
  });

  test("whose last line was written in part is gone on behind", async () => {
    const log = await write(2);
    truncateSync(file, statSync(file).size - 20);
    await write(1, log);
    expect(await readAuditChain(file)).toMatchObject({ broken: undefined, torn: 1 });
    appendFileSync(file, '{"seq":');
    await write(1, log);
    expect(await readAuditChain(file)).toMatchObject({ broken: undefined, torn: 2 });
  });
});
