import { hash } from "node:crypto";
import { Redis } from "ioredis";
import { type Script, type ScriptRunner, scripts } from "./scripts.ts";

/** Runs scripts on one plain connection. */
export interface TestRunner extends ScriptRunner {
  readonly redis: Redis;
  /** Calls so far, by the script's name. */
  readonly calls: Map<string, number>;
  /** What Redis did not take. */
  readonly errors: unknown[];
  close(): void;
}

const TIME_CALL = "redis.call('TIME')";

/**
 * A runner for tests. With a clock, the scripts' own text is changed to read a key instead of Redis' clock: nothing in the
 * product could set a time.
 */
export function createTestRunner(url: string, clock?: { readonly key: string; now(): number }): TestRunner {
  const redis = new Redis(url);
  const calls = new Map<string, number>();
  const errors: unknown[] = [];
  let told = Number.NaN;
  // Sent before anything else: what is run goes out at once, in the order in which it was run.
  const sha1s = new Map(
    Object.values(scripts).map((script) => {
      const source = clock === undefined ? script.source : withClock(script, clock.key);
      void redis.script("LOAD", source);
      return [script, hash("sha1", source, "hex")];
    }),
  );

  return {
    redis,
    calls,
    errors,
    async run(script, keys, args) {
      calls.set(script.name, (calls.get(script.name) ?? 0) + 1);
      if (clock !== undefined && told !== clock.now()) {
        told = clock.now();
        void redis.set(clock.key, told);
      }
      return redis.evalsha(sha1s.get(script)!, keys.length, ...keys, ...args).catch((error: unknown) => {
        errors.push(error);
        throw error;
      });
    },
    close: () => redis.disconnect(),
  };
}

function withClock({ name, source }: Script, key: string): string {
  const read = `redis.call('GET', '${key}')`;
  const changed = source.replace(TIME_CALL, `{ math.floor(${read} / 1000), ${read} % 1000 * 1000 }`);
  if (changed.includes("'TIME'")) throw new Error(`${name} reads Redis' clock in another way`);
  return changed;
}
