import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { Redis } from "ioredis";
import { afterEach, expect, test } from "vitest";
import { answers, startRedis, type TestRedis } from "./test-redis.ts";

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(options?: Parameters<typeof startRedis>[0]): Promise<TestRedis> {
  const redis = await startRedis(options);
  open.push(redis);
  return redis;
}

function clientOf({ url }: TestRedis): Redis {
  const client = new Redis(url, { retryStrategy: () => 20 });
  client.on("error", () => {});
  open.push({ close: () => client.disconnect() });
  return client;
}

test("a server is killed, and comes back on its port without its data", async () => {
  const redis = await start();
  const client = clientOf(redis);
  await client.set("a", "1");
  await redis.kill();
  expect(await answers(redis.port)).toBe(false);
  await redis.restart();
  expect(await client.get("a")).toBe(null);
});

test("a persistent server comes back with its data, and empty when told so", async () => {
  const redis = await start({ persistent: true });
  const client = clientOf(redis);
  await client.set("a", "1");
  await redis.restart();
  expect(await client.get("a")).toBe("1");
  await redis.restart({ empty: true });
  expect(await client.get("a")).toBe(null);
});

test("a frozen server is silent until it is thawed, and can be closed all the same", async () => {
  const redis = await start();
  redis.freeze();
  expect(await answers(redis.port)).toBe(false);
  redis.thaw();
  expect(await answers(redis.port)).toBe(true);
  redis.freeze();
  await redis.close();
  expect(await answers(redis.port)).toBe(false);
});

test("a server takes more settings", async () => {
  const redis = await start({ args: ["--requirepass", "secret"] });
  const client = new Redis(redis.url, { password: "secret" });
  open.push({ close: () => client.disconnect() });
  expect(await client.ping()).toBe("PONG");
});

test("a server ends with the process that started it, also when that is killed", async () => {
  const helper = new URL("./test-redis.ts", import.meta.url).href;
  const program = `const { startRedis } = await import(${JSON.stringify(helper)});
    const redis = await startRedis(); redis.freeze(); console.log(redis.port); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  child.kill("SIGKILL");
  await expect.poll(() => isListening(Number(line.toString()))).toBe(false);
});

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("connect", () => socket.destroy());
    socket.once("error", () => resolve(false));
  });
}
