import type { RedisConnection } from "../store/connection.ts";
import { usageStream } from "./redis-ledger.ts";
import { DAY_MS, dayOf, parseUsageFields, type UsageEntry } from "./usage-entry.ts";
import type { Range } from "./usage-files.ts";

const AT_ONCE = 1000;

/**
 * Reads the usage that is in Redis, day by day, a thousand entries at a time.
 * @throws Error when Redis does not answer.
 */
export async function readUsageStreams(
  connection: Pick<RedisConnection, "prefix" | "command">,
  { from, until }: Range,
  onEntry: (entry: UsageEntry) => void,
): Promise<void> {
  for (let day = Math.floor(from / DAY_MS) * DAY_MS; day < until; day += DAY_MS) {
    let after = "-";
    for (;;) {
      const words = ["xrange", usageStream(connection.prefix, dayOf(day)), after, "+", "COUNT", AT_ONCE] as const;
      const read = (await connection.command(words)) as [id: string, fields: string[]][];
      for (const [, fields] of read) {
        const entry = parseUsageFields(fields);
        if (entry !== undefined && entry.time >= from && entry.time < until) onEntry(entry);
      }
      if (read.length < AT_ONCE) break;
      after = `(${read.at(-1)![0]}`;
    }
  }
}
