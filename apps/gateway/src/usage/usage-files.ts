import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { StringDecoder } from "node:string_decoder";
import { DAY_MS, dayOf, parseUsageLine, type UsageEntry } from "./usage-entry.ts";

/** Moments in milliseconds since 1970: from `from` up to, not including, `until`. */
export interface Range {
  readonly from: number;
  readonly until: number;
}

/** The file of a day's usage. */
export function usageFile(folder: string, day: string): string {
  return path.join(folder, `${day}.jsonl`);
}

/** A usage file of a folder, and when its day begins. */
interface DayFile {
  readonly file: string;
  readonly startsAt: number;
}

/** The usage files of a folder, oldest first; none when there is no such folder. */
export async function dayFiles(folder: string): Promise<DayFile[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
  return names.sort().flatMap((name) => {
    const day = /^(\d{4}-\d{2}-\d{2})\.jsonl$/.exec(name)?.[1];
    const startsAt = day === undefined ? Number.NaN : Date.parse(day);
    return Number.isNaN(startsAt) ? [] : [{ file: path.join(folder, name), startsAt }];
  });
}

/** What was read of files: entries in `range`, and how many lines were none. */
export interface FileReading {
  /** A line that is no entry: torn by a crash, most likely. */
  onTorn(file: string): void;
  onEntry(entry: UsageEntry): void;
}

/** Reads the usage of a folder, day by day; days outside of the range are not opened. */
export async function readUsageFolder(folder: string, range: Range, reading: FileReading): Promise<void> {
  for (const { file, startsAt } of await dayFiles(folder)) {
    if (startsAt < range.until && startsAt + DAY_MS > range.from) await readUsageFile(file, range, reading);
  }
}

/** Reads a file of usage, in little memory. @throws Error when it cannot be read. */
export async function readUsageFile(file: string, range: Range, { onEntry, onTorn }: FileReading): Promise<void> {
  const decoder = new StringDecoder("utf8");
  let begun = "";
  const take = (line: string): void => {
    if (line === "") return;
    const entry = parseUsageLine(line);
    if (entry === undefined) onTorn(file);
    else if (entry.time >= range.from && entry.time < range.until) onEntry(entry);
  };
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
    const lines = (begun + decoder.write(chunk)).split("\n");
    begun = lines.pop()!;
    for (const line of lines) take(line);
    // Whatever that file is, it is none of ours.
    if (begun.length > MAX_LINE) throw new Error(`${file}: holds a line of more than ${MAX_LINE} characters`);
  }
  take(begun + decoder.end());
}

const MAX_LINE = 64 * 1024;

/** The day before which usage is no longer kept. */
export function firstKeptDay(now: number, keepDays: number): string {
  return dayOf(now - keepDays * DAY_MS);
}
