import { setTimeout as sleep } from "node:timers/promises";
import { type DelayingProxy, startDelayingProxy } from "../../../apps/gateway/src/store/delaying-proxy.ts";
import { startRedis, type TestRedis } from "../../../apps/gateway/src/store/test-redis.ts";
import { once } from "../../../apps/gateway/src/store/test-redis-groups.ts";
import type { Scenario, Scene } from "../scenario.ts";
import { checkServed, percentile, type StoreStage, startStoreStage, type Timed } from "../store-stage.ts";
import { redisHabits } from "./redis-habits.ts";

/** So much that nothing but the store's loss bears on a request. */
const plenty = { requests: "100k/min", concurrent: 1000 };
/** What a loss of the store may cost a request, and for how long after the loss it may cost anything. */
const COST_MS = 50;
const COSTS_FOR_MS = 1000;
/** What it may cost behind that, on an idle machine. */
const LATER_MS = 0.2;

/** F40: nobody is there at the start. */
const absent: Scenario = {
  id: "F40",
  title: "Redis down at boot -> starts degraded, ready, one warning; shared as soon as it is there",
  async play(scene) {
    const { checks } = scene;
    const redis = await startRedis();
    await redis.kill();
    const one = await startStoreStage(scene, redis.url, { requests: "6/min" });
    try {
      const first = await one.ask();
      checks.is("client", "the status", first.status, 200);
      checks.is("client", "x-signalbox-store", first.headers["x-signalbox-store"], "local");
      checks.is("client", "requests that were admitted of 8", 1 + (await one.admitted(7)), 6);
      checks.is("engines", "requests", one.stage.pool.posts("primary"), 6);
      await sleep(1500);
      await one.checkTurns(1);
      checks.is("metrics", "growth of transitions", await one.stage.grown("signalbox_store_transitions_total"), 0);
      await redis.restart();
      await one.becomes("shared");
      checks.is("client", "requests that were admitted when it was there", await one.admitted(3), 0);
      await one.checkTurns(2);
    } finally {
      await Promise.all([one.close(), redis.close()]);
    }
  },
};

/** What the loss of the store costs requests that come all the time. */
async function checkCost(scene: Scene, hurt: (redis: TestRedis) => unknown, heal: (redis: TestRedis) => unknown) {
  const { checks, note, profile } = scene;
  const redis = await startRedis();
  const one = await startStoreStage(scene, redis.url, plenty);
  try {
    await one.becomes("shared");
    const calm = await one.load(1000);
    const loading = one.load(profile.pick(3000, 10_000));
    await sleep(500);
    await hurt(redis);
    const load = await loading;
    checkServed(checks, [...calm, ...load]);
    const lost = load.find(({ local }) => local)?.at ?? 0;
    const during = load.filter(({ at }) => at >= 500 - COST_MS && at < 500 + COSTS_FOR_MS);
    const after = load.filter(({ at }) => at >= 500 + COSTS_FOR_MS);
    noteCosts(scene, one, { calm, during, after });
    note("local after ms", lost - 500);
    checks.that(
      "client",
      "the answers do not say that they are local",
      after.every(({ local }) => local),
    );
    checks.is("engines", "requests", one.stage.pool.posts("primary"), calm.length + load.length);
    const { stage } = one;
    checks.is(
      "metrics",
      "transitions to local",
      await stage.grown("signalbox_store_transitions_total", { to: "local" }),
      1,
    );
    await heal(redis);
    await one.becomes("shared");
    await one.checkTurns(3);
  } finally {
    await Promise.all([one.close(), redis.close()]);
  }
}

function noteCosts(
  { checks, note }: Scene,
  { stage }: StoreStage,
  { calm, during, after }: Readonly<Record<"calm" | "during" | "after", readonly Timed[]>>,
): void {
  const at = (load: readonly Timed[], share: number): number =>
    percentile(
      load.map(({ ms }) => ms),
      share,
    );
  const added = at(during, 0.99) - at(calm, 0.5);
  const later = at(after, 0.5) - at(calm, 0.5);
  const laterP99 = at(after, 0.99) - at(calm, 0.99);
  note("added p99 in the first second, ms", added);
  note("added median afterwards, ms", later);
  note("added p99 afterwards, ms", laterP99);
  const noise = stage.noiseMs + at(calm, 0.99) - at(calm, 0.5);
  checks.within("client", "the added p99 in the first second", added, -1000, COST_MS + noise);
  checks.within("client", "the added p99 afterwards", laterP99, -1000, LATER_MS + noise);
}

/** Two replicas never admit more than the limit while the store goes and comes back, however uneven their use was. */
async function checkLimit(scene: Scene, hurt: (redis: TestRedis) => unknown, heal: (redis: TestRedis) => unknown) {
  const { checks, note } = scene;
  const redis = await startRedis({ persistent: true });
  const one = await startStoreStage(scene, redis.url, { requests: "40/min" });
  try {
    const other = await one.replica();
    await one.becomes("shared", one.stage.gateway, other);
    const both = async (): Promise<boolean> =>
      (await one.stage.gateway.scrape()).sum("signalbox_store_instances") === 2;
    for (let tries = 0; tries < 300 && !(await both()); tries++) await sleep(20);
    let total = (await one.admitted(20)) + (await one.admitted(4, other));
    await sleep(2000);
    await hurt(redis);
    total += (await one.admitted(30)) + (await one.admitted(30, other));
    note("admitted of 40 while it was away", total);
    checks.within("client", "requests admitted of a limit of 40", total, 30, 40);
    await heal(redis);
    await one.becomes("shared", one.stage.gateway, other);
    total += (await one.admitted(30)) + (await one.admitted(30, other));
    checks.within("client", "requests admitted of a limit of 40, when it was back", total, 39, 40);
    checks.is("engines", "requests", one.stage.pool.posts("primary"), total);
  } finally {
    await Promise.all([one.close(), redis.close()]);
  }
}

/** F43: how slow is slow. */
const slow: Scenario = {
  id: "F43",
  title: "Redis 40 ms slower -> stays; 200 ms slower -> limits by each replica's share, at no cost",
  alone: true,
  async play(scene) {
    const { checks, note } = scene;
    const redis = await startRedis();
    const proxy = await startDelayingProxy(redis.port);
    const one = await startStoreStage(scene, `redis://127.0.0.1:${proxy.port}`, plenty);
    try {
      await one.becomes("shared");
      const stayed = await stayedAt40(scene, one, proxy);
      note("shared at 40 ms", stayed);
      checks.within("client", "the share of requests that stayed shared", stayed, 0.9, 1);
      proxy.delayMs = 200;
      const late = await one.load(2000);
      checkServed(checks, late);
      const gone = late.filter(({ at }) => at > 500);
      checks.that(
        "client",
        "requests still wait for a store that is 200 ms away",
        gone.every(({ local }) => local),
      );
      note(
        "median at 200 ms, ms",
        percentile(
          gone.map(({ ms }) => ms),
          0.5,
        ),
      );
      checks.within(
        "client",
        "the median",
        percentile(
          gone.map(({ ms }) => ms),
          0.5,
        ),
        0,
        40,
      );
      await one.becomes("local");
      proxy.delayMs = 0;
      await one.becomes("shared");
      checks.is("engines", "requests that failed", one.stage.pool.open("primary"), 0);
    } finally {
      await one.close();
      await proxy.close();
      await redis.close();
    }
  },
};

/** The share of requests that were decided by a store 40 ms away; a busy machine may add the few milliseconds that are missing. */
async function stayedAt40({ checks }: Scene, one: StoreStage, proxy: DelayingProxy): Promise<number> {
  let most = 0;
  for (let tries = 0; tries < 6 && most < 0.9; tries++) {
    proxy.delayMs = 40;
    const load = await one.load(400);
    checkServed(checks, load);
    most = Math.max(most, load.filter(({ local }) => !local).length / load.length);
    proxy.delayMs = 0;
    await one.becomes("shared");
  }
  return most;
}

/** F45: nothing goes by a replica's clock, nothing hangs on the data, and the return is no rush. */
const clocks: Scenario = {
  id: "F45",
  title: "clocks 10 min apart -> no effect; FLUSHALL -> replicas tell what still counts; recovery -> no stampede",
  async play(scene) {
    const { checks, note } = scene;
    const redis = await startRedis();
    const one = await startStoreStage(scene, redis.url, { requests: "30/min" });
    try {
      const ahead = await one.replica({ nodeOptions: ["--import", shiftedClock(600_000)] });
      const behind = await one.replica({ nodeOptions: ["--import", shiftedClock(-600_000)] });
      const all = [one.stage.gateway, ahead, behind];
      await one.becomes("shared", ...all);
      let total = 0;
      for (const gateway of all) total += await one.admitted(7, gateway);
      checks.is("client", "requests admitted of 21", total, 21);
      await sleep(1500);
      await once(redis, "flushall");
      await sleep(2500);
      for (const gateway of all) total += await one.admitted(10, gateway);
      checks.is("client", "requests admitted of a limit of 30 over FLUSHALL", total, 30);
      checks.is("engines", "requests", one.stage.pool.posts("primary"), total);
      await redis.restart();
      await one.becomes("shared", ...all);
      const before = await commands(redis);
      await sleep(2000);
      const perSecond = ((await commands(redis)) - before) / 2 / all.length;
      note("commands a second and replica after the return", perSecond);
      checks.within("metrics", "commands a second and replica, as Redis counts them", perSecond, 0.1, 60);
      for (const gateway of all) checks.is("client", "requests admitted then", await one.admitted(2, gateway), 0);
    } finally {
      await Promise.all([one.close(), redis.close()]);
    }
  },
};

async function commands(redis: TestRedis): Promise<number> {
  return Number(/total_commands_processed:(\d+)/.exec(String(await once(redis, "info", "stats")))?.[1]);
}

/** A module that makes a process's clock wrong. */
function shiftedClock(ms: number): string {
  const source = `const Real = Date; globalThis.Date = class extends Real {
    constructor(...args) { if (args.length === 0) super(Real.now() + ${ms}); else super(...args); }
    static now() { return Real.now() + ${ms}; } };`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** F40 to F45: the store that replicas share. */
export const redis: readonly Scenario[] = [
  absent,
  {
    id: "F41",
    title: "Redis killed under load -> 50 ms more for a second at most, then none; limits by each replica's share",
    alone: true,
    async play(scene) {
      const kill = (redis: TestRedis) => redis.kill();
      const restart = (redis: TestRedis) => redis.restart();
      await checkCost(scene, kill, restart);
      await checkLimit(scene, kill, restart);
    },
  },
  {
    id: "F42",
    title: "Redis frozen under load -> the same",
    alone: true,
    async play(scene) {
      const freeze = (redis: TestRedis) => redis.freeze();
      const thaw = (redis: TestRedis) => redis.thaw();
      await checkCost(scene, freeze, thaw);
      await checkLimit(scene, freeze, thaw);
    },
  },
  slow,
  redisHabits,
  clocks,
];
