import { compileTls } from "./compile-tls.ts";
import type { RedisConfig } from "./config.ts";
import type { FileTexts } from "./file-texts.ts";
import { parseRedisUrl } from "./redis-url.ts";
import type { ConfigFile } from "./schema.ts";

/** The store of a file that was found right. */
export function compileStore(store: ConfigFile["store"], named: FileTexts): "memory" | RedisConfig {
  if (store === "memory") return store;
  const entry = typeof store === "string" ? { url: store, prefix: "signalbox", instances: 1 } : store;
  const url = entry.url === undefined ? undefined : parseRedisUrl(entry.url)!;
  const secretOf = (file: string | undefined) => file && named.files.get(file)?.trim();
  const password = url?.password ?? secretOf(entry.password_file);
  const sentinelPassword = secretOf(entry.sentinel_password_file);
  const tls = compileTls(entry.tls, named.files) ?? (url?.encrypted ? {} : undefined);
  const addresses = url === undefined ? (entry.sentinels ?? entry.cluster ?? []) : [{ host: url.host, port: url.port }];
  return Object.freeze({
    topology: entry.sentinels ? "sentinel" : entry.cluster ? "cluster" : "single",
    addresses,
    masterName: entry.name,
    database: url?.database ?? 0,
    username: url?.username ?? entry.username,
    password: () => password,
    sentinelPassword: () => sentinelPassword,
    tls: () => tls,
    prefix: entry.prefix,
    instances: entry.instances,
  });
}
