import { checkRedisVersion } from "../teams/redis-version.ts";
import { scripts } from "../teams/scripts.ts";
import type { RedisConnection } from "./connection.ts";

/**
 * Sees to it that Redis' data is of our version, and that it has our scripts: one that had to be brought along would take
 * twice the time, which a request may not have. @throws Error when Redis does not answer, or says no.
 */
export async function prepareRedis(connection: RedisConnection, prefix: string): Promise<void> {
  const loading = Object.values(scripts).map(({ source }) => connection.command(["script", "load", source]));
  await Promise.all([checkRedisVersion(connection, prefix), ...loading]);
}
