import { GatewayError, type TransportError, type UpstreamError } from "@signalbox/protocol";
import { describe, expect, test } from "vitest";
import type { AttemptEnd } from "./attempt-failure.ts";
import type { DeploymentState } from "./backend-state.ts";
import { errorOf, rig, type Step } from "./test-rig.ts";

const refused = (meaning: UpstreamError["meaning"], status: number, more: Partial<UpstreamError> = {}): AttemptEnd => ({
  how: "refused",
  error: { status, meaning, message: "said no", retryAfterMs: undefined, body: undefined, ...more },
});
const fault = (which: TransportError["fault"]): AttemptEnd => ({ how: "fault", fault: which });
const reset = fault("reset");
const connect = fault("connect");
const broken = refused("server", 500);

describe("which candidate comes next", () => {
  test("the first that commits answers, and its permit stays open for the end of the reply", async () => {
    const { run, tried, ended, states } = rig({ models: { big: ["a", "b"] }, steps: { a: ["hello"], b: ["no"] } });
    const opened = await run();
    expect(opened).toMatchObject({ reply: "hello", attempts: 1, model: { name: "big" } });
    expect(tried).toEqual(["a"]);
    expect(ended).toEqual([]);
    expect(states.get("a")!.backend.inFlight).toBe(1);
  });

  test.each([
    { what: "a refused connection", end: connect },
    { what: "a busy answer", end: refused("busy", 429) },
    { what: "a loading model", end: refused("loading", 503) },
    { what: "a model that is not there", end: refused("model_missing", 404) },
    { what: "a key that the backend does not take", end: refused("auth", 401) },
    { what: "a 500, with another backend at hand", end: broken },
    // It may have an idle connection, and ports are short for each address alone.
    { what: "a shortage of sockets", end: fault("shortage") },
    { what: "junk", end: { how: "malformed" } as const },
    { what: "no first token", end: { how: "timeout", which: "first_token" } as const },
    { what: "an end without a finish_reason", end: { how: "incomplete" } as const },
  ])("after $what the next backend of the model is asked at once", async ({ end }) => {
    const { run, tried, slept } = rig({ models: { big: ["a", "b"] }, steps: { a: [end], b: ["hello"] } });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 2 });
    expect(tried).toEqual(["a", "b"]);
    expect(slept).toEqual([]);
  });

  test.each([
    {
      what: "wrong",
      end: refused("caller", 422, { body: { message: "no" } }),
      code: "rejected_by_backend",
      status: 422,
    },
    { what: "refused for its content", end: refused("content_filter", 400), code: "rejected_by_backend", status: 400 },
  ])("a request that is $what is tried nowhere else", async ({ end, code, status }) => {
    const { run, tried } = rig({ models: { big: ["a", "b"], small: ["c"] }, steps: { a: [end], b: ["x"], c: ["x"] } });
    expect(await errorOf(run())).toMatchObject({ code, status });
    expect(tried).toEqual(["a"]);
  });

  test("what we are short of is told as ours, and says nothing about the backend", async () => {
    const { run, ended } = rig({ models: { big: ["a"] }, steps: { a: [fault("shortage")] } });
    expect(await errorOf(run())).toMatchObject({ code: "gateway_overloaded", status: 503, retryAfterMs: 1000 });
    expect(ended).toEqual([{ backend: "a", outcome: { kind: "shortage" } }]);
  });

  test("a 500 of the only backend is asked once more after 50 to 250 ms, then the fallback", async () => {
    const { run, tried, slept } = rig({ models: { big: ["a"], small: ["b"] }, steps: { a: [broken], b: ["hello"] } });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 3, model: { name: "small" } });
    expect(tried).toEqual(["a", "a", "b"]);
    expect(slept).toEqual([150]);
  });

  test("the last attempt of the budget is kept for a fallback model", async () => {
    const { run, tried } = rig({
      models: { big: ["a", "b", "c"], small: ["d"] },
      steps: { a: [connect], b: [connect], c: [connect], d: ["hello"] },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 3 });
    expect(tried).toEqual(["a", "b", "d"]);
  });

  test("no request makes more attempts than its budget", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const { run, tried } = rig({
      models: { big: names },
      steps: Object.fromEntries(names.map((name) => [name, [connect]])),
    });
    expect(await errorOf(run())).toMatchObject({ code: "backends_unavailable", status: 503 });
    expect(tried).toHaveLength(3);
  });

  test("too long goes on only to a model with a larger context", async () => {
    const long = refused("context_length", 400, { body: { message: "too long", code: "context_length_exceeded" } });
    const steps = { a: [long], b: ["no"], c: ["hello"] };
    const models = { big: ["a"], same: ["b"], larger: ["c"] };
    const { run, tried } = rig({ models, steps, contexts: { big: 8192, same: 8192, larger: 32_768 } });
    await expect(run()).resolves.toMatchObject({ reply: "hello", model: { name: "larger" } });
    expect(tried).toEqual(["a", "c"]);
    const nowhere = rig({ models: { big: ["a"], same: ["b"] }, steps, contexts: { big: 8192, same: 8192 } });
    expect(await errorOf(nowhere.run())).toMatchObject({ code: "context_length_exceeded", status: 400 });
    expect(nowhere.tried).toEqual(["a"]);
  });

  test("too long for a model that declares no context goes on to one that declares it", async () => {
    const long = refused("context_length", 400);
    const models = { big: ["a"], unknown: ["b"], larger: ["c"] };
    const { run, tried } = rig({ models, steps: { a: [long], b: ["no"], c: ["hello"] }, contexts: { larger: 32_768 } });
    await expect(run()).resolves.toMatchObject({ reply: "hello" });
    expect(tried).toEqual(["a", "c"]);
  });
});

describe("a connection that is dropped unanswered", () => {
  test("is tried again at once on the same backend, and is no evidence when that answers", async () => {
    const { run, tried, slept, ended } = rig({
      models: { big: ["a", "b"] },
      steps: { a: [reset, "hello"], b: ["no"] },
    });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 2 });
    expect(tried).toEqual(["a", "a"]);
    expect(slept).toEqual([]);
    expect(ended).toEqual([{ backend: "a", outcome: { kind: "client_gone" } }]);
  });

  test("needs no second slot for that", async () => {
    const { run } = rig({ models: { big: ["a"] }, steps: { a: [reset, "hello"] }, maxConcurrent: 1 });
    await expect(run()).resolves.toMatchObject({ reply: "hello" });
  });

  test("counts once when the new connection is dropped as well, and the next backend is asked", async () => {
    const { run, tried, ended } = rig({ models: { big: ["a", "b"] }, steps: { a: [reset], b: ["hello"] } });
    await expect(run()).resolves.toMatchObject({ reply: "hello" });
    expect(tried).toEqual(["a", "a", "b"]);
    expect(ended.map(({ outcome }) => outcome)).toEqual([{ kind: "client_gone" }, { kind: "failed", cause: "reset" }]);
  });

  test.each([
    { what: "the retry budget is empty", options: { retries: 0 }, attempts: 3 },
    { what: "the request has no attempt left", options: {}, attempts: 1 },
  ])("counts when $what", async ({ options, attempts }) => {
    const { run, tried, ended } = rig({ models: { big: ["a"] }, steps: { a: [reset] }, ...options });
    expect(await errorOf(run({ attempts }))).toMatchObject({ code: "upstream_failed", status: 502 });
    expect(tried).toEqual(["a"]);
    expect(ended).toEqual([{ backend: "a", outcome: { kind: "failed", cause: "reset" } }]);
  });

  test("takes one retry out of the budget, not two", async () => {
    const { run } = rig({ models: { big: ["a"] }, steps: { a: [reset, "hello"] }, retries: 1 });
    await expect(run()).resolves.toMatchObject({ reply: "hello" });
  });
});

describe("who is not asked", () => {
  const down = { status: "down", reason: "probe failed" } as const;

  function open(state: DeploymentState): void {
    for (let i = 0; i < 3; i++) state.begin(0)?.end({ kind: "failed", cause: "connect" });
    expect(state.breaker).toBe("open");
  }

  test("a backend that is dead by probes and by requests: 503 with retry-after, and no attempt", async () => {
    const { run, states, tried } = rig({ models: { big: ["a"], small: ["b"] }, steps: { a: ["x"], b: ["x"] } });
    for (const state of states.values()) {
      open(state);
      state.backend.observe(down, undefined, undefined);
    }
    const error = await errorOf(run());
    expect(error).toMatchObject({ code: "backends_unavailable", status: 503 });
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(1000);
    expect(tried).toEqual([]);
  });

  test("a backend that only the probe or only the requests saw fail is forced when nobody else is fit", async () => {
    const probe = rig({ models: { big: ["a"] }, steps: { a: ["hello"] } });
    probe.states.get("a")!.backend.observe(down, undefined, undefined);
    await expect(probe.run()).resolves.toMatchObject({ reply: "hello" });
    const requests = rig({ models: { big: ["a"] }, steps: { a: ["hello"] } });
    open(requests.states.get("a")!);
    await expect(requests.run()).resolves.toMatchObject({ reply: "hello" });
  });

  test("forcing takes a retry out of the budget, and stays away when there is none", async () => {
    const { run, states, tried } = rig({ models: { big: ["a"] }, steps: { a: ["hello"] }, retries: 0 });
    states.get("a")!.backend.observe(down, undefined, undefined);
    expect(await errorOf(run())).toMatchObject({ code: "backends_unavailable" });
    expect(tried).toEqual([]);
  });

  test("an open breaker is forced by one request between two waits; the others are answered at once", async () => {
    const { run, states, tried } = rig({ models: { big: ["a"] }, steps: { a: ["hello"] } });
    open(states.get("a")!);
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => run()));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(tried).toHaveLength(1);
  });

  test("a loading model and a cooling or full backend are left alone: overloaded, with the time to come back", async () => {
    const loading = rig({ models: { big: ["a"] }, steps: { a: ["x"] } });
    loading.states.get("a")!.backend.observe({ status: "loading", reason: "503" }, undefined, undefined);
    expect(await errorOf(loading.run())).toMatchObject({ code: "backends_overloaded", status: 503 });
    const cooling = rig({ models: { big: ["a"] }, steps: { a: ["x"] } });
    cooling.states.get("a")!.begin(0)?.end({ kind: "backpressure", status: 429, retryAfterMs: 7000 });
    expect(await errorOf(cooling.run())).toMatchObject({ code: "backends_overloaded", retryAfterMs: 7000 });
    const full = rig({ models: { big: ["a"] }, steps: { a: ["x"] }, maxConcurrent: 1 });
    full.states.get("a")!.begin(0);
    expect(await errorOf(full.run())).toMatchObject({ code: "backends_overloaded" });
    for (const { tried } of [loading, cooling, full]) expect(tried).toEqual([]);
  });

  test("a backend that became unfit since it was chosen is passed over", async () => {
    const { run, states, tried } = rig({
      models: { big: ["a", "b", "c"] },
      steps: { a: [connect], b: ["no"], c: ["hello"] },
    });
    const begin = states.get("a")!.begin;
    states.get("a")!.begin = (now, force) => {
      states.get("b")!.backend.observe(down, undefined, undefined);
      return begin(now, force);
    };
    const opened = await run();
    expect(tried).toEqual(["a", "c"]);
    expect(opened.records).toContainEqual(expect.objectContaining({ backend: "b", outcome: "skipped", cause: "down" }));
  });
});

describe("the client leaves or the deadline passes", () => {
  const gone = new GatewayError("client_closed_request", "left");

  test("during an attempt: no further attempt, and nothing against the backend", async () => {
    const { run, tried, ended } = rig({
      models: { big: ["a", "b"] },
      steps: { a: [{ how: "client_gone" }], b: ["no"] },
    });
    const signal = AbortSignal.abort(gone);
    expect(await errorOf(run())).toMatchObject({ code: "client_closed_request" });
    expect(tried).toEqual(["a"]);
    expect(ended).toEqual([{ backend: "a", outcome: { kind: "client_gone" } }]);
    expect(await errorOf(run({ signal }))).toBe(gone);
    expect(tried).toEqual(["a"]);
  });

  test("during the pause before a retry: no further attempt", async () => {
    const abort = new AbortController();
    const { run, tried, slept } = rig({ models: { big: ["a"], small: ["b"] }, steps: { a: [broken], b: ["no"] } });
    const push = slept.push.bind(slept);
    slept.push = (...ms) => {
      abort.abort(gone);
      return push(...ms);
    };
    expect(await errorOf(run({ signal: abort.signal }))).toBe(gone);
    expect(tried).toEqual(["a"]);
  });

  test("the deadline ends the walk", async () => {
    const { run, tried } = rig({
      models: { big: ["a", "b"] },
      steps: { a: [{ how: "timeout", which: "total" }], b: ["no"] },
    });
    expect(await errorOf(run())).toMatchObject({ code: "deadline_exceeded", status: 504 });
    expect(tried).toEqual(["a"]);
  });
});

test("the retry budget ends the walk", async () => {
  const { run, tried } = rig({ models: { big: ["a", "b"] }, steps: { a: [connect], b: ["no"] }, retries: 0 });
  expect(await errorOf(run())).toMatchObject({ code: "backends_unavailable" });
  expect(tried).toEqual(["a"]);
});

test.each([
  { end: refused("busy", 503, { retryAfterMs: 4000 }), code: "backends_overloaded", retryAfterMs: 4000 },
  { end: { how: "timeout", which: "first_token" } as const, code: "upstream_timeout", retryAfterMs: undefined },
  { end: { how: "malformed" } as const, code: "upstream_failed", retryAfterMs: undefined },
])("a last failure is told as what it was: $code", async ({ end, code, retryAfterMs }) => {
  const { run } = rig({ models: { big: ["a"] }, steps: { a: [end] } });
  expect(await errorOf(run())).toMatchObject({ code, retryAfterMs });
});

test("an error that is no AttemptFailure is a failure of that attempt, and frees its slot", async () => {
  const { run, states } = rig({ models: { big: ["a"] }, steps: { a: [undefined as unknown as Step] } });
  expect(await errorOf(run())).toMatchObject({ code: "upstream_failed" });
  expect(states.get("a")!.backend.inFlight).toBe(0);
});

describe("a reply that the policy keeps from the client", () => {
  const error = new GatewayError("tool_call_denied", "a tool call was refused by policy: shell: denied by removal");
  const reject: AttemptEnd = { how: "denied", escalate: false, error };
  const escalate: AttemptEnd = { how: "denied", escalate: true, error };
  const models = { small: ["a", "b"], large: ["c", "d"], largest: ["e"] };
  const steps = { a: [escalate], b: ["no"], c: ["hello"], d: ["no"], e: ["no"] };

  test("ends the walk with its own error, and says nothing against the backend", async () => {
    const { run, tried, ended } = rig({ models, steps: { ...steps, a: [reject] } });
    expect(await errorOf(run())).toBe(error);
    expect(tried).toEqual(["a"]);
    expect(ended).toEqual([{ backend: "a", outcome: { kind: "caller_error", status: 403 } }]);
  });

  test("is asked of the next model, and of no replica", async () => {
    const { run, tried, slept } = rig({ models, steps });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 2, model: { name: "large" } });
    expect(tried).toEqual(["a", "c"]);
    expect(slept).toEqual([]);
  });

  test.each([
    { what: "refuses", second: reject },
    { what: "would ask on", second: escalate },
  ])("is asked once: a second one that $what ends the walk", async ({ second }) => {
    const { run, tried } = rig({ models, steps: { ...steps, c: [second] } });
    expect(await errorOf(run({ attempts: 5 }))).toBe(error);
    expect(tried).toEqual(["a", "c"]);
  });

  test("is still asked of the larger model's replica when the first one fails", async () => {
    const { run, tried } = rig({ models, steps: { ...steps, c: [connect], d: ["hello"] } });
    await expect(run()).resolves.toMatchObject({ reply: "hello", attempts: 3, model: { name: "large" } });
    expect(tried).toEqual(["a", "c", "d"]);
  });

  test.each([
    { what: "there is no other model", of: { models: { small: ["a", "b"] } }, plan: {} },
    { what: "no attempt is left", of: {}, plan: { attempts: 1 } },
    { what: "the retry budget is used up", of: { retries: 0 }, plan: {} },
  ])("is refused where $what", async ({ of, plan }) => {
    const { run, tried } = rig({ models, steps, ...of });
    expect(await errorOf(run(plan))).toBe(error);
    expect(tried).toEqual(["a"]);
  });

  test("opens no breaker, however many there are", async () => {
    const { run, states } = rig({ models, steps: { ...steps, a: [reject] } });
    for (let i = 0; i < 20; i++) await errorOf(run());
    expect(states.get("a")!.breaker).toBe("closed");
    expect(states.get("a")!.backend.inFlight).toBe(0);
  });
});
