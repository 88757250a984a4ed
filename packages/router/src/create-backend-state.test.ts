import type { Outcome } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import { type BackendStateOptions, createBackendState } from "./create-backend-state.ts";

const ok: Outcome = { kind: "ok" };
const failed: Outcome = { kind: "failed", cause: "connect" };
const busy = (retryAfterMs?: number): Outcome => ({ kind: "backpressure", status: 429, retryAfterMs });

function setUp(options: Partial<BackendStateOptions> = {}) {
  const clock = { now: 50_000 };
  const moves: string[] = [];
  const backend = createBackendState({
    name: "edge",
    maxConcurrent: 4,
    now: () => clock.now,
    random: () => 0.5,
    onBreakerChange: ({ backend, model, from, to }) => moves.push(`${backend}/${model} ${from}>${to}`),
    ...options,
  });
  const state = backend.deployment("m");
  const attempt = (outcome: Outcome, force = false) => {
    const permit = state.begin(clock.now, force);
    permit?.end(outcome);
    return permit !== undefined;
  };
  const probe = (status: "ready" | "loading" | "down") =>
    backend.observe({ status, reason: "probe" }, undefined, undefined);
  return {
    clock,
    backend,
    state,
    attempt,
    probe,
    moves,
    unfit: () => state.unfit(clock.now),
    wait: () => state.retryInMs(clock.now),
  };
}

test("a backend that was never probed may be tried", () => {
  const { unfit, wait } = setUp();
  expect(unfit()).toBeUndefined();
  expect(wait()).toBe(0);
});

describe("max_concurrent", () => {
  test("is full when every slot is taken, and a slot comes back with the outcome", () => {
    const { state, unfit, wait, clock } = setUp();
    const permits = Array.from({ length: 4 }, () => state.begin(clock.now));
    expect(unfit()).toBe("full");
    expect(state.begin(clock.now)).toBeUndefined();
    expect(state.begin(clock.now, true)).toBeUndefined();
    expect(wait()).toBeGreaterThan(0);
    permits[0]!.end({ kind: "client_gone" });
    expect(unfit()).toBeUndefined();
    expect(state.backend.inFlight).toBe(3);
  });

  test("an outcome that is told twice frees one slot", () => {
    const { state, clock } = setUp();
    const permit = state.begin(clock.now)!;
    state.begin(clock.now);
    permit.end(ok);
    permit.end(ok);
    expect(state.backend.inFlight).toBe(1);
  });

  test("the wait for a slot follows how long replies take", () => {
    const { state, wait, clock } = setUp({ maxConcurrent: 2 });
    for (let reply = 0; reply < 60; reply++) {
      const permit = state.begin(clock.now)!;
      clock.now += 8000;
      permit.end(ok);
    }
    state.begin(clock.now);
    state.begin(clock.now);
    expect(wait()).toBeGreaterThan(3500);
    expect(wait()).toBeLessThan(4500);
  });
});

describe("cooling down", () => {
  test("honours Retry-After to the millisecond, forced or not", () => {
    const { attempt, unfit, wait, clock, state } = setUp();
    attempt(busy(2000));
    expect(unfit()).toBe("cooling_down");
    expect(wait()).toBe(2000);
    clock.now += 1999;
    expect(state.begin(clock.now, true)).toBeUndefined();
    clock.now += 1;
    expect(unfit()).toBeUndefined();
  });

  test("a shorter Retry-After does not shorten a longer one", () => {
    const { state, wait, clock } = setUp();
    const permits = [state.begin(clock.now)!, state.begin(clock.now)!];
    permits[0]!.end(busy(5000));
    permits[1]!.end(busy(1000));
    expect(wait()).toBe(5000);
  });

  test("without Retry-After pauses 1, 2, 4, ... at most 30 s, and 1 s again after an answer", () => {
    const { attempt, wait, clock } = setUp();
    const waits: number[] = [];
    for (let round = 0; round < 7; round++) {
      attempt(busy());
      waits.push(wait());
      clock.now += wait();
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    attempt(ok);
    attempt(busy());
    expect(wait()).toBe(1000);
  });

  test("attempts that are refused side by side count once", () => {
    const { state, wait, clock } = setUp();
    const permits = Array.from({ length: 4 }, () => state.begin(clock.now)!);
    for (const permit of permits) permit.end(busy());
    expect(wait()).toBe(1000);
  });

  test("does not believe a Retry-After of a day", () => {
    const { attempt, wait } = setUp();
    attempt(busy(86_400_000));
    expect(wait()).toBe(300_000);
  });

  test("never moves the breaker", () => {
    const { attempt, clock, state, moves } = setUp();
    for (let round = 0; round < 200; round++) {
      attempt(busy(1));
      clock.now += 1;
    }
    expect(state.breaker).toBe("closed");
    expect(moves).toEqual([]);
  });
});

describe("health", () => {
  test("a failed probe takes it out, a good one brings it back", () => {
    const { probe, unfit, wait } = setUp();
    probe("down");
    expect(unfit()).toBe("down");
    expect(wait()).toBe(5000);
    probe("loading");
    expect(unfit()).toBe("loading");
    probe("ready");
    expect(unfit()).toBeUndefined();
  });

  test("a failed probe is not believed right after an answer", () => {
    const { probe, attempt, unfit, clock } = setUp();
    attempt(ok);
    clock.now += 9_000;
    probe("down");
    expect(unfit()).toBeUndefined();
    clock.now += 2_000;
    probe("down");
    expect(unfit()).toBe("down");
  });

  test("a failed probe is believed when the last attempt failed too", () => {
    const { probe, attempt, unfit, clock } = setUp();
    attempt(ok);
    clock.now += 10;
    attempt(failed);
    probe("down");
    expect(unfit()).toBe("down");
  });

  test("a slow probe cannot eject a backend that delivers tokens", () => {
    const { state, probe, unfit, clock } = setUp();
    const permit = state.begin(clock.now)!;
    for (let step = 0; step < 10; step++) {
      clock.now += 5_000;
      permit.alive(clock.now);
      probe("down");
      expect(unfit()).toBeUndefined();
    }
  });

  test("an answer to a forced attempt ends `down`", () => {
    const { state, probe, attempt, unfit } = setUp();
    probe("down");
    expect(attempt(ok)).toBe(false);
    expect(attempt(ok, true)).toBe(true);
    expect(unfit()).toBeUndefined();
    expect(state.backend.health).toMatchObject({ status: "ready", reason: "answered a request" });
  });

  test("busy is not down, and not ready either", () => {
    const { state, probe, attempt } = setUp();
    probe("loading");
    attempt(busy(1000), true);
    expect(state.backend.health.status).toBe("loading");
  });

  test("tells since when", () => {
    const { state, probe, clock } = setUp();
    probe("ready");
    clock.now += 700;
    probe("ready");
    expect(state.backend.health.since).toBe(50_000);
    probe("loading");
    expect(state.backend.health.since).toBe(50_700);
  });

  test("load from replies completes the load from probes", () => {
    const { state } = setUp();
    state.backend.observe({ status: "ready", reason: "" }, { running: 3, slots: 8 }, new Set(["m"]));
    state.backend.observeLoad({ running: 4, kvUse: 0.5 });
    expect(state.backend.load).toEqual({ running: 4, slots: 8, kvUse: 0.5 });
    expect(state.backend.warm).toEqual(new Set(["m"]));
  });
});

describe("breaker", () => {
  test("takes the backend out after three failures and tells who, from what, to what", () => {
    const { attempt, unfit, wait, moves, clock, state } = setUp();
    for (let round = 0; round < 3; round++) attempt(failed);
    expect(unfit()).toBe("breaker_open");
    expect(wait()).toBe(1000);
    clock.now += 1000;
    expect(state.breaker).toBe("half_open");
    attempt(ok);
    expect(moves).toEqual(["edge/m closed>open", "edge/m open>half_open", "edge/m half_open>closed"]);
  });

  test("recovers slowly", () => {
    const { attempt, clock, state, unfit } = setUp({ maxConcurrent: 16 });
    for (let round = 0; round < 3; round++) attempt(failed);
    clock.now += 1000;
    attempt(ok);
    state.begin(clock.now);
    state.begin(clock.now);
    expect(unfit()).toBe("recovering");
    expect(state.begin(clock.now, true)).toBeUndefined();
  });

  test("a probe that turns good after the outage shortens the wait", () => {
    const { attempt, probe, unfit } = setUp();
    for (let round = 0; round < 3; round++) attempt(failed);
    probe("down");
    probe("ready");
    expect(unfit()).toBeUndefined();
  });

  test("a probe that was good all along does not", () => {
    const { attempt, probe, unfit } = setUp();
    probe("ready");
    for (let round = 0; round < 3; round++) attempt(failed);
    probe("ready");
    expect(unfit()).toBe("breaker_open");
  });

  test("20 requests in a flap of 60 s cost three failed attempts plus one per wait, and traffic is back within 10 s", () => {
    const { state, clock, attempt } = setUp();
    let tries = 0;
    const start = clock.now;
    for (let request = 0; request < 600; request++) {
      clock.now = start + request * 100;
      if (attempt(failed)) tries++;
    }
    expect(tries).toBeLessThanOrEqual(3 + 10);
    const recovered = clock.now;
    while (state.breaker !== "closed" && clock.now < recovered + 60_000) {
      clock.now += 100;
      attempt(ok);
    }
    expect(clock.now - recovered).toBeLessThanOrEqual(10_000);
  });
});

test("asking a healthy backend takes under a microsecond", () => {
  const { state, clock, probe } = setUp();
  probe("ready");
  const ask = (times: number) => {
    const began = process.hrtime.bigint();
    let unfit = 0;
    for (let round = 0; round < times; round++) if (state.unfit(clock.now) !== undefined) unfit++;
    expect(unfit).toBe(0);
    return Number(process.hrtime.bigint() - began) / times;
  };
  ask(100_000);
  expect(Math.min(ask(100_000), ask(100_000), ask(100_000))).toBeLessThan(1000);
});
