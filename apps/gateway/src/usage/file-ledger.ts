import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rm, unlink } from "node:fs/promises";
import type { LineSink } from "../signals/line-sink.ts";
import { createLineWriter, type LineWriter } from "../signals/line-writer.ts";
import { DayTotals, totalsFile, writeTotals } from "./day-totals.ts";
import type { Ledger } from "./ledger.ts";
import { dayOf, type UsageEntry, usageLine } from "./usage-entry.ts";
import { dayFiles, firstKeptDay, usageFile } from "./usage-files.ts";

export interface FileLedgerOptions {
  /** An absolute path; made if it is not there. */
  readonly folder: string;
  readonly keepDays: number;
  /** Told once of each sort of trouble with the files. */
  readonly onProblem: (problem: string) => void;
}

/**
 * A ledger in files of JSON lines, one for each UTC day, for their owner alone. Lines are written within 50 ms; what a
 * SIGKILL takes is what came in that time. Beside the file of a day that is over stand its
 * totals; both go when they are no longer to be kept.
 */
export function createFileLedger(options: FileLedgerOptions): Ledger {
  return new FileLedger(options);
}

class FileLedger implements Ledger {
  readonly #options: FileLedgerOptions;
  #day = "";
  #part: Part | undefined;
  /** Of days that are over. */
  #lost = 0;
  #closing: Promise<void> = Promise.resolve();
  readonly #told = new Set<string>();

  constructor(options: FileLedgerOptions) {
    this.#options = options;
  }

  get dropped(): number {
    return this.#lost + (this.#part?.writer.dropped ?? 0);
  }

  enter(entry: UsageEntry): void {
    const day = dayOf(entry.time);
    if (day !== this.#day) this.#turn(day, entry.time);
    const line = `${usageLine(entry)}\n`;
    this.#part!.totals.add(entry, line.length);
    this.#part!.writer.write(line);
  }

  close(): Promise<void> {
    this.#leave();
    return this.#closing;
  }

  /** On to another day's file. */
  #turn(day: string, now: number): void {
    this.#leave(true);
    this.#day = day;
    this.#part = openPart(this.#options.folder, day, (error) => this.#tell(error));
    this.#closing = this.#closing.then(() => this.#sweep(now)).catch((error: unknown) => this.#tell(error));
  }

  /** `over`: its day is, and its totals spare the next start a reading. */
  #leave(over = false): void {
    const part = this.#part;
    if (part === undefined) return;
    this.#part = undefined;
    this.#day = "";
    this.#closing = this.#closing.then(async () => {
      await part.writer.flush();
      this.#lost += part.writer.dropped;
      await part.close();
      if (over) await writeTotals(part.file, part.totals).catch((error: unknown) => this.#tell(error));
    });
  }

  async #sweep(now: number): Promise<void> {
    const { folder, keepDays } = this.#options;
    const first = Date.parse(firstKeptDay(now, keepDays));
    for (const { file, startsAt } of await dayFiles(folder)) {
      if (startsAt >= first) break;
      await unlink(file);
      await rm(totalsFile(file), { force: true });
    }
  }

  #tell(error: unknown): void {
    const problem = String((error as NodeJS.ErrnoException).code ?? error);
    if (this.#told.has(problem)) return;
    this.#told.add(problem);
    this.#options.onProblem(problem);
  }
}

/** The file of one day, while it is written. */
interface Part {
  readonly file: string;
  /** Of what this process wrote. */
  readonly totals: DayTotals;
  readonly writer: LineWriter;
  close(): Promise<void>;
}

/** Opened by its first write, so that nobody waits for a disk. */
function openPart(folder: string, day: string, onError: (error: unknown) => void): Part {
  const file = usageFile(folder, day);
  let opening: Promise<FileHandle> | undefined;
  const sink: LineSink = {
    write(bytes, from, done) {
      opening ??= openFile(folder, file);
      opening
        .then((file) => file.write(bytes, from))
        .then(
          ({ bytesWritten }) => done(null, bytesWritten),
          (error: NodeJS.ErrnoException) => {
            onError(error);
            // What could not be opened is tried again with the next lines.
            if (error.syscall !== "write") opening = undefined;
            done(error, 0);
          },
        );
    },
    giveUp() {},
  };
  return {
    file,
    totals: new DayTotals(),
    writer: createLineWriter({ fd: sink }),
    close: async () => {
      const file = await opening?.catch(() => undefined);
      await file?.close().catch(() => {});
    },
  };
}

async function openFile(folder: string, name: string): Promise<FileHandle> {
  const { O_APPEND, O_CREAT, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Neither a link of somebody's nor a pipe without a reader.
  const file = await open(name, O_APPEND | O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${name} is not a file`);
    const last = Buffer.alloc(1);
    if (stats.size > 0) await file.read(last, 0, 1, stats.size - 1);
    // A line that a crash has torn must not swallow the next one.
    if (stats.size > 0 && last[0] !== 0x0a) await file.write("\n");
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
