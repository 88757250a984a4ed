import { createHook } from "node:async_hooks";
import { setImmediate } from "node:timers/promises";
import type { FailureCause, Outcome } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import type { Permit } from "./backend-state.ts";
import { type BackendStateOptions, createBackendState } from "./create-backend-state.ts";

const ok: Outcome = { kind: "ok" };
const failed = (cause: FailureCause): Outcome => ({ kind: "failed", cause });
const refused = failed("connect");

/** A backend with the models `big` and `small`, each told of its attempts' outcomes. */
function setUp(options: Partial<BackendStateOptions> = {}) {
  const clock = { now: 50_000 };
  const moves: string[] = [];
  const backend = createBackendState({
    name: "edge",
    maxConcurrent: 64,
    now: () => clock.now,
    random: () => 0.5,
    onBreakerChange: ({ model, from, to }) => moves.push(`${model} ${from}>${to}`),
    ...options,
  });
  const big = backend.deployment("big");
  const small = backend.deployment("small");
  const attempt = (state: typeof big, outcome: Outcome, force = false): boolean => {
    const permit = state.begin(clock.now, force);
    permit?.end(outcome);
    return permit !== undefined;
  };
  const times = (count: number, state: typeof big, outcome: Outcome): number =>
    Array.from({ length: count }, () => attempt(state, outcome)).filter(Boolean).length;
  const probe = (status: "ready" | "down") => backend.observe({ status, reason: "probe" }, undefined, undefined);
  const unfit = () => [big.unfit(clock.now), small.unfit(clock.now)];
  const breakers = () => [big.breaker, small.breaker];
  return { clock, moves, backend, big, small, attempt, times, probe, unfit, breakers };
}

describe("one model of two", () => {
  test.each<FailureCause>(["reset", "first_token", "stall", "cut", "malformed", "server_error"])(
    "that fails by %s is taken out alone, on its third failure, and the other serves on",
    (cause) => {
      const { big, small, times, unfit, breakers, moves } = setUp();
      expect(times(2, big, failed(cause))).toBe(2);
      expect(breakers()).toEqual(["closed", "closed"]);
      expect(times(1000, big, failed(cause))).toBe(1);
      expect(times(1000, small, ok)).toBe(1000);
      expect(breakers()).toEqual(["open", "closed"]);
      expect(unfit()).toEqual(["breaker_open", undefined]);
      expect(moves).toEqual(["big closed>open"]);
    },
  );

  test("that answers 429 or 503 cools down alone, and the other is not made to wait", () => {
    const { big, attempt, unfit, clock, small } = setUp();
    attempt(big, { kind: "backpressure", status: 503, retryAfterMs: 2000 });
    expect(unfit()).toEqual(["cooling_down", undefined]);
    expect([big.retryInMs(clock.now), small.retryInMs(clock.now)]).toEqual([2000, 0]);
    expect([big.coolingUntil, small.coolingUntil]).toEqual([52_000, 0]);
  });

  test("comes back by its own probe and slow start; what the other does is not its matter", () => {
    const { big, small, attempt, times, clock, breakers, unfit } = setUp();
    times(3, big, failed("server_error"));
    clock.now += 1000;
    expect(breakers()).toEqual(["half_open", "closed"]);
    times(100, small, ok);
    expect(breakers()).toEqual(["half_open", "closed"]);
    attempt(big, ok);
    expect(breakers()).toEqual(["closed", "closed"]);
    big.begin(clock.now);
    big.begin(clock.now);
    expect(unfit()).toEqual(["recovering", undefined]);
  });
});

describe("slots, load and health are the backend's", () => {
  test("all models share max_concurrent", () => {
    const { big, small, backend, clock, unfit } = setUp({ maxConcurrent: 2 });
    const one = big.begin(clock.now)!;
    small.begin(clock.now);
    expect(unfit()).toEqual(["full", "full"]);
    one.end(ok);
    expect(unfit()).toEqual([undefined, undefined]);
    expect(backend.inFlight).toBe(1);
  });

  test("errors of one model do not lend weight to a slow probe while the other delivers", () => {
    const { big, small, attempt, probe, unfit } = setUp();
    attempt(small, ok);
    attempt(big, failed("server_error"));
    attempt(big, failed("malformed"));
    probe("down");
    expect(unfit()).toEqual([undefined, undefined]);
    attempt(big, failed("first_token"));
    probe("down");
    expect(unfit()).toEqual(["down", "down"]);
  });

  test("a failed probe takes all of them out, a good one ends every wait", () => {
    const { big, times, probe, unfit, clock } = setUp();
    times(3, big, failed("server_error"));
    probe("down");
    expect(unfit()).toEqual(["down", "down"]);
    probe("ready");
    expect(unfit()).toEqual([undefined, undefined]);
    expect(clock.now).toBe(50_000);
  });
});

describe("an outage of the host", () => {
  test("opens every model's breaker on the third failed connect, whoever met it", () => {
    const { big, small, attempt, breakers, moves } = setUp();
    attempt(big, refused);
    attempt(small, refused);
    expect(breakers()).toEqual(["closed", "closed"]);
    attempt(big, refused);
    expect(breakers()).toEqual(["open", "open"]);
    expect(moves).toEqual(["big closed>open", "small closed>open"]);
  });

  test("has one probe a wait, with any number of models", () => {
    const { backend, clock, attempt } = setUp();
    const models = Array.from({ length: 20 }, (_, index) => backend.deployment(`model-${index}`));
    const tries: number[] = [];
    const start = clock.now;
    for (; clock.now < start + 31_000; clock.now += 10) {
      for (const model of models) if (attempt(model, refused)) tries.push(clock.now - start);
    }
    expect(tries).toEqual([0, 0, 0, 1000, 3000, 7000, 15_000, 23_000]);
  });

  test("a probe that hangs keeps every model out; a second one is not sent beside it", () => {
    const { big, small, clock, times } = setUp();
    times(3, big, refused);
    clock.now += 1000;
    expect(big.begin(clock.now)).toBeDefined();
    expect(small.begin(clock.now)).toBeUndefined();
    expect(small.begin(clock.now, true)).toBeUndefined();
    clock.now += 30_000;
    expect(small.begin(clock.now)).toBeUndefined();
    expect(small.retryInMs(clock.now)).toBe(2000);
  });

  test("one forced try a wait, whichever model panics", () => {
    const { big, small, times, attempt } = setUp();
    times(3, big, refused);
    expect(attempt(small, refused, true)).toBe(true);
    expect(attempt(small, refused, true)).toBe(false);
    expect(attempt(big, refused, true)).toBe(false);
  });

  test("ends for all with one answer of any kind, and all share one slow start", () => {
    const { big, small, attempt, times, clock, breakers, moves } = setUp();
    times(3, big, refused);
    clock.now += 1000;
    attempt(big, failed("server_error"));
    expect(breakers()).toEqual(["closed", "closed"]);
    expect(moves.slice(2)).toEqual([
      "big open>half_open",
      "small open>half_open",
      "big half_open>closed",
      "small half_open>closed",
    ]);
    const admitted = [big, small, big, small].map((state) => state.begin(clock.now) !== undefined);
    expect(admitted).toEqual([true, true, false, false]);
  });

  test.each<Outcome>([
    { kind: "client_gone" },
    { kind: "shortage" },
    failed("first_token"),
    failed("reset"),
    failed("total"),
  ])("a probe that ends with $kind $cause says nothing of the way: the next one may go at once", (outcome) => {
    const { big, small, times, attempt, clock, breakers } = setUp();
    times(3, big, refused);
    clock.now += 1000;
    attempt(small, outcome);
    expect(breakers()).toEqual(["half_open", "half_open"]);
    expect(small.begin(clock.now)).toBeDefined();
  });

  test("an answer to one model between two failed connects of another is an answer", () => {
    const { big, small, attempt, breakers } = setUp();
    for (let round = 0; round < 4; round++) {
      attempt(big, refused);
      attempt(big, refused);
      for (let answer = 0; answer < 4; answer++) attempt(small, ok);
    }
    expect(breakers()).toEqual(["closed", "closed"]);
  });

  test("failed connects do not count against a model, so that it owes no probe of its own when the host is back", () => {
    const { big, small, attempt, times, breakers } = setUp();
    attempt(big, refused);
    attempt(big, refused);
    times(2, big, failed("server_error"));
    expect(breakers()).toEqual(["closed", "closed"]);
    times(1, big, failed("server_error"));
    expect(breakers()).toEqual(["open", "closed"]);
    expect(attempt(small, ok)).toBe(true);
  });
});

describe("wrong moves", () => {
  const outcomes: readonly Outcome[] = [
    { kind: "caller_error", status: 400 },
    { kind: "backpressure", status: 429, retryAfterMs: undefined },
    { kind: "backpressure", status: 503, retryAfterMs: 1000 },
    { kind: "client_gone" },
    { kind: "shortage" },
  ];

  test.each(outcomes)("S11 a thousand of $kind $status move no breaker", (outcome) => {
    const { big, attempt, clock, moves, breakers } = setUp();
    for (let round = 0; round < 1000; round++) {
      expect(attempt(big, outcome)).toBe(true);
      clock.now = Math.max(clock.now, big.coolingUntil);
    }
    expect(moves).toEqual([]);
    expect(breakers()).toEqual(["closed", "closed"]);
  });

  test("S11 nor do a thousand of them in turn between two failures", () => {
    const { big, attempt, clock, moves } = setUp();
    attempt(big, failed("stall"));
    for (let round = 0; round < 1000; round++) {
      attempt(big, outcomes[round % outcomes.length]!);
      clock.now = Math.max(clock.now, big.coolingUntil);
    }
    attempt(big, failed("stall"));
    expect(moves).toEqual([]);
  });

  test("S11 clients that leave in the midst of a stream move nothing, however many", () => {
    const { big, clock, moves, breakers } = setUp();
    const permits: Permit[] = [];
    for (let round = 0; round < 50; round++) {
      while (permits.length < 20) permits.push(big.begin(clock.now)!);
      clock.now += 5;
      for (const permit of permits) permit.alive(clock.now);
      for (const permit of permits.splice(0)) permit.end({ kind: "client_gone" });
    }
    expect(moves).toEqual([]);
    expect(breakers()).toEqual(["closed", "closed"]);
  });
});

describe("by hand", () => {
  test("`drain` lets what is under way finish and takes nothing new, forced or not", () => {
    const { backend, big, small, clock, unfit, breakers } = setUp();
    const permit = big.begin(clock.now)!;
    backend.setOverride("drain");
    expect(unfit()).toEqual(["draining", "draining"]);
    expect(small.begin(clock.now)).toBeUndefined();
    expect(small.begin(clock.now, true)).toBeUndefined();
    expect(small.retryInMs(clock.now)).toBe(30_000);
    expect(backend.inFlight).toBe(1);
    permit.end(ok);
    expect(backend.inFlight).toBe(0);
    expect(breakers()).toEqual(["closed", "closed"]);
    backend.setOverride(undefined);
    expect(unfit()).toEqual([undefined, undefined]);
  });

  test("`open` holds every breaker open, whatever probes say, and `auto` comes back with one probe and a slow start", () => {
    const { backend, big, small, clock, attempt, unfit, breakers, moves, probe } = setUp();
    backend.setOverride("open");
    expect(unfit()).toEqual(["opened_by_hand", "opened_by_hand"]);
    expect(small.begin(clock.now, true)).toBeUndefined();
    expect(big.retryInMs(clock.now)).toBe(30_000);
    probe("down");
    probe("ready");
    clock.now += 3_600_000;
    expect(breakers()).toEqual(["open", "open"]);
    backend.setOverride(undefined);
    expect(breakers()).toEqual(["half_open", "half_open"]);
    const trial = big.begin(clock.now)!;
    expect(small.begin(clock.now)).toBeUndefined();
    trial.end(ok);
    expect([big, small, big].map((state) => attempt(state, ok))).toEqual([true, true, true]);
    expect(breakers()).toEqual(["closed", "closed"]);
    expect(moves).toEqual([
      "big closed>open",
      "small closed>open",
      "big open>half_open",
      "small open>half_open",
      "big half_open>closed",
      "small half_open>closed",
    ]);
  });

  test("a failure of what was under way when it was opened by hand says nothing afterwards", () => {
    const { backend, big, clock, attempt, breakers } = setUp();
    const old = Array.from({ length: 5 }, () => big.begin(clock.now)!);
    backend.setOverride("open");
    backend.setOverride(undefined);
    for (const permit of old) permit.end(refused);
    attempt(big, ok);
    expect(breakers()).toEqual(["closed", "closed"]);
  });

  test("`close` forgets failures, waits and pauses, and no failure counts while it lasts", () => {
    const { backend, big, small, clock, times, attempt, unfit, breakers } = setUp();
    times(3, big, failed("server_error"));
    attempt(small, { kind: "backpressure", status: 429, retryAfterMs: 60_000 });
    expect(unfit()).toEqual(["breaker_open", "cooling_down"]);
    backend.setOverride("close");
    expect(unfit()).toEqual([undefined, undefined]);
    expect(times(200, big, failed("server_error"))).toBe(200);
    expect(times(200, small, refused)).toBe(200);
    expect(breakers()).toEqual(["closed", "closed"]);
    backend.setOverride(undefined);
    expect(times(5, big, failed("server_error"))).toBe(3);
    expect(breakers()).toEqual(["open", "closed"]);
    expect(big.retryInMs(clock.now)).toBe(1000);
  });

  test("`close` ends an outage of the host for all models, without a slow start", () => {
    const { backend, big, small, clock, times, breakers } = setUp();
    times(3, big, refused);
    backend.setOverride("close");
    expect(breakers()).toEqual(["closed", "closed"]);
    expect(Array.from({ length: 30 }, () => small.begin(clock.now)).filter(Boolean)).toHaveLength(30);
  });

  test("a failed probe still takes a backend out that was closed by hand", () => {
    const { backend, probe, unfit } = setUp();
    backend.setOverride("close");
    probe("down");
    expect(unfit()).toEqual(["down", "down"]);
  });

  test("one word after the other: `open`, then `drain`, then `auto` is a probe again", () => {
    const { backend, breakers, unfit } = setUp();
    backend.setOverride("open");
    backend.setOverride("drain");
    expect(unfit()).toEqual(["draining", "draining"]);
    backend.setOverride(undefined);
    expect(breakers()).toEqual(["half_open", "half_open"]);
  });

  test("the same word twice changes nothing", () => {
    const { backend, moves, clock, big } = setUp();
    backend.setOverride("open");
    backend.setOverride("open");
    expect(moves).toEqual(["big closed>open", "small closed>open"]);
    backend.setOverride("close");
    big.begin(clock.now)!.end(ok);
    backend.setOverride("close");
    backend.setOverride(undefined);
    expect(moves).toHaveLength(4);
  });
});

describe("models that come and go", () => {
  test("a model is the same one as long as it is kept, with what it learned", () => {
    const { backend, big, times } = setUp();
    times(3, big, failed("stall"));
    backend.retain(new Set(["big"]));
    expect(backend.deployment("big")).toBe(big);
    expect(big.breaker).toBe("open");
    expect([...backend.deployments].map(({ model }) => model)).toEqual(["big"]);
  });

  test("one that left and came back is new", () => {
    const { backend, big, times } = setUp();
    times(3, big, failed("stall"));
    backend.retain(new Set());
    expect(backend.deployment("big").breaker).toBe("closed");
  });

  test("one that comes while the host is out of reach is out of reach, and tells its recovery", () => {
    const { backend, big, times, attempt, clock, moves } = setUp();
    times(3, big, refused);
    const late = backend.deployment("late");
    expect(late.breaker).toBe("open");
    clock.now += 1000;
    attempt(late, ok);
    expect(moves.filter((move) => move.startsWith("late"))).toEqual(["late open>half_open", "late half_open>closed"]);
  });

  test("a thousand reloads leave nothing behind: no state, no timer", async () => {
    const { backend, clock } = setUp();
    const timers = new Set<number>();
    // What breakers hold does not keep the process alive, so that only hooks see it.
    const hook = createHook({
      init: (id, type) => void (type === "Timeout" && timers.add(id)),
      destroy: (id) => void timers.delete(id),
    }).enable();
    for (let reload = 0; reload < 1000; reload++) {
      const state = backend.deployment(`model-${reload}`);
      for (let round = 0; round < 3; round++) state.begin(clock.now)!.end(failed("stall"));
      expect(state.breaker).toBe("open");
      if (reload === 0) expect(timers.size).toBe(1);
      backend.retain(new Set(["big"]));
    }
    expect([...backend.deployments]).toHaveLength(1);
    await setImmediate();
    hook.disable();
    expect(timers.size).toBe(0);
  });

  test("a request that still holds a model which left can go on with it", () => {
    const { backend, big, clock } = setUp();
    const permit = big.begin(clock.now)!;
    backend.retain(new Set());
    permit.end(failed("cut"));
    expect(backend.inFlight).toBe(0);
    const late = Array.from({ length: 5 }, () => big.begin(clock.now)!);
    expect(backend.inFlight).toBe(5);
    for (const permit of late) permit.end(ok);
    expect(backend.inFlight).toBe(0);
  });
});
