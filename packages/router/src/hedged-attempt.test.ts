import { GatewayError } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import type { AttemptEnd } from "./attempt-failure.ts";
import { errorOf, rig } from "./test-rig.ts";

const connect: AttemptEnd = { how: "fault", fault: "connect" };
const reset: AttemptEnd = { how: "fault", fault: "reset" };
const refused = (meaning: "caller" | "context_length" | "server", status: number): AttemptEnd => ({
  how: "refused",
  error: { status, meaning, message: "said no", retryAfterMs: undefined, body: undefined },
});
const cancelled = { kind: "cancelled" };

/** Two backends of one model, the second beside the first after 100 ms. */
const two = { models: { big: ["a", "b"] }, hedge: { big: 100 } };
const never = Number.POSITIVE_INFINITY;

describe("an attempt that shows nothing for too long", () => {
  test("has another one made beside it, and the first to commit wins", async () => {
    const { run, ended, withdrawn, states, now, asked } = rig({
      ...two,
      steps: { a: ["late"], b: ["quick"] },
      takes: { a: 500, b: 50 },
    });
    const opened = await run();
    expect(opened).toMatchObject({ reply: "quick", attempts: 2, candidate: { backend: { name: "b" } } });
    expect(now()).toBe(150);
    expect(opened.records).toEqual([
      { backend: "b", model: "big", outcome: "ok", cause: undefined, ms: 50, hedge: "big" },
      { backend: "a", model: "big", outcome: "cancelled", cause: undefined, ms: 150, hedge: undefined },
    ]);
    expect(withdrawn).toEqual(["a"]);
    expect(ended).toEqual([{ backend: "a", outcome: cancelled }]);
    expect(states.get("a")!.backend.inFlight).toBe(0);
    expect(states.get("b")!.backend.inFlight).toBe(1);
    expect(asked).toEqual({ retries: 1, givenBack: 0 });
  });

  test("may still win", async () => {
    const { run, withdrawn, ended } = rig({ ...two, steps: { a: ["late"], b: ["no"] }, takes: { a: 120, b: 50 } });
    const opened = await run();
    expect(opened).toMatchObject({ reply: "late", attempts: 2 });
    expect(opened.records.map(({ backend, outcome, ms }) => [backend, outcome, ms])).toEqual([
      ["a", "ok", 120],
      ["b", "cancelled", 20],
    ]);
    expect(withdrawn).toEqual(["b"]);
    expect(ended).toEqual([{ backend: "b", outcome: cancelled }]);
  });

  test("has none beside it when it commits in time, and none when it fails in time", async () => {
    const inTime = rig({ ...two, steps: { a: ["hello"], b: ["no"] }, takes: { a: 99 } });
    await expect(inTime.run()).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(inTime.timers()).toBe(0);
    expect(inTime.rivals).toEqual(["a"]);
    expect(inTime.tried).toEqual(["a"]);
    const failing = rig({ ...two, steps: { a: [connect], b: ["hello"] }, takes: { a: 99 } });
    const opened = await failing.run();
    expect(opened.records).toMatchObject([{ outcome: "failed" }, { outcome: "ok", hedge: undefined }]);
    expect(failing.now()).toBe(109);
  });

  test("has none beside it once its first content is there, though it is held back", async () => {
    const { run, tried } = rig({ ...two, steps: { a: ["held"], b: ["no"] }, takes: { a: 900 }, begins: { a: 99 } });
    await expect(run()).resolves.toMatchObject({ reply: "held", attempts: 1 });
    expect(tried).toEqual(["a"]);
  });

  test("tells its backend of life", async () => {
    const { run, states } = rig({ ...two, steps: { a: ["held"], b: ["no"] }, takes: { a: 900 }, begins: { a: 99 } });
    await run();
    const { backend } = states.get("a")!;
    backend.observe({ status: "down", reason: "probe failed" }, undefined, undefined);
    expect(backend.health.status).toBe("unknown");
  });

  test("has one beside it at a time, and the request makes no more attempts than it may", async () => {
    const { run, tried, now } = rig({
      models: { big: ["a", "b", "c", "d"] },
      hedge: { big: 100 },
      steps: { a: [connect], b: [connect], c: ["hello"], d: ["no"] },
      takes: { a: 1000, b: 2000, c: 500 },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 3 });
    expect(tried).toEqual(["a", "b", "c"]);
    // The third begins when both have failed, and has nobody beside it: no attempt is left.
    expect(now()).toBe(2600);
  });

  test("the next attempt of the walk may be hedged in its turn", async () => {
    const { run, now } = rig({
      models: { big: ["a", "b", "c"] },
      hedge: { big: 100 },
      steps: { a: [connect], b: ["late"], c: ["quick"] },
      takes: { a: 10, b: never, c: 10 },
    });
    const opened = await run();
    expect(opened).toMatchObject({ reply: "quick", attempts: 3 });
    expect(opened.records.map(({ backend, hedge }) => [backend, hedge])).toEqual([
      ["a", undefined],
      ["c", "big"],
      ["b", undefined],
    ]);
    expect(now()).toBe(120);
  });
});

describe("when one of two fails", () => {
  test.each([
    { what: "the first", a: connect, b: "hello", takes: { a: 200, b: 300 } },
    { what: "the second", a: "hello", b: connect, takes: { a: 300, b: 10 } },
  ])("$what, the other goes on", async ({ a, b, takes }) => {
    const { run, tried, ended, withdrawn } = rig({ ...two, steps: { a: [a], b: [b] }, takes });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 2 });
    expect(tried).toEqual(["a", "b"]);
    expect(ended).toEqual([{ backend: a === connect ? "a" : "b", outcome: { kind: "failed", cause: "connect" } }]);
    expect(withdrawn).toEqual([]);
  });

  test("both: the walk goes on behind them, and the last failure is told", async () => {
    const { run, tried } = rig({
      models: { big: ["a", "b"], small: ["c"] },
      hedge: { big: 100 },
      steps: { a: [connect], b: [connect], c: ["hello"] },
      takes: { a: 200, b: 200 },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 3, model: { name: "small" } });
    expect(tried).toEqual(["a", "b", "c"]);
    const failing = rig({
      ...two,
      steps: { a: [connect], b: [{ how: "timeout", which: "first_token" }] },
      takes: { a: 200, b: 200 },
    });
    expect(await errorOf(failing.run())).toMatchObject({ code: "upstream_timeout" });
    expect(failing.tried).toEqual(["a", "b"]);
  });

  test("a 5xx of the first is asked again, after its pause, when the second has failed as well", async () => {
    const { run, tried, slept } = rig({
      ...two,
      steps: { a: [refused("server", 500), "hello"], b: [connect] },
      takes: { a: 200, b: 150 },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 3 });
    expect(tried).toEqual(["a", "b", "a"]);
    expect(slept).toEqual([150]);
  });

  test("a reset beside a running attempt counts, and is no reason to hurry", async () => {
    const { run, tried, ended, slept, asked } = rig({
      ...two,
      steps: { a: [reset, "hello"], b: [connect] },
      takes: { a: 150, b: 100 },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 3 });
    expect(tried).toEqual(["a", "b", "a"]);
    expect(ended[0]).toEqual({ backend: "a", outcome: { kind: "failed", cause: "reset" } });
    expect(slept).toEqual([150]);
    expect(asked).toEqual({ retries: 2, givenBack: 0 });
  });

  test("a second one that was dropped is not asked again", async () => {
    const { run, tried, slept } = rig({ ...two, steps: { a: [connect], b: [reset] }, takes: { a: 500 } });
    expect(await errorOf(run({ attempts: 4 }))).toMatchObject({ code: "backends_unavailable" });
    expect(tried).toEqual(["a", "b"]);
    expect(slept).toEqual([]);
  });
});

describe("what one of them says of the request holds for both", () => {
  test.each([
    { what: "the first", a: refused("caller", 422), b: "no", takes: { a: 150, b: 500 }, given: "b" },
    { what: "the second", a: "no", b: refused("caller", 422), takes: { a: 500, b: 10 }, given: "a" },
  ])("a 4xx of $what is the answer, and the other is given up", async ({ a, b, takes, given }) => {
    const { run, withdrawn, ended } = rig({ ...two, steps: { a: [a], b: [b] }, takes });
    expect(await errorOf(run())).toMatchObject({ code: "rejected_by_backend", status: 422 });
    expect(withdrawn).toEqual([given]);
    expect(ended).toContainEqual({ backend: given, outcome: cancelled });
    expect(ended).toHaveLength(2);
  });

  test("too long for a model is too long for its other backend, and a larger model is asked", async () => {
    const { run, tried, withdrawn } = rig({
      models: { big: ["a", "b"], larger: ["c"] },
      contexts: { big: 8192, larger: 32_768 },
      hedge: { big: 100 },
      steps: { a: [refused("context_length", 400)], b: ["no"], c: ["hello"] },
      takes: { a: 150, b: 500 },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", model: { name: "larger" } });
    expect(tried).toEqual(["a", "b", "c"]);
    expect(withdrawn).toEqual(["b"]);
  });

  test("what comes after one that was given up is as if it had not been", async () => {
    const { run, slept, ended } = rig({
      models: { big: ["a", "b"], larger: ["c"] },
      contexts: { big: 8192, larger: 32_768 },
      hedge: { big: 100 },
      steps: { a: [refused("context_length", 400)], b: ["no"], c: [reset, "hello"] },
      takes: { a: 150, b: 500 },
    });
    await expect(run({ attempts: 4 })).resolves.toMatchObject({ reply: "hello", attempts: 4 });
    expect(slept).toEqual([]);
    expect(ended.at(-1)).toEqual({ backend: "c", outcome: { kind: "client_gone" } });
  });

  test("too long for a fallback says nothing about the model before it", async () => {
    const { run, withdrawn } = rig({
      models: { big: ["a"], small: ["b"] },
      hedge: { big: 100 },
      steps: { a: ["hello"], b: [refused("context_length", 400)] },
      takes: { a: 500, b: 10 },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", model: { name: "big" } });
    expect(withdrawn).toEqual([]);
  });

  test("nor about its other backends, which are asked when it fails", async () => {
    const { run, tried, states, at } = rig({
      models: { big: ["a", "b"], small: ["c"] },
      hedge: { big: 100 },
      steps: { a: [connect], b: ["hello"], c: [refused("context_length", 400)] },
      takes: { a: 500 },
      maxConcurrent: 1,
    });
    at(50, () => {
      const permit = states.get("b")!.begin(50)!;
      at(300, () => permit.end({ kind: "ok" }));
    });
    await expect(run({ attempts: 4 })).resolves.toMatchObject({ reply: "hello", attempts: 3 });
    expect(tried).toEqual(["a", "c", "b"]);
  });

  test("a reply that is to be asked of another model ends the second attempt on the same one", async () => {
    const error = new GatewayError("tool_call_denied", "refused by policy");
    const { run, tried, withdrawn } = rig({
      models: { small: ["a", "b"], large: ["c"] },
      hedge: { small: 100 },
      steps: { a: [{ how: "denied", escalate: true, error }], b: ["no"], c: ["hello"] },
      takes: { a: 150, b: 500 },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", model: { name: "large" } });
    expect(tried).toEqual(["a", "b", "c"]);
    expect(withdrawn).toEqual(["b"]);
  });
});

describe("who is asked beside a late one", () => {
  const slow = { takes: { a: never } };

  test("a fallback where the model has nobody else, and it is not asked a second time", async () => {
    const models = { big: ["a"], small: ["b"], last: ["c"] };
    const steps = { a: [connect], b: [connect], c: ["hello"] };
    const { run, tried } = rig({ models, hedge: { big: 100 }, steps, takes: { a: 300 } });
    const opened = await run();
    expect(opened).toMatchObject({ reply: "hello", attempts: 3, model: { name: "last" } });
    expect(tried).toEqual(["a", "b", "c"]);
    expect(opened.records[0]).toMatchObject({ backend: "b", model: "small", hedge: "big" });
  });

  test("another backend of the model before a fallback", async () => {
    const { run } = rig({
      ...slow,
      models: { big: ["a", "b"], small: ["c"] },
      hedge: { big: 100 },
      steps: { a: ["no"], b: ["hello"], c: ["no"] },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", model: { name: "big" } });
  });

  test("only a fallback when no more than the last attempt is left", async () => {
    const { run, tried } = rig({
      models: { big: ["a", "b", "c"], small: ["d"] },
      hedge: { big: 100 },
      steps: { a: [connect], b: ["no"], c: ["no"], d: ["hello"] },
      takes: { b: never },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", model: { name: "small" } });
    expect(tried).toEqual(["a", "b", "d"]);
  });

  test("no fallback that is known to be too small", async () => {
    const { run, tried } = rig({
      models: { big: ["a"], larger: ["b"], same: ["c"], largest: ["d"] },
      contexts: { big: 8192, larger: 16_384, same: 8192, largest: 32_768 },
      hedge: { larger: 100 },
      steps: { a: [refused("context_length", 400)], b: ["no"], c: ["no"], d: ["hello"] },
      takes: { b: never },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", model: { name: "largest" } });
    expect(tried).toEqual(["a", "b", "d"]);
  });

  test.each([
    { why: "is full", spoil: (s: ReturnType<typeof rig>) => void s.states.get("b")!.begin(0) },
    {
      why: "is cooling down",
      spoil: (s: ReturnType<typeof rig>) =>
        s.states.get("b")!.begin(0)!.end({ kind: "backpressure", status: 429, retryAfterMs: 60_000 }),
    },
    {
      why: "is down",
      spoil: (s: ReturnType<typeof rig>) =>
        s.states.get("b")!.backend.observe({ status: "down", reason: "x" }, undefined, undefined),
    },
    {
      why: "would be a trial of whether it is back",
      spoil: (s: ReturnType<typeof rig>) => {
        for (let i = 0; i < 3; i++) s.states.get("b")!.begin(0)!.end({ kind: "failed", cause: "connect" });
        s.at(2500, () => expect(s.states.get("b")!.breaker).toBe("half_open"));
      },
    },
    {
      why: "would have to load the model",
      spoil: (s: ReturnType<typeof rig>) =>
        s.states.get("b")!.backend.observe({ status: "ready", reason: "" }, undefined, new Set(["other"])),
    },
  ])("nobody who $why", async ({ spoil }) => {
    const pool = rig({
      models: { big: ["a", "b"] },
      hedge: { big: 3000 },
      steps: { a: ["hello"], b: ["no"] },
      takes: { a: 5000 },
      maxConcurrent: 1,
    });
    pool.at(50, () => spoil(pool));
    await expect(pool.run()).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(pool.tried).toEqual(["a"]);
    expect(pool.asked.retries).toBe(0);
  });

  test("nobody whose slot went away meanwhile, and the retry is given back", async () => {
    const { run, tried, states, asked } = rig({ ...two, steps: { a: ["hello"], b: ["no"] }, takes: { a: 500 } });
    states.get("b")!.begin = () => undefined;
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(tried).toEqual(["a"]);
    expect(asked).toEqual({ retries: 1, givenBack: 1 });
  });

  test("not the backend of the late one under another name", async () => {
    const { run, tried } = rig({
      models: { big: ["a"], small: ["a"] },
      hedge: { big: 100 },
      steps: { a: ["hello"] },
      takes: { a: 500 },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(tried).toEqual(["a"]);
  });

  test("one that has its model loaded", async () => {
    const pool = rig({ ...two, ...slow, steps: { a: ["no"], b: ["hello"] } });
    pool.states.get("b")!.backend.observe({ status: "ready", reason: "" }, undefined, new Set(["big"]));
    await expect(pool.run()).resolves.toMatchObject({ reply: "hello" });
  });
});

describe("who is not hedged", () => {
  const late = { ...two, steps: { a: ["hello"], b: ["no"] }, takes: { a: 500 } };

  test("a model without it", async () => {
    const { run, tried, rivals } = rig({ ...late, hedge: { other: 100 } });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(tried).toEqual(["a"]);
    expect(rivals).toEqual([]);
  });

  test("an attempt that finds out whether a backend is back", async () => {
    const { run, tried, states, pass } = rig(late);
    for (let i = 0; i < 3; i++) states.get("a")!.begin(0)!.end({ kind: "failed", cause: "connect" });
    pass(2000);
    expect(states.get("a")!.breaker).toBe("half_open");
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(tried).toEqual(["a"]);
  });

  test("an attempt that makes its backend load the model", async () => {
    const { run, tried, states } = rig(late);
    states.get("a")!.backend.observe({ status: "ready", reason: "" }, undefined, new Set(["other"]));
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(tried).toEqual(["a"]);
  });

  test("an attempt that is forced for want of others", async () => {
    const { run, tried, states, at } = rig({ ...late, models: { big: ["a"], small: ["b"] } });
    const backends = ["a", "b"].map((name) => states.get(name)!.backend);
    for (const backend of backends) backend.observe({ status: "down", reason: "x" }, undefined, undefined);
    at(50, () => backends[1]!.observe({ status: "ready", reason: "" }, undefined, undefined));
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(tried).toEqual(["a"]);
  });

  test.each([
    { what: "the retry budget is used up", options: { retries: 0 }, attempts: 3, retries: 1 },
    { what: "the request has no attempt left", options: {}, attempts: 1, retries: 0 },
  ])("a request when $what: it waits, and is not the worse for it", async ({ options, attempts, retries }) => {
    const { run, tried, asked } = rig({ ...late, ...options });
    await expect(run({ attempts })).resolves.toMatchObject({ reply: "hello", attempts: 1 });
    expect(tried).toEqual(["a"]);
    expect(asked).toEqual({ retries, givenBack: 0 });
  });
});

describe("the client leaves", () => {
  const gone = new GatewayError("client_closed_request", "left");
  const left: AttemptEnd = { how: "client_gone" };
  /** Aborted when `hasLeft` says so. */
  const signalOf = (hasLeft: () => boolean) => ({
    get aborted() {
      return hasLeft();
    },
    get reason() {
      return hasLeft() ? gone : undefined;
    },
  });

  test("while both are under way: both end as that, and nobody else is asked", async () => {
    const { run, tried, ended, withdrawn } = rig({
      models: { big: ["a", "b", "c"] },
      hedge: { big: 100 },
      steps: { a: [left], b: [left], c: ["no"] },
      takes: { a: 200, b: 101 },
    });
    expect(await errorOf(run({ signal: signalOf(() => tried.length > 1) }))).toBe(gone);
    expect(tried).toEqual(["a", "b"]);
    expect(ended.map(({ outcome }) => outcome)).toEqual([{ kind: "client_gone" }, { kind: "client_gone" }]);
    expect(withdrawn).toEqual([]);
  });

  test("before a second is asked: it never is", async () => {
    const { run, tried, asked } = rig({ ...two, steps: { a: [left], b: ["no"] }, takes: { a: 150 } });
    expect(await errorOf(run({ signal: signalOf(() => tried.length > 0) }))).toBe(gone);
    expect(tried).toEqual(["a"]);
    expect(asked.retries).toBe(0);
  });
});
