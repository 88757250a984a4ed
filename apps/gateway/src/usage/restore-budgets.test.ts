import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import type { Budget, Team } from "../config/config.ts";
import { openTeam } from "../teams/keys.ts";
import { restoreBudgets } from "./restore-budgets.ts";
import { entry } from "./test-entry.ts";
import { dayOf, type UsageEntry, usageLine } from "./usage-entry.ts";
import { usageFile } from "./usage-files.ts";

const team = (name: string, budgets: readonly Budget[]): Team => {
  return { ...openTeam, name, budgets };
};

async function restored(teams: readonly Team[], entries: readonly UsageEntry[], now: string) {
  const folder = mkdtempSync(path.join(tmpdir(), "signalbox-restore-"));
  try {
    for (const one of entries) writeFileSync(usageFile(folder, dayOf(one.time)), `${usageLine(one)}\n`, { flag: "a" });
    const seeded: Record<string, number> = {};
    const seed = ({ id }: { id: string }, amount: number): void => {
      seeded[id] = amount;
    };
    const { entries: read } = await restoreBudgets({ folder, teams, now: Date.parse(now), seed });
    return { read, seeded };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const at = (time: string, own: Partial<UsageEntry> = {}): UsageEntry => entry({ time: Date.parse(time), ...own });

test("each budget gets back what was used in its own period", async () => {
  const budgets: Budget[] = [
    { meter: "tokens", every: "day", limit: 1e6 },
    { meter: "tokens", every: "week", limit: 1e6 },
    { meter: "cost", every: "month", limit: 1e12 },
    { meter: "gpu_seconds", every: "month", limit: 1e9 },
  ];
  const entries = [
    at("2026-10-31T23:59:59Z", { cost: 7, input: 1 }),
    // The week of that Saturday began on Monday the 16th.
    at("2026-11-01T00:00:00Z", { cost: 10, gpuMs: 3, input: 0, output: 1 }),
    at("2026-11-15T23:59:59Z", { cost: 20, input: 0, output: 2 }),
    at("2026-11-16T00:00:00Z", { cost: 30, input: 0, output: 4 }),
    at("2026-11-21T08:00:00Z", { cost: 40, gpuMs: 5, input: 8, output: 16 }),
    at("2026-11-21T09:00:00Z", { team: "other", cost: 1000 }),
  ];
  const { seeded, read } = await restored([team("search", budgets), team("idle", [])], entries, "2026-11-21T10:00:00Z");
  expect(seeded).toEqual({
    "team:search|tokens|day": 24,
    "team:search|tokens|week": 28,
    "team:search|cost|month": 100,
    "team:search|gpu_seconds|month": 8,
  });
  expect(read).toBe(5);
});

test("without budgets no file is read", async () => {
  const { seeded, read } = await restored([team("search", [])], [entry()], "2026-11-21T10:00:00Z");
  expect([seeded, read]).toEqual([{}, 0]);
});
