import type { RedisConfig } from "../config/config.ts";

/** The config of a test's one Redis on the loopback, without passwords; `parts` say otherwise. */
export function testRedisConfig({ port }: { readonly port: number }, parts: Partial<RedisConfig> = {}): RedisConfig {
  const nothing = (): undefined => undefined;
  return {
    topology: "single",
    addresses: [{ host: "127.0.0.1", port }],
    masterName: undefined,
    database: 0,
    username: undefined,
    password: nothing,
    sentinelPassword: nothing,
    tls: nothing,
    prefix: "signalbox",
    instances: 1,
    ...parts,
  };
}
