import { createHash } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Answer, ask, readAnswer } from "../faults/wire-client.ts";
import { startTestGateway } from "./test-gateway.ts";

const hashOf = (key: string): string => `sha256:${createHash("sha256").update(key).digest("hex")}`;
const soon = { interval: 5, timeout: 10_000 };

interface PoolOptions {
  /** Milliseconds that a request takes. */
  readonly takesMs?: number;
  /** Settings of the backend, as YAML members. */
  readonly backend?: string;
  readonly queue?: string;
  /** Settings by team, as YAML members. */
  readonly teams?: Readonly<Record<string, string>>;
  readonly server?: string;
  readonly defaults?: string;
  readonly slots?: number;
}

/** One engine behind a gateway, its name the key of each team. */
async function startPool(options: PoolOptions = {}) {
  const { takesMs = 150, backend = "max_concurrent: 1", queue = "", teams = { a: "", b: "" }, server = "" } = options;
  const yaml = (url: string, settings = backend): string => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, drain_delay: 0s, shed_lag: 0s${server} }
backends: { one: { kind: vllm, url: "${url}", ${settings} } }
models: { m: { on: [{ backend: one }] } }
teams:
${Object.entries(teams)
  .map(([name, more]) => `  ${name}: { keys: ["${hashOf(name)}"]${more} }`)
  .join("\n")}
defaults: { queue: { ${queue} }${options.defaults ?? ""} }
`;
  const gateway = await startTestGateway({
    engines: {
      one: { kind: "vllm", models: ["m"], firstTokenMs: takesMs, ...(options.slots && { slots: options.slots }) },
    },
    yaml: ({ one }) => yaml(one),
  });
  onTestFinished(() => gateway.close());
  const served: string[] = [];
  const chat = async (team: string, priority?: string): Promise<Answer> => {
    const answer = await ask(gateway.url, {
      body: { model: "m", messages: [{ role: "user", content: "count" }], max_tokens: 4 },
      headers: { authorization: `Bearer ${team}`, ...(priority && { "x-signalbox-priority": priority }) },
    });
    if (answer.status === 200) served.push(team);
    return answer;
  };
  const waiting = async (): Promise<number> => {
    const lines = (await gateway.metrics()).matchAll(/^signalbox_queue_waiting_requests\{.*\} (\d+)$/gm);
    return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const running = (): number => gateway.gateway.serving.backends.get("one")!.state.inFlight;
  let held = 0;
  /** Takes a slot that no request has, until what it gives back is called. */
  const hold = (): (() => void) => {
    held++;
    const permit = gateway.gateway.serving.backends.get("one")!.state.deployment("m").begin(performance.now());
    return () => {
      held--;
      permit!.end({ kind: "ok" });
    };
  };
  let sent = 0;
  let done = 0;
  /** Sends requests one after the other, each when the one before it stands where it will. */
  const line = async (...names: readonly string[]): Promise<Promise<Answer>[]> => {
    const answers: Promise<Answer>[] = [];
    for (const name of names) {
      const [team, priority] = name.split("/") as [string, string | undefined];
      sent++;
      const answer = chat(team, priority);
      void answer.finally(() => done++);
      answers.push(answer);
      await expect.poll(async () => (await waiting()) + running() + done - held, soon).toBe(sent);
    }
    return answers;
  };
  return { gateway, yaml, chat, hold, line, waiting, running, served };
}

const errorOf = (answer: Answer) => readAnswer(answer).error as { code: string; message: string; type: string };

test("what does not fit waits for its turn, and hears how long it did", async () => {
  const { gateway, line } = await startPool();
  const [first, second] = await Promise.all(await line("a", "a"));
  expect([first!.status, second!.status]).toEqual([200, 200]);
  expect(first!.headers["x-signalbox-queue-ms"]).toBeUndefined();
  const waited = Number(second!.headers["x-signalbox-queue-ms"]);
  expect(waited).toBeGreaterThan(20);
  const [one, two] = gateway.requestLines();
  expect(one).not.toHaveProperty("queue_ms");
  expect(two).toMatchObject({ priority: "standard", attempts: 1 });
  expect(Math.abs((two!.queue_ms as number) - waited)).toBeLessThan(2);
  expect(await gateway.metrics()).toMatch(/signalbox_queue_seconds_count\{priority="standard"\} 1/);
  expect(gateway.engines.one.stats().peakRunning).toBe(1);
});

describe("whose turn it is", () => {
  test("a team that comes into another's flood waits for one service of it at most", async () => {
    const { hold, line, served } = await startPool({ takesMs: 20 });
    const release = hold();
    const answers = await line("a", "a", "a", "a", "b");
    release();
    await Promise.all(answers);
    expect(served.indexOf("b")).toBeLessThanOrEqual(1);
  });

  test("the more urgent team is served first", async () => {
    const teams = { a: ", priority: batch", b: ", priority: interactive", c: "" };
    const { hold, line, served } = await startPool({ teams, takesMs: 20 });
    const release = hold();
    const answers = await line("a", "a", "c", "b");
    release();
    await Promise.all(answers);
    expect(served).toEqual(["b", "c", "a", "a"]);
  });

  test("a request may make itself less urgent than its team, and not more", async () => {
    const teams = { a: "", b: "", c: ", priority: interactive" };
    const { hold, line, served, gateway } = await startPool({ teams, takesMs: 20 });
    const release = hold();
    const answers = await line("c/batch", "b/interactive", "a/nonsense");
    release();
    await Promise.all(answers);
    expect(served).toEqual(["b", "c", "a"]);
    expect(gateway.requestLines().map(({ priority }) => priority)).toEqual(["standard", "batch", "standard"]);
  });
});

describe("bounds", () => {
  test("when too many wait the newest of the largest backlog is turned away, not the quiet team", async () => {
    const { line, gateway } = await startPool({ queue: "max_waiting: 2" });
    const answers = await line("a", "a", "a");
    const quiet = gateway.post(
      "/v1/chat/completions",
      { model: "m", messages: [{ role: "user", content: "x" }] },
      { authorization: "Bearer b" },
    );
    const evicted = await answers[2]!;
    expect(evicted.status).toBe(429);
    expect(errorOf(evicted)).toMatchObject({ code: "team_queue_full", type: "rate_limit_error" });
    expect(errorOf(evicted).message).toMatch(
      /^team a: 1 request of it wait already for m; expected wait .* try again in \d+ s$/,
    );
    expect(Number(evicted.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expect((await quiet).status).toBe(200);
    expect((await answers[1]!).status).toBe(200);
    expect(await gateway.metrics()).toContain('signalbox_queue_turned_away_total{reason="team_backlog"} 1');
  });

  test("nobody waits longer than max_wait, and the message says how long it would have been", async () => {
    const { line } = await startPool({ takesMs: 1500, queue: "max_wait: 200ms" });
    const [first, second] = await line("a", "b");
    const late = await second!;
    expect(late.status).toBe(503);
    expect(errorOf(late).code).toBe("backends_overloaded");
    expect(errorOf(late).message).toMatch(/no backend of m had room in time: \d+ requests? wait/);
    expect(Number(late.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expect(Number(late.headers["x-signalbox-queue-ms"])).toBeGreaterThanOrEqual(199);
    expect(Number(late.headers["x-signalbox-queue-ms"])).toBeLessThan(1000);
    expect((await first!).status).toBe(200);
  });

  test("whose wait would be too long is turned away at once, by the rate at which requests have ended", async () => {
    const { chat, gateway } = await startPool({ takesMs: 100, queue: "max_wait: 1s" });
    await Promise.all(Array.from({ length: 6 }, () => chat("a")));
    const flood = await Promise.all(Array.from({ length: 40 }, () => chat("a")));
    const refused = flood.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(20);
    for (const each of refused) {
      expect(errorOf(each).message).toMatch(/^team a: \d+ requests? of it wait already for m; expected wait \d/);
      expect(each.headers["x-signalbox-queue-ms"]).toBeUndefined();
    }
    const served = flood.filter(({ status }) => status === 200);
    expect(served.length).toBeGreaterThan(3);
    // The last of those who were let in may wait a little longer than expected.
    const late = flood.filter(({ status }) => status === 503);
    expect(late.length).toBeLessThan(4);
    expect(served.length + refused.length + late.length).toBe(40);
    expect(gateway.requestLines().find(({ code }) => code === "team_queue_full")).toMatchObject({ attempts: 0 });
  });

  test("with max_waiting: 0 nobody waits", async () => {
    const { line, chat } = await startPool({ queue: "max_waiting: 0" });
    const [first] = await line("a");
    const refused = await chat("a");
    expect(refused.status).toBe(503);
    expect(errorOf(refused).code).toBe("backends_overloaded");
    expect((await first!).status).toBe(200);
  });

  test("the request's deadline holds in the queue", async () => {
    const { line } = await startPool({ takesMs: 900, defaults: ", timeouts: { total: 1s, first_token: 1s }" });
    const [first, second] = await line("a", "b");
    expect((await first!).status).toBe(200);
    const late = await second!;
    expect([late.status, errorOf(late).code]).toEqual([504, "deadline_exceeded"]);
  });
});

test("a client that leaves frees its place at once", async () => {
  const { gateway, line, waiting, running } = await startPool({ takesMs: 600 });
  const [first] = await line("a");
  const gone = new AbortController();
  const left = fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer b" },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] }),
    signal: gone.signal,
  });
  await expect.poll(waiting, soon).toBe(1);
  gone.abort();
  await expect(left).rejects.toThrow();
  await expect.poll(waiting, soon).toBe(0);
  await first;
  expect(gateway.engines.one.stats().peakRunning).toBe(1);
  await expect.poll(() => gateway.requestLines().length, soon).toBe(2);
  expect(gateway.requestLines().map(({ code, attempts }) => [code, attempts])).toContainEqual([
    "client_closed_request",
    0,
  ]);
  expect(running()).toBe(0);
});

test("an engine that says that requests wait in it is left alone until fewer do", async () => {
  const { gateway, chat } = await startPool({
    takesMs: 1000,
    slots: 1,
    backend: "saturated_at: { waiting: 0 }",
    defaults: ", probe: { interval: 50ms }",
  });
  const direct = Array.from({ length: 3 }, () =>
    fetch(`${gateway.engines.one.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }], max_tokens: 2 }),
    }),
  );
  await expect.poll(() => gateway.gateway.serving.backends.get("one")!.state.load?.waiting, soon).toBe(2);
  const answer = await chat("a");
  expect(answer.status).toBe(200);
  expect(Number(answer.headers["x-signalbox-queue-ms"])).toBeGreaterThan(100);
  for (const each of direct) expect((await each).status).toBe(200);
});

describe("when things change", () => {
  test("who waits finishes by the config under which it came", async () => {
    const { gateway, line, yaml } = await startPool();
    const answers = await line("a", "a", "b");
    await gateway.apply(yaml(gateway.engines.one.url, "max_concurrent: 2"));
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test("when the backend is taken out of use those who wait are told at once", async () => {
    const { gateway, line } = await startPool({ takesMs: 1500 });
    const [first, second] = await line("a", "a");
    gateway.gateway.serving.backends.get("one")!.state.setOverride("drain");
    const refused = await second!;
    expect(refused.status).toBe(503);
    expect(refused.ms).toBeLessThan(1400);
    expect((await first!).status).toBe(200);
  });

  test("a backend that is given back has room without a word: who waits for another gets its turn there", async () => {
    const gateway = await startTestGateway({
      engines: { one: { kind: "vllm", models: ["m"], firstTokenMs: 2000 }, two: { kind: "vllm", models: ["m"] } },
      yaml: ({ one, two }) => `
backends:
  one: { kind: vllm, url: "${one}", max_concurrent: 1 }
  two: { kind: vllm, url: "${two}", max_concurrent: 1 }
models: { m: { on: [{ backend: one }, { backend: two }], strategy: ordered } }
`,
    });
    onTestFinished(() => gateway.close());
    const stateOf = (name: string) => gateway.gateway.serving.backends.get(name)!.state;
    stateOf("two").setOverride("drain");
    const chat = () => gateway.post("/v1/chat/completions", { model: "m", messages: [{ role: "user", content: "x" }] });
    const first = chat();
    await expect.poll(() => stateOf("one").inFlight, soon).toBe(1);
    const second = chat();
    await expect
      .poll(async () => /waiting_requests\{priority="standard"\} 1/.test(await gateway.metrics()), soon)
      .toBe(true);
    stateOf("two").setOverride(undefined);
    expect((await second).headers.get("x-signalbox-backend")).toBe("two");
    expect(stateOf("one").inFlight).toBe(1);
    await first;
  });

  test("a drain serves those who still get their turn, and answers the others in half its time", async () => {
    const { gateway, line } = await startPool({ takesMs: 500, server: ", drain: 2s" });
    const answers = await line("a", "a", "a", "a", "a");
    const drained = gateway.gateway.drain();
    const told = await Promise.all(answers);
    await drained;
    const served = told.filter(({ status }) => status === 200);
    const refused = told.filter(({ status }) => status === 503);
    expect(served.length).toBeGreaterThanOrEqual(2);
    expect(refused.length).toBeGreaterThanOrEqual(1);
    expect(served.length + refused.length).toBe(5);
    for (const each of refused) expect(errorOf(each).code).toBe("gateway_overloaded");
  });
});

test("many at once are all served, never more together than there are slots", async () => {
  const { gateway, chat } = await startPool({ takesMs: 20, backend: "max_concurrent: 5" });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => chat(i % 3 === 0 ? "a" : "b")));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(gateway.engines.one.stats().peakRunning).toBeLessThanOrEqual(5);
  expect(gateway.requestLines().every(({ attempts }) => attempts === 1)).toBe(true);
});

test("easy work moves to a free smaller model while the large one is saturated, and says so", async () => {
  const gateway = await startTestGateway({
    engines: {
      one: { kind: "vllm", models: ["big"], firstTokenMs: 500 },
      two: { kind: "vllm", models: ["tiny"] },
    },
    yaml: ({ one, two }) => `
backends:
  one: { kind: vllm, url: "${one}", max_concurrent: 1 }
  two: { kind: vllm, url: "${two}", max_concurrent: 1 }
models:
  large: { on: [{ backend: one, model: big }], when_saturated: { use: small } }
  small: { on: [{ backend: two, model: tiny }] }
routing: [{ use: large }]
`,
  });
  onTestFinished(() => gateway.close());
  const chat = () =>
    gateway.post("/v1/chat/completions", { model: "auto", messages: [{ role: "user", content: "hi" }] });
  const running = chat();
  await expect.poll(() => gateway.gateway.serving.backends.get("one")!.state.inFlight, soon).toBe(1);
  const moved = await chat();
  expect(moved.status).toBe(200);
  expect(moved.headers.get("x-signalbox-model")).toBe("small");
  expect(moved.headers.get("x-signalbox-route")).toBe("routing.0 -> small (large is saturated)");
  expect((await running).headers.get("x-signalbox-model")).toBe("large");
});
