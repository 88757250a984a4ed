import { Redis } from "ioredis";
import type { Script, ScriptRunner } from "./scripts.ts";

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
  const texts = new Map<Script, string>();
  let told = Number.NaN;
  const textOf = (script: Script): string => {
    if (clock === undefined) return script.source;
    let text = texts.get(script);
    if (text === undefined) {
      const read = `redis.call('GET', '${clock.key}')`;
      text = script.source.replace(TIME_CALL, `{ math.floor(${read} / 1000), ${read} % 1000 * 1000 }`);
      if (text === script.source && script.name !== "version") throw new Error(`${script.name} reads no clock`);
      texts.set(script, text);
    }
    return text;
  };
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
      return redis.eval(textOf(script), keys.length, ...keys, ...args).catch((error: unknown) => {
        errors.push(error);
        throw error;
      });
    },
    close: () => redis.disconnect(),
  };
}
