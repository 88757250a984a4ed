import { isIP } from "node:net";
import { Redis } from "ioredis";
import type { RedisConfig } from "../config/config.ts";
import type { Address } from "../config/units.ts";
import { wordsOf } from "../runtime/words-of.ts";

/** A connection to one server: each command is sent at once and once, or rejects. */
export type RedisClient = Redis;

/** How long a server may take until it has let us in, in milliseconds. */
const HANDSHAKE_MS = 1000;

export interface ClientOptions {
  readonly config: RedisConfig;
  readonly address: Address;
  /** A Sentinel has a password of its own, and no databases. */
  readonly sentinel?: boolean;
}

/**
 * Connects to a server, and is let in. The connection never comes back by itself: once it is lost, all that was not
 * answered rejects, and so does all that follows.
 * @throws Error that says who did not answer, or what it said.
 */
export async function openClient(options: ClientOptions): Promise<RedisClient> {
  const client = createClient(options);
  // Without a listener it would be printed; whoever waits for the connection or for an answer is told.
  client.on("error", () => {});
  const { host, port } = options.address;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${HANDSHAKE_MS} ms`)), HANDSHAKE_MS);
  });
  try {
    let told: Error | undefined;
    client.on("error", (error: Error) => {
      told = error;
    });
    await Promise.race([client.connect().catch((error: Error) => Promise.reject(told ?? error)), late]);
    return client;
  } catch (error) {
    client.disconnect();
    // A server that does not know AUTH repeats what it was sent with it.
    const secrets = [options.config.password(), options.config.sentinelPassword()].filter((one) => one !== undefined);
    const said = wordsOf(error);
    throw new Error(`${host}:${port}: ${secrets.reduce((text, secret) => text.replaceAll(secret, "***"), said)}`);
  } finally {
    clearTimeout(timer);
  }
}

function createClient({ config, address: { host, port }, sentinel = false }: ClientOptions): RedisClient {
  const tls = config.tls();
  const password = sentinel ? config.sentinelPassword() : config.password();
  return new Redis({
    host,
    port,
    ...(password !== undefined && { password }),
    ...(!sentinel && config.username !== undefined && { username: config.username }),
    db: sentinel ? 0 : config.database,
    ...(tls && { tls: isIP(host) ? tls : { ...tls, servername: host } }),
    connectTimeout: HANDSHAKE_MS,
    // Who is left is frozen, or gone: there is nothing to wait for.
    disconnectTimeout: 50,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableReadyCheck: false,
    // Any server and proxy knows this version; nothing that is asked here needs a newer one.
    protocol: 2,
    disableClientInfo: true,
    connectionName: "signalbox",
  });
}
