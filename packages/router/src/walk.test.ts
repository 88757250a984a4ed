import { GatewayError, type UpstreamError } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import type { AttemptEnd } from "./attempt-failure.ts";
import { AllAttemptsFailed } from "./attempt-loop.ts";
import type { DeploymentState } from "./backend-state.ts";
import { errorOf, rig } from "./test-rig.ts";

const connect: AttemptEnd = { how: "fault", fault: "connect" };
const reset: AttemptEnd = { how: "fault", fault: "reset" };
const refused = (meaning: UpstreamError["meaning"], status: number): AttemptEnd => ({
  how: "refused",
  error: { status, meaning, message: "said no", retryAfterMs: undefined, body: undefined },
});
const broken = refused("server", 500);
const down = { status: "down", reason: "probe failed" } as const;

/** How a walk that fails ends. */
async function endOf(run: Promise<unknown>): Promise<AllAttemptsFailed> {
  return run.then(
    () => expect.unreachable("it committed"),
    (error: unknown) => {
      expect(error).toBeInstanceOf(AllAttemptsFailed);
      return error as AllAttemptsFailed;
    },
  );
}

describe("the story of a request", () => {
  test("says of each backend what came of it, with its cause and its time", async () => {
    const { run, states } = rig({
      models: { big: ["a", "b", "c"], small: ["d"] },
      steps: { a: ["no"], b: [connect], c: [refused("busy", 429)], d: ["hello"] },
      takes: { b: 20, c: 30, d: 40 },
    });
    states.get("a")!.backend.observe(down, undefined, undefined);
    const { records, attempts } = await run({ attempts: 4 });
    expect(attempts).toBe(3);
    expect(records).toEqual([
      { backend: "a", model: "big", outcome: "skipped", cause: "down", ms: 0, hedge: undefined },
      { backend: "b", model: "big", outcome: "failed", cause: "connect", ms: 20, hedge: undefined },
      { backend: "c", model: "big", outcome: "backpressure", cause: undefined, ms: 30, hedge: undefined },
      { backend: "d", model: "small", outcome: "ok", cause: undefined, ms: 40, hedge: undefined },
    ]);
  });

  test("comes with the error when nobody answered", async () => {
    const { run } = rig({ models: { big: ["a"] }, steps: { a: [connect] } });
    const end = await endOf(run());
    expect(end).toMatchObject({ name: "AllAttemptsFailed", message: "a: fault", attempts: 1 });
    expect(end.cause).toBe(end.error);
    expect(end.error).toMatchObject({ code: "backends_unavailable", message: "a: fault", retryAfterMs: 1000 });
    expect(end.records).toMatchObject([{ backend: "a", outcome: "failed", cause: "connect", ms: 10 }]);
  });

  test("has nothing to tell when the request is over before it begins", async () => {
    const gone = new GatewayError("client_closed_request", "left");
    const { run, asked } = rig({ models: { big: ["a"] }, steps: { a: ["no"] } });
    const end = await endOf(run({ signal: AbortSignal.abort(gone) }));
    expect(end).toMatchObject({ error: gone, attempts: 0, records: [] });
    expect(asked.retries).toBe(0);
  });

  test("puts a fault of ours down as that", async () => {
    const { run, ended } = rig({ models: { big: ["a"] }, steps: { a: [undefined as unknown as string] } });
    const { error } = await endOf(run());
    expect(error).toMatchObject({ code: "upstream_failed", message: "a: the attempt could not be made" });
    expect((error.cause as Error).cause).toEqual(new Error("a fault of ours"));
    expect(ended).toEqual([{ backend: "a", outcome: { kind: "failed", cause: "malformed" } }]);
  });
});

describe("when nobody was tried, the client is told why, and when to come again", () => {
  test("everybody is dead", async () => {
    const { run, states } = rig({ models: { big: ["a"], small: ["b"] }, steps: { a: ["no"], b: ["no"] } });
    for (const state of states.values()) {
      for (let i = 0; i < 3; i++) state.begin(0)!.end({ kind: "failed", cause: "connect" });
      state.backend.observe(down, undefined, undefined);
    }
    expect(await errorOf(run())).toMatchObject({
      code: "backends_unavailable",
      message: "no backend is available: a (down), b (down)",
      retryAfterMs: 5000,
    });
  });

  test.each([
    { why: "full", of: { status: "ready", reason: "" } as const, full: true, retryAfterMs: 1000 },
    { why: "loading", of: { status: "loading", reason: "503" } as const, full: false, retryAfterMs: 5000 },
  ])("one of them is $why", async ({ why, of, full, retryAfterMs }) => {
    const { run, states } = rig({ models: { big: ["a"] }, steps: { a: ["no"] }, maxConcurrent: 1 });
    states.get("a")!.backend.observe(of, undefined, undefined);
    if (full) states.get("a")!.begin(0);
    const error = await errorOf(run());
    expect(error).toMatchObject({ code: "backends_overloaded", retryAfterMs });
    expect(error.message).toBe(`no backend has room now: a (${why})`);
  });

  test("one of them pauses, for less than a second", async () => {
    const { run, states } = rig({ models: { big: ["a"] }, steps: { a: ["no"] } });
    states.get("a")!.begin(0)!.end({ kind: "backpressure", status: 429, retryAfterMs: 300 });
    const error = await errorOf(run());
    expect(error).toMatchObject({ code: "backends_overloaded", retryAfterMs: 1000 });
    expect(error.message).toBe("no backend has room now: a (cooling_down)");
  });

  test("one of them is back, and full for now", async () => {
    const { run, states, pass, now } = rig({ models: { big: ["a"] }, steps: { a: ["no"] }, maxConcurrent: 16 });
    const state = states.get("a")!;
    for (let i = 0; i < 3; i++) state.begin(0)!.end({ kind: "failed", cause: "connect" });
    pass(2000);
    state.begin(now())!.end({ kind: "ok" });
    while (state.begin(now()) !== undefined);
    const error = await errorOf(run());
    expect(error.code).toBe("backends_overloaded");
    expect(error.message).toBe("no backend has room now: a (recovering)");
  });

  test("a model has no backend", async () => {
    const { run } = rig({ models: { big: [] }, steps: {} });
    expect((await errorOf(run())).message).toBe("no backend is available: none configured");
  });

  test("there is no model", async () => {
    const { run } = rig({ models: {}, steps: {} });
    expect((await errorOf(run())).message).toBe("no backend is available: none configured");
  });

  test("an error that is no word of ours is no reason to end", async () => {
    const { run } = rig({ models: { big: ["a"] }, steps: { a: ["no"] } });
    const { error } = await endOf(run({ signal: AbortSignal.abort("some reason") }));
    expect(error).toMatchObject({ code: "backends_unavailable" });
  });
});

describe("the second turn of a backend", () => {
  test.each([
    { random: 0, ms: 50 },
    { random: 1, ms: 250 },
  ])("comes after 50 to 250 ms", async ({ random, ms }) => {
    const { run, slept } = rig({ models: { big: ["a"] }, steps: { a: [broken, "hello"] }, random });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 2 });
    expect(slept).toEqual([ms]);
  });

  test("is the last one's alone, and there is no third", async () => {
    const { run, tried, slept } = rig({ models: { big: ["a", "b"] }, steps: { a: [broken], b: [broken] } });
    expect(await errorOf(run({ attempts: 5 }))).toMatchObject({ code: "upstream_failed" });
    expect(tried).toEqual(["a", "b", "b"]);
    expect(slept).toEqual([150]);
  });

  test.each([
    { what: "a 5xx", end: broken },
    { what: "a dropped connection", end: reset },
  ])("after $what is left to the fallback when only one attempt is left: at once", async ({ end }) => {
    const { run, tried, slept, ended } = rig({
      models: { big: ["a"], small: ["b"] },
      steps: { a: [end], b: ["hello"] },
    });
    await expect(run({ attempts: 2 })).resolves.toMatchObject({ reply: "hello" });
    expect(tried).toEqual(["a", "b"]);
    expect(slept).toEqual([]);
    expect(ended[0]!.outcome.kind).toBe("failed");
  });

  test("is each model's: a backend of the next one has its own", async () => {
    const { run, tried } = rig({
      models: { big: ["a"], small: ["b"] },
      steps: { a: [broken], b: [broken, "hello"] },
    });
    await expect(run({ attempts: 4 })).resolves.toMatchObject({ reply: "hello", attempts: 4 });
    expect(tried).toEqual(["a", "a", "b", "b"]);
  });

  test("of the last fallback may be the last attempt", async () => {
    const { run, tried } = rig({ models: { big: ["a"], small: ["b"] }, steps: { a: [connect], b: [broken, "hello"] } });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 3 });
    expect(tried).toEqual(["a", "b", "b"]);
  });

  test("after a dropped connection is another's when the candidate has become unfit, and its retry is not lost", async () => {
    const { run, states, tried, asked, slept } = rig({
      models: { big: ["a", "b"] },
      steps: { a: [reset], b: ["hello"] },
    });
    spoilAfterOne(states.get("a")!);
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 2 });
    expect(tried).toEqual(["a", "b"]);
    expect(asked).toEqual({ retries: 1, givenBack: 0 });
    expect(slept).toEqual([]);
  });

  test("is given back to the budget when nobody can have it", async () => {
    const { run, states, asked } = rig({ models: { big: ["a"] }, steps: { a: [reset] } });
    spoilAfterOne(states.get("a")!);
    expect(await errorOf(run())).toMatchObject({ code: "upstream_failed" });
    expect(asked).toEqual({ retries: 1, givenBack: 1 });
  });

  test("is not asked of the budget when the client has left", async () => {
    const { run, asked, tried } = rig({ models: { big: ["a"] }, steps: { a: [reset] } });
    const signal = {
      get aborted() {
        return tried.length > 0;
      },
      reason: undefined,
    };
    expect(await errorOf(run({ signal }))).toMatchObject({ code: "upstream_failed" });
    expect(asked).toEqual({ retries: 0, givenBack: 0 });
  });
});

/** Its probe fails while its first attempt is under way. */
function spoilAfterOne(state: DeploymentState): void {
  const { begin } = state;
  state.begin = (now, force) => {
    const permit = begin(now, force);
    state.backend.observe(down, undefined, undefined);
    return permit;
  };
}

describe("the retry budget", () => {
  test("is asked for each attempt but the first", async () => {
    const { run, asked } = rig({
      models: { big: ["a", "b", "c"] },
      steps: { a: [connect], b: [connect], c: ["hello"] },
    });
    await run();
    expect(asked).toEqual({ retries: 2, givenBack: 0 });
    const one = rig({ models: { big: ["a"] }, steps: { a: ["hello"] } });
    await one.run();
    expect(one.asked).toEqual({ retries: 0, givenBack: 0 });
  });

  test.each([
    { what: "a dropped connection", end: reset },
    { what: "a failure", end: connect },
  ])("is asked once after $what when it refuses", async ({ end }) => {
    const { run, asked, tried } = rig({
      models: { big: ["a", "b", "c"] },
      steps: { a: [end], b: ["no"], c: ["no"] },
      retries: 0,
    });
    await errorOf(run());
    expect(tried).toEqual(["a"]);
    expect(asked).toEqual({ retries: 1, givenBack: 0 });
  });

  test("is asked before the first attempt too where a backend is forced, and gets back what was not used", async () => {
    const { run, states, asked, tried } = rig({ models: { big: ["a"] }, steps: { a: ["hello"] } });
    for (let i = 0; i < 3; i++) states.get("a")!.begin(0)!.end({ kind: "failed", cause: "connect" });
    await run();
    expect(asked).toEqual({ retries: 1, givenBack: 0 });
    // The one try between two waits is under way.
    const { records, error } = await endOf(run());
    expect(tried).toEqual(["a"]);
    expect(asked).toEqual({ retries: 2, givenBack: 1 });
    expect(records).toMatchObject([{ outcome: "skipped", cause: "breaker_open" }]);
    expect(error.message).toBe("no backend is available: a (breaker_open)");
  });
});

describe("a slot that went away between the look and the attempt", () => {
  test("is a full backend, and the next one is the first attempt", async () => {
    const { run, states, asked } = rig({
      models: { big: ["a", "b", "c"] },
      steps: { a: ["no"], b: [connect], c: ["hello"] },
    });
    states.get("a")!.begin = () => undefined;
    const { records } = await run();
    expect(records).toMatchObject([
      { backend: "a", outcome: "skipped", cause: "full" },
      { backend: "b", outcome: "failed" },
      { backend: "c", outcome: "ok" },
    ]);
    expect(asked).toEqual({ retries: 1, givenBack: 0 });
  });

  test("leaves its retry to the next one", async () => {
    const { run, states, asked } = rig({
      models: { big: ["a", "b", "c"] },
      steps: { a: [connect], b: ["no"], c: ["hello"] },
    });
    states.get("b")!.begin = () => undefined;
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 2 });
    expect(asked).toEqual({ retries: 1, givenBack: 0 });
  });
});

describe("panic", () => {
  const forced = (names: readonly string[], pool: ReturnType<typeof rig>): void => {
    for (const name of names) pool.states.get(name)!.backend.observe(down, undefined, undefined);
  };

  test("walks over the whole chain, and says of each why it was not fit, once", async () => {
    const pool = rig({
      models: { big: ["a", "b"], small: ["c"] },
      steps: { a: [connect], b: [connect], c: ["hello"] },
    });
    forced(["a", "b", "c"], pool);
    const { records, attempts } = await pool.run();
    expect(attempts).toBe(3);
    expect(records.map(({ backend, outcome }) => `${backend} ${outcome}`)).toEqual([
      "a skipped",
      "b skipped",
      "c skipped",
      "a failed",
      "b failed",
      "c ok",
    ]);
    expect(pool.asked).toEqual({ retries: 3, givenBack: 0 });
  });

  test("is not for what an attempt has failed on", async () => {
    const pool = rig({ models: { big: ["a", "b", "c"] }, steps: { a: [connect], b: ["no"], c: ["no"] } });
    forced(["b", "c"], pool);
    expect(await errorOf(pool.run())).toMatchObject({ code: "backends_unavailable" });
    expect(pool.tried).toEqual(["a"]);
  });

  test("leaves a backend alone that says that it is loading", async () => {
    const pool = rig({ models: { big: ["a"] }, steps: { a: ["no"] } });
    for (let i = 0; i < 3; i++) pool.states.get("a")!.begin(0)!.end({ kind: "failed", cause: "connect" });
    pool.states.get("a")!.backend.observe({ status: "loading", reason: "503" }, undefined, undefined);
    expect(await errorOf(pool.run())).toMatchObject({ code: "backends_overloaded" });
    expect(pool.tried).toEqual([]);
  });

  test("keeps no attempt for a fallback, and may end with its last", async () => {
    const pool = rig({ models: { big: ["a", "b"], small: ["c"] }, steps: { a: [connect], b: ["hello"], c: ["no"] } });
    forced(["a", "b", "c"], pool);
    await expect(pool.run({ attempts: 2 })).resolves.toMatchObject({ reply: "hello" });
  });
});
