import { createRedisKeys } from "./redis-keys.ts";
import { type ScriptRunner, scripts } from "./scripts.ts";

/** Of the form of what stands in Redis. */
const VERSION = "1";

/**
 * Makes sure that what stands in Redis under a prefix was written by this version, or that nothing stands there.
 * @throws Error in one line when another version wrote it; rejects as the runner does.
 */
export async function checkRedisVersion(runner: ScriptRunner, prefix?: string): Promise<void> {
  const { version } = createRedisKeys(prefix);
  const found = String(await runner.run(scripts.version, [version], [VERSION]));
  if (found === VERSION) return;
  throw new Error(
    `redis: the data at ${version} has version «${found.slice(0, 20)}», and this Signalbox writes version ${VERSION}: give another \`store.prefix\`, or delete that data`,
  );
}
