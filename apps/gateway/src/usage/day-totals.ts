import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { UsageEntry } from "./usage-entry.ts";
import { type FileReading, readUsageFile } from "./usage-files.ts";

/** What a team used in a day. */
export interface TeamTotal {
  input: number;
  output: number;
  cost: number;
  gpuMs: number;
}

/** What each team used in a day: all that budgets need of it. */
export class DayTotals {
  readonly byTeam = new Map<string, TeamTotal>();
  /** Of the lines that were added. */
  bytes = 0;
  entries = 0;

  add(entry: UsageEntry, bytes = 0): void {
    let total = this.byTeam.get(entry.team);
    if (total === undefined) {
      total = { input: 0, output: 0, cost: 0, gpuMs: 0 };
      this.byTeam.set(entry.team, total);
    }
    total.input += entry.input;
    total.output += entry.output;
    total.cost += entry.cost;
    total.gpuMs += entry.gpuMs;
    this.bytes += bytes;
    this.entries++;
  }
}

const number = z.number().min(0);
const Written = z.object({
  bytes: number,
  teams: z.record(z.string(), z.object({ input: number, output: number, cost: number, gpuMs: number })),
});

/** Where the totals of a usage file stand. */
export function totalsFile(file: string): string {
  return file.replace(/\.jsonl$/, ".totals.json");
}

/** Writes the totals of a day that is over, if they are those of the whole file. */
export async function writeTotals(file: string, { byTeam, bytes }: DayTotals): Promise<void> {
  if ((await stat(file)).size !== bytes) return;
  const text = JSON.stringify({ bytes, teams: Object.fromEntries(byTeam) } satisfies z.infer<typeof Written>);
  const name = totalsFile(file);
  await writeFile(`${name}.new`, text, { mode: 0o600 });
  await rename(`${name}.new`, name);
}

/**
 * The totals of a usage file: those that were written, where the file has not changed since, else by reading all of it.
 * @throws Error when it cannot be read.
 */
export async function totalsOf(file: string, onTorn: FileReading["onTorn"]): Promise<DayTotals> {
  const totals = new DayTotals();
  const written = await readTotals(file);
  if (written === undefined) {
    await readUsageFile(
      file,
      { from: 0, until: Number.POSITIVE_INFINITY },
      { onEntry: (one) => totals.add(one), onTorn },
    );
    return totals;
  }
  for (const [team, total] of Object.entries(written.teams)) totals.byTeam.set(team, total);
  return totals;
}

async function readTotals(file: string): Promise<z.infer<typeof Written> | undefined> {
  try {
    const { data } = Written.safeParse(JSON.parse(await readFile(totalsFile(file), "utf8")));
    return data !== undefined && data.bytes === (await stat(file)).size ? data : undefined;
  } catch {
    return undefined;
  }
}
