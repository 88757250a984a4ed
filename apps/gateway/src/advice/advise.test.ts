import { describe, expect, test } from "vitest";
import { type Advice, adviseOn } from "./advise.ts";
import { type PoolOptions, SimulatedPool, usualScaling } from "./simulated-pool.ts";

const minutes = (count: number): number => count * 60;

const adviceOf = (pool: SimulatedPool): Advice => adviseOn(pool.history())[0]!;

/** The fewest backends that hold the load in a long run: at most 70 % in use, and 95 % of requests wait 2 s at most. */
function trueNeed(options: PoolOptions): number {
  for (let backends = 1; ; backends++) {
    const pool = new SimulatedPool({ ...options, backends, seed: 99, maxWaitSeconds: 600 });
    pool.run(minutes(120));
    if (pool.waits.length > 100 && pool.use <= usualScaling.target && pool.waitP95 <= 2) return backends;
  }
}

interface Case {
  readonly rate: number;
  readonly service: number;
  readonly slots: number;
  readonly backends: number;
  readonly engineQueues?: boolean;
}

describe("the advice is within one backend of what holds the load", () => {
  test.each<Case>([
    // In which the waiting decides: single slots.
    { rate: 0.05, service: 10, slots: 1, backends: 1 },
    { rate: 0.05, service: 10, slots: 1, backends: 6 },
    { rate: 0.2, service: 10, slots: 1, backends: 2 },
    { rate: 2, service: 0.5, slots: 1, backends: 4 },
    // In which the target does, from far too few backends to twice too many.
    { rate: 3, service: 8, slots: 8, backends: 1 },
    { rate: 3, service: 8, slots: 8, backends: 3 },
    { rate: 3, service: 8, slots: 8, backends: 5 },
    { rate: 3, service: 8, slots: 8, backends: 10 },
    { rate: 8, service: 16, slots: 64, backends: 2 },
    { rate: 8, service: 16, slots: 64, backends: 4 },
    { rate: 0.5, service: 60, slots: 16, backends: 2 },
    // In which all of the waiting is in the engines, and nobody tells of their slots.
    { rate: 3, service: 8, slots: 8, backends: 2, engineQueues: true },
    { rate: 3, service: 8, slots: 8, backends: 3, engineQueues: true },
    { rate: 0.2, service: 10, slots: 2, backends: 1, engineQueues: true },
  ])("$rate/s of $service s at $backends backends of $slots, engine queues: $engineQueues", (one) => {
    const { service, rate, ...more } = one;
    const options = { ...more, rate: () => rate, serviceSeconds: service };
    const need = trueNeed({ ...options, engineQueues: false });
    const advised = [1, 2, 3].map((seed) => {
      const pool = new SimulatedPool({ ...options, seed, maxWaitSeconds: 30 });
      pool.run(minutes(90));
      return adviceOf(pool).wanted!;
    });
    for (const wanted of advised) expect(Math.abs(wanted - need), `${advised} for ${need}`).toBeLessThanOrEqual(1);
  });
});

describe("a load that changes", () => {
  test("a burst of some minutes is sized for as soon as it is there, and backends are not spare for an hour after", () => {
    const rate = (second: number): number => (second >= minutes(90) && second < minutes(96) ? 6 : 1);
    const pool = new SimulatedPool({ rate, serviceSeconds: 5, slots: 8, backends: 2 });
    pool.run(minutes(89));
    expect(adviceOf(pool).say).toBe("enough");
    pool.run(minutes(7));
    const during = adviceOf(pool);
    expect(during.state).toBe("add");
    // 30 at once in the burst: 43 slots at the target.
    expect(during.wanted).toBeGreaterThanOrEqual(5);
    expect(during.wanted).toBeLessThanOrEqual(7);
    pool.resize(6);
    pool.run(minutes(45));
    expect(adviceOf(pool).spare).toBeLessThanOrEqual(1);
    pool.run(minutes(30));
    expect(adviceOf(pool).spare).toBeGreaterThanOrEqual(3);
  });

  test("who follows it over noisy load changes the pool but seldom, and never back and forth", () => {
    const changes: number[] = [];
    // A mean that lies where one backend more or less is hardly a matter, with minutes of up to a third more or less.
    const rate = (second: number): number => 4.2 + 1.4 * Math.sin(second / 37) * Math.sin(second / 211);
    const pool = new SimulatedPool({ rate, serviceSeconds: 8, slots: 8, backends: 3 });
    pool.run(minutes(61));
    for (let minute = 0; minute < 600; minute++) {
      pool.run(60);
      const { wanted } = adviceOf(pool);
      if (wanted === pool.backends) continue;
      changes.push(wanted! - pool.backends);
      pool.resize(wanted!);
    }
    const turns = changes.filter((change, at) => at > 0 && Math.sign(change) !== Math.sign(changes[at - 1]!));
    expect(turns.length).toBeLessThanOrEqual(1);
    expect(changes.length).toBeLessThanOrEqual(5);
  });

  test("nothing is said before there is a whole window, and nothing is spare before there are four", () => {
    const pool = new SimulatedPool({ rate: () => 1, serviceSeconds: 2, slots: 8, backends: 4 });
    pool.run(minutes(3) + 1);
    expect(adviceOf(pool)).toMatchObject({ say: "not enough data: 2 min of 15 min", wanted: null, numbers: null });
    pool.run(minutes(13));
    expect(adviceOf(pool)).toMatchObject({ say: "enough", wanted: 4 });
    pool.run(minutes(46));
    expect(adviceOf(pool)).toMatchObject({ say: "3 spare", wanted: 1, spare: 3 });
  });

  test("one backend stays without any load", () => {
    const pool = new SimulatedPool({ rate: () => 0, serviceSeconds: 1, slots: 8, backends: 1 });
    pool.run(minutes(90));
    expect(adviceOf(pool)).toMatchObject({ say: "enough", wanted: 1, spare: 0 });
  });
});

describe("backends that are not up", () => {
  const loaded = new SimulatedPool({ rate: () => 3, serviceSeconds: 8, slots: 8, backends: 3, maxWaitSeconds: 30 });
  loaded.run(minutes(90));
  const advised = (presence: Parameters<typeof loaded.history>[0]): Advice => adviseOn(loaded.history(presence))[0]!;
  const { wanted } = advised({});

  test("are to be brought back before any is added", () => {
    expect(wanted).toBeGreaterThanOrEqual(5);
    expect(advised({ b7: "down" })).toMatchObject({
      state: "bring_back",
      say: `down: bring back b7, and add ${wanted! - 4}`,
      missing: wanted! - 4,
      up: 3,
      down: ["b7"],
    });
    const many = { b3: "down", b4: "down", b5: "down", b6: "down" } as const;
    expect(advised(many)).toMatchObject({ missing: 0, say: `down: bring back ${wanted! - 3} of b3, b4, b5, b6` });
  });

  test("count already while they load, and are left alone where an operator drained them", () => {
    expect(advised({ b3: "loading", b4: "loading" })).toMatchObject({ missing: wanted! - 5, loading: ["b3", "b4"] });
    expect(advised({ b3: "by_hand" })).toMatchObject({ say: `add ${wanted! - 3}`, by_hand: ["b3"] });
  });

  test("are named where the load does without them", () => {
    const pool = new SimulatedPool({ rate: () => 0.1, serviceSeconds: 8, slots: 8, backends: 1 });
    pool.run(minutes(90));
    expect(adviseOn(pool.history({ b1: "down" }))[0]!.say).toBe("b1 is down; enough");
    expect(adviseOn(pool.history({ b1: "down", b2: "down" }))[0]!.say).toBe("b1, b2 are down; enough");
  });
});
