import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { totalsOf } from "./day-totals.ts";
import { createFileLedger } from "./file-ledger.ts";
import { entry } from "./test-entry.ts";
import { DAY_MS, type UsageEntry, usageLine } from "./usage-entry.ts";
import { readUsageFile, readUsageFolder } from "./usage-files.ts";

let folder: string;
let problems: string[];

beforeEach(() => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), "signalbox-usage-")), "usage");
  problems = [];
});
afterEach(() => rmSync(path.dirname(folder), { recursive: true, force: true }));

const open = (keepDays = 92) => createFileLedger({ folder, keepDays, onProblem: (problem) => problems.push(problem) });
const noon = entry().time;
const always = { from: 0, until: Number.POSITIVE_INFINITY };

async function readAll(range = always): Promise<{ entries: UsageEntry[]; torn: number }> {
  const read = { entries: [] as UsageEntry[], torn: 0 };
  await readUsageFolder(folder, range, {
    onEntry: (one) => read.entries.push(one),
    onTorn: () => {
      read.torn++;
    },
  });
  return read;
}

test("entries are written down, one file a day, for their owner alone", async () => {
  const ledger = open();
  const entries = [
    entry({ id: "a" }),
    entry({ id: "b", time: noon + DAY_MS }),
    entry({ id: "c", time: noon + DAY_MS }),
  ];
  for (const one of entries) ledger.enter(one);
  await ledger.close();
  expect(readdirSync(folder)).toEqual(["2026-11-21.jsonl", "2026-11-21.totals.json", "2026-11-22.jsonl"]);
  expect(statSync(`${folder}/2026-11-21.jsonl`).mode & 0o777).toBe(0o600);
  expect(await readAll()).toEqual({ entries, torn: 0 });
  expect(ledger.dropped).toBe(0);
});

test("a restart goes on in the same file, and a line that a crash has torn harms no other", async () => {
  mkdirSync(folder);
  writeFileSync(
    `${folder}/2026-11-21.jsonl`,
    `${usageLine(entry({ id: "a" }))}\n${usageLine(entry({ id: "b" })).slice(0, 50)}`,
  );
  const ledger = open();
  ledger.enter(entry({ id: "c" }));
  await ledger.close();
  const { entries, torn } = await readAll();
  expect(entries.map(({ id }) => id)).toEqual(["a", "c"]);
  expect(torn).toBe(1);
});

test("a day's file goes when it is no longer to be kept; nothing else in the folder does", async () => {
  mkdirSync(folder);
  for (const name of ["2026-11-13.jsonl", "2026-11-13.totals.json", "2026-11-14.jsonl", "notes.txt"])
    writeFileSync(`${folder}/${name}`, "");
  const ledger = open(7);
  ledger.enter(entry());
  await ledger.close();
  expect(readdirSync(folder)).toEqual(["2026-11-14.jsonl", "2026-11-21.jsonl", "notes.txt"]);
});

test("a disk that takes nothing is told of once, and what is lost is counted", async () => {
  writeFileSync(folder, "a file where the folder belongs");
  const ledger = open();
  for (let count = 0; count < 3; count++) ledger.enter(entry());
  await ledger.close();
  expect(ledger.dropped).toBe(3);
  expect(problems).toHaveLength(1);
});

test("reads the days and the moments that are asked for alone, whatever pieces the disk gives", async () => {
  mkdirSync(folder);
  const entries = Array.from({ length: 5000 }, (_, at) => entry({ id: `größe-${at}`, time: noon + at }));
  appendFileSync(`${folder}/2026-11-21.jsonl`, entries.map((one) => `${usageLine(one)}\n`).join(""));
  // A day that is not asked for is not opened.
  mkdirSync(`${folder}/2026-11-19.jsonl`);
  const { entries: read } = await readAll({ from: noon + 10, until: noon + 4000 });
  expect(read).toEqual(entries.slice(10, 4000));
});

test("a file without lines is none of ours", async () => {
  mkdirSync(folder);
  writeFileSync(`${folder}/x`, "x".repeat(200_000));
  const reading = { onEntry: () => {}, onTorn: () => {} };
  await expect(readUsageFile(`${folder}/x`, always, reading)).rejects.toThrow("holds a line of more than");
  expect(readFileSync(`${folder}/x`).length).toBe(200_000);
});

test("the totals of a day that is over are those of its file, unless it has grown since", async () => {
  const ledger = open();
  for (const cost of [1, 2, 4]) ledger.enter(entry({ cost, gpuMs: 1, team: cost === 4 ? "payments" : "search" }));
  ledger.enter(entry({ time: noon + DAY_MS }));
  await ledger.close();
  const file = `${folder}/2026-11-21.jsonl`;
  const asWritten = await totalsOf(file, expect.unreachable);
  expect(asWritten.entries).toBe(0);
  expect(Object.fromEntries(asWritten.byTeam)).toEqual({
    search: { input: 200, output: 40, cost: 3, gpuMs: 2 },
    payments: { input: 100, output: 20, cost: 4, gpuMs: 1 },
  });
  appendFileSync(file, `${usageLine(entry({ cost: 8 }))}\n`);
  const read = await totalsOf(file, expect.unreachable);
  expect(read.entries).toBe(4);
  expect(read.byTeam.get("search")).toEqual({ input: 300, output: 60, cost: 11, gpuMs: 2 });
});

test("a day of which a process wrote a part alone has no totals", async () => {
  mkdirSync(folder);
  writeFileSync(`${folder}/2026-11-21.jsonl`, `${usageLine(entry())}\n`);
  const ledger = open();
  ledger.enter(entry());
  ledger.enter(entry({ time: noon + DAY_MS }));
  await ledger.close();
  expect(readdirSync(folder)).toEqual(["2026-11-21.jsonl", "2026-11-22.jsonl"]);
});
