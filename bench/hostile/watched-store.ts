import { once } from "node:events";
import { connect } from "node:net";
import { startRedis } from "../../apps/gateway/src/store/test-redis.ts";
import { canaries } from "./secret-canaries.ts";

/** A store that hears everything that it is told. */
export interface WatchedStore extends AsyncDisposable {
  readonly port: number;
  /** All that came in, but for passwords that were right. */
  readonly heard: string;
}

/** A real Redis with a password, whose commands are watched. @throws Error that says how to get a redis-server. */
export async function startWatchedStore(): Promise<WatchedStore> {
  const password = canaries.redis_password.value;
  const redis = await startRedis({ args: ["--requirepass", password] });
  const watch = connect(redis.port, "127.0.0.1");
  await once(watch, "connect");
  let heard = "";
  watch.on("error", () => {});
  watch.on("data", (bytes) => {
    heard += bytes.toString("latin1");
  });
  watch.write(`AUTH ${password}\r\nMONITOR\r\n`);
  return {
    port: redis.port,
    get heard() {
      return heard;
    },
    async [Symbol.asyncDispose]() {
      watch.destroy();
      await redis.close();
    },
  };
}
