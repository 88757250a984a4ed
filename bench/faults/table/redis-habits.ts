import { setTimeout as sleep } from "node:timers/promises";
import { startRedis, type TestRedis } from "../../../apps/gateway/src/store/test-redis.ts";
import { once, startCluster, startSentinel } from "../../../apps/gateway/src/store/test-redis-groups.ts";
import type { Scenario, Scene } from "../scenario.ts";
import { checkServed, type StoreStage, startStoreStage } from "../store-stage.ts";

const limits = { requests: "100k/min", concurrent: 1000 };

/** Requests all the time while something happens to the store, and until it is shared again. None fails. */
async function through(scene: Scene, one: StoreStage, what: string, happen: () => Promise<unknown>): Promise<void> {
  const { checks, note } = scene;
  const began = performance.now();
  let isOver = false;
  const served = (async () => {
    let count = 0;
    while (!isOver) {
      const load = await one.load(100);
      checkServed(checks.at(what), load);
      count += load.length;
    }
    return count;
  })();
  try {
    await happen();
    await one.becomes("shared");
  } finally {
    isOver = true;
    note(`${what}: requests`, await served);
    note(`${what}: ms`, performance.now() - began);
  }
}

async function single(scene: Scene): Promise<void> {
  const args = ["--busy-reply-threshold", "100", "--loading-process-events-interval-bytes", "1024"];
  const redis = await startRedis({ persistent: true, args });
  const one = await startStoreStage(scene, redis.url, limits);
  const local = () => one.becomes("local");
  try {
    await one.becomes("shared");
    await through(scene, one, "SCRIPT FLUSH", () => once(redis, "script", "flush"));
    await through(scene, one, "READONLY", async () => {
      await once(redis, "replicaof", "127.0.0.1", "1");
      await local();
      await once(redis, "replicaof", "no", "one");
    });
    await through(scene, one, "a busy script", async () => {
      const busy = once(redis, "eval", "while true do end", 0).catch(() => {});
      await local();
      await sleep(200);
      await once(redis, "script", "kill");
      await busy;
    });
    await through(scene, one, "LOADING", () => load(redis));
    scene.checks.is("engines", "requests under way in the end", one.stage.pool.open("primary"), 0);
  } finally {
    await Promise.all([one.close(), redis.close()]);
  }
}

/** A restart that takes its time to read what it had. */
async function load(redis: TestRedis): Promise<void> {
  for (let part = 0; part < 10; part++)
    await once(redis, "mset", ...Array.from({ length: 200 }, (_, i) => [`k${part}-${i}`, "x"]).flat());
  await once(redis, "config", "set", "appendfsync", "no");
  await redis.restart();
}

async function sentinel(scene: Scene): Promise<void> {
  const group = await startSentinel();
  const one = await startStoreStage(scene, { sentinels: group.sentinels, name: group.name }, limits);
  try {
    await one.becomes("shared");
    await through(scene, one, "a failover", async () => {
      await group.failover();
      await sleep(1500);
    });
    await through(scene, one, "the master's death", async () => {
      await (await group.master()).kill();
      await one.becomes("local");
    });
    const replicas = (await once(await group.master(), "hlen", "{signalbox}:replicas")) as number;
    scene.checks.within("metrics", "replicas in the new master", replicas, 1, 1);
  } finally {
    await one.close();
    await group.close();
  }
}

async function cluster(scene: Scene): Promise<void> {
  const group = await startCluster();
  const one = await startStoreStage(scene, { cluster: group.addresses }, limits);
  try {
    await one.becomes("shared");
    const key = "{signalbox}:epoch";
    await through(scene, one, "a slot that moves", async () => {
      const owner = await group.ownerOf(key);
      await group.moveSlot(key, group.nodes.find((node) => node !== owner)!, () => sleep(300));
      await sleep(300);
    });
    await through(scene, one, "a node's death", async () => {
      const owner = await group.ownerOf(key);
      await owner.kill();
      await one.becomes("local");
      await owner.restart();
    });
  } finally {
    await one.close();
    await group.close();
  }
}

/** F44: what a Redis that lives may do. */
export const redisHabits: Scenario = {
  id: "F44",
  title:
    "Sentinel failover and a master's death, a slot that moves and a node's death in a Cluster, READONLY, LOADING, NOSCRIPT, a busy script -> 0 requests fail, shared again without a restart",
  async play(scene) {
    await Promise.all([single(scene), sentinel(scene), cluster(scene)]);
  },
};
