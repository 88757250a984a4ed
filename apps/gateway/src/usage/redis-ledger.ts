import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { RedisConnection } from "../store/connection.ts";
import { createScript } from "../teams/scripts.ts";
import type { Ledger } from "./ledger.ts";
import { DAY_MS, dayOf, type UsageEntry, usageNames, usageValues } from "./usage-entry.ts";

export interface RedisLedgerOptions {
  readonly connection: Pick<RedisConnection, "prefix" | "run">;
  readonly keepDays: number;
  /** Told once of each sort of trouble but that of a Redis which cannot be reached: that is told by others. */
  readonly onProblem: (problem: string) => void;
  /** Entries that may wait while Redis is away; 100,000 unless given, about 40 MB. */
  readonly maxWaiting?: number;
}

/** Milliseconds that an entry waits for company. */
const FLUSH_MS = 50;
/** Entries sent at once: they hold up Redis for about a millisecond. */
const BATCH = 200;
const MARK_MS = 7 * DAY_MS;
const FIRST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 2000;
/** At the end of the process a Redis that does not answer gets no longer. */
const CLOSE_MS = 1000;

const source = readFileSync(new URL("./scripts/append.lua", import.meta.url), "utf8");
// What was written is known by its number: it may be sent again.
const append = createScript("append", source, true);

/** The stream that has a day's usage. */
export function usageStream(prefix: string, day: string): string {
  return `${prefix}usage:${day}`;
}

/**
 * A ledger in Redis that all replicas share: a stream for each UTC day, which goes when it is no longer to be kept. Entries
 * are sent within 50 ms, each is written once, and those that come while Redis is away wait for it.
 */
export function createRedisLedger(options: RedisLedgerOptions): Ledger {
  return new RedisLedger(options);
}

class RedisLedger implements Ledger {
  dropped = 0;
  readonly #options: RedisLedgerOptions;
  readonly #most: number;
  readonly #mark: string;
  #waiting: UsageEntry[] = [];
  /** The number of the first that waits; each has the next one. */
  #first = 1;
  #timer: NodeJS.Timeout | undefined;
  #sending = false;
  #pauseMs = FIRST_PAUSE_MS;
  #closed: (() => void) | undefined;
  readonly #told = new Set<string>();

  constructor(options: RedisLedgerOptions) {
    this.#options = options;
    this.#most = options.maxWaiting ?? 100_000;
    this.#mark = `${options.connection.prefix}usage-mark:${randomBytes(9).toString("base64url")}`;
  }

  enter(entry: UsageEntry): void {
    if (this.#waiting.length >= this.#most) {
      this.dropped++;
      return;
    }
    this.#waiting.push(entry);
    if (!this.#sending) this.#timer ??= setTimeout(() => void this.#send(), FLUSH_MS).unref();
  }

  async close(): Promise<void> {
    if (this.#waiting.length === 0 && !this.#sending) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS);
      this.#closed = () => {
        clearTimeout(timer);
        resolve();
      };
      if (!this.#sending) void this.#send();
    });
    this.dropped += this.#waiting.length;
  }

  async #send(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending = true;
    try {
      while (this.#waiting.length > 0) await this.#sendBatch();
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#closed?.();
    } catch (error) {
      this.#tell(error);
      this.#timer = setTimeout(() => void this.#send(), this.#pauseMs).unref();
      this.#pauseMs = Math.min(MOST_PAUSE_MS, this.#pauseMs * 2);
    } finally {
      this.#sending = false;
    }
  }

  /** The first of those that wait, of one day. */
  async #sendBatch(): Promise<void> {
    const { connection, keepDays } = this.#options;
    const day = dayOf(this.#waiting[0]!.time);
    let values = "";
    let count = 0;
    for (const entry of this.#waiting) {
      if (count === BATCH || dayOf(entry.time) !== day) break;
      values += usageValues(entry);
      count++;
    }
    const goesAt = Date.parse(day) + (keepDays + 1) * DAY_MS;
    const args = [MARK_MS, goesAt, this.#first, usageNames, values];
    await connection.run(append, [this.#mark, usageStream(connection.prefix, day)], args);
    this.#waiting.splice(0, count);
    this.#first += count;
  }

  /** An answer that says no is told; that nobody answers is known. */
  #tell(error: unknown): void {
    const problem = error instanceof Error && error.name === "ReplyError" ? error.message : undefined;
    const sort = problem?.split(" ")[0];
    if (problem === undefined || sort === undefined || this.#told.has(sort)) return;
    this.#told.add(sort);
    this.#options.onProblem(problem);
  }
}
