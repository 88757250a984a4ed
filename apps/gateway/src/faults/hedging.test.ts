import type { Simulator, SimulatorInput } from "@signalbox/simulator";
import { expect, onTestFinished, test } from "vitest";
import { startTestGateway, type TestGateway } from "../end-to-end/test-gateway.ts";
import { chatBody, inferenceOf, until } from "./fault-pool.ts";
import { type Answer, ask, type Reading, readAnswer } from "./wire-client.ts";

type Name = "first" | "second" | "other";

const modes = [
  { mode: "streamed", stream: true },
  { mode: "whole", stream: false },
];

const says = (letter: string): SimulatorInput["script"] => [
  { reply: { deltas: Array.from({ length: 10 }, (_, i) => `${letter}${i} `) } },
];
const text = (letter: string): string => Array.from({ length: 10 }, (_, i) => `${letter}${i} `).join("");

interface Options {
  readonly first?: Partial<SimulatorInput>;
  readonly second?: Partial<SimulatorInput>;
  /** More of the model's settings, as YAML members. */
  readonly model?: string;
  readonly defaults?: string;
  /** More of the first backend's settings, and of the second's. */
  readonly settings?: readonly [string, string];
  readonly after?: string;
  /** In place of the first-token limit and the deadline. */
  readonly timeouts?: string;
}

interface Hedged {
  readonly gateway: TestGateway<Name>;
  readonly engines: Readonly<Record<Name, Simulator>>;
  chat(stream: boolean, more?: Readonly<Record<string, unknown>>): Promise<Answer & Reading>;
  seen(name: Name): number;
  state(name: Name): { readonly breaker: string; readonly inFlight: number };
  lastLine(): Readonly<Record<string, unknown>>;
}

/** The model `large` on two backends, tried in order, the second beside the first after 40 ms (400 ms if not streamed). */
async function startHedged(options: Options = {}): Promise<Hedged> {
  const [first, second] = options.settings ?? ["", ""];
  const gateway = await startTestGateway<Name>({
    engines: {
      first: { kind: "vllm", models: ["big"], script: says("a"), ...options.first },
      second: { kind: "vllm", models: ["big"], script: says("b"), ...options.second },
      other: { kind: "vllm", models: ["tiny"], script: says("c") },
    },
    yaml: (urls) => `
backends:
  first: { kind: vllm, url: "${urls.first}"${first} }
  second: { kind: vllm, url: "${urls.second}"${second} }
  other: { kind: vllm, url: "${urls.other}" }
models:
  large:
    on: [{ backend: first, model: big }, { backend: second, model: big }]
    strategy: ordered
    hedge: { after: ${options.after ?? "40ms"} }
    ${options.model ?? ""}
  small: { on: [{ backend: other, model: tiny }] }
defaults:
  timeouts: { connect: 500ms, idle: 1s, ${options.timeouts ?? "first_token: 1s, total: 10s"} }
  probe: { interval: 60s, timeout: 500ms }
  ${options.defaults ?? ""}
`,
  });
  onTestFinished(() => gateway.close());
  return {
    gateway,
    engines: gateway.engines,
    async chat(stream, more = {}) {
      const answer = await ask(gateway.url, { body: chatBody(stream, more) });
      return { ...answer, ...readAnswer(answer) };
    },
    seen: (name) => inferenceOf(gateway.engines[name]).length,
    state: (name) => gateway.gateway.serving.backends.get(name)!.state,
    lastLine: () => gateway.requestLines().at(-1) ?? {},
  };
}

const hedges = async ({ gateway }: Hedged): Promise<readonly string[]> =>
  (await gateway.metrics()).split("\n").filter((line) => /^signalbox_hedges_total\{.* [1-9]\d*$/.test(line));

/** The sum of the series that begin so. */
const countsIn =
  (metrics: string) =>
  (beginning: string): number => {
    const lines = metrics.split("\n").filter((line) => new RegExp(`^${beginning}`).test(line));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };

test.each(modes)(
  "a second backend answers for one that is late, which is let go at once ($mode)",
  async ({ stream }) => {
    const pool = await startHedged({ timeouts: "first_token: 5s, total: 10s" });
    pool.engines.first.fault({ kind: "silence" });
    const answer = await pool.chat(stream);
    const answeredAt = Date.now();
    expect(answer).toMatchObject({ status: 200, content: text("b"), finishes: ["stop"] });
    expect(answer.ms).toBeGreaterThan(stream ? 38 : 380);
    expect(answer.ms).toBeLessThan(3000);
    expect(answer.headers["x-signalbox-attempts"]).toBe("2");
    expect(answer.headers["x-signalbox-backend"]).toBe("second");
    await until(() => inferenceOf(pool.engines.first)[0]?.abortedAt !== undefined, 500, "the late one sees the end");
    expect(inferenceOf(pool.engines.first)[0]!.abortedAt! - answeredAt).toBeLessThanOrEqual(100);
    await until(() => pool.lastLine().outcome === "ok", 500, "the request is settled");
    expect(pool.lastLine()).toMatchObject({ attempts: 2, backend: "second" });
    expect(pool.lastLine().tried).toMatchObject([
      { backend: "second", outcome: "ok", hedge: "large" },
      { backend: "first", outcome: "cancelled" },
    ]);
    expect([pool.seen("first"), pool.seen("second"), pool.seen("other")]).toEqual([1, 1, 0]);
    expect(await hedges(pool)).toEqual(['signalbox_hedges_total{model="large",outcome="won"} 1']);
    const metrics = await pool.gateway.metrics();
    expect(metrics).toContain('signalbox_attempts_total{backend="first",model="large",outcome="cancelled",cause=""} 1');
    expect(metrics).toContain('signalbox_attempts_total{backend="second",model="large",outcome="ok",cause=""} 1');
    expect(metrics).not.toMatch(/signalbox_tokens_total\{[^}]*backend="first"[^}]*\} [1-9]/);
  },
);

test("a hundred that were given up are no evidence against a backend, and hold no slot", async () => {
  const pool = await startHedged({ defaults: "retry_budget: 100%" });
  pool.engines.first.fault({ kind: "silence" });
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => pool.chat(true)));
    expect(answers.every(({ content }) => content === text("b"))).toBe(true);
  }
  expect(pool.state("first")).toMatchObject({ breaker: "closed", inFlight: 0 });
  // Some were given up before the engine had read of them.
  expect(pool.seen("first")).toBeGreaterThan(0);
  await until(
    () => inferenceOf(pool.engines.first).every(({ abortedAt }) => abortedAt !== undefined),
    500,
    "no connection survives",
  );
  const metrics = await pool.gateway.metrics();
  expect(metrics).toContain('signalbox_attempts_total{backend="first",model="large",outcome="cancelled",cause=""} 100');
  expect(metrics).not.toMatch(/signalbox_breaker_transitions_total\{[^}]*\} [1-9]/);
});

test.each(modes)("one that answers in time is asked alone ($mode)", async ({ stream }) => {
  const pool = await startHedged({ after: "250ms" });
  for (let i = 0; i < 5; i++) expect((await pool.chat(stream)).content).toBe(text("a"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(pool.seen("second")).toBe(0);
  expect(await hedges(pool)).toEqual([]);
});

test("a stream whose first content came in time is not hedged, however slow the rest is", async () => {
  const pool = await startHedged({ after: "250ms", first: { tokensPerSecond: 20 } });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ content: text("a"), done: true });
  expect(answer.ms).toBeGreaterThan(400);
  expect(pool.seen("second")).toBe(0);
});

test("nor is one whose first content is held back", async () => {
  const call = ['<tool_call>\n{"name":"noargs","arguments":{"a":"', ...Array<string>(8).fill("x"), '"}}\n</tool_call>'];
  const tools = [{ type: "function", function: { name: "noargs", parameters: { type: "object" } } }];
  const pool = await startHedged({
    first: { script: [{ reply: { deltas: call } }], tokensPerSecond: 20 },
    after: "250ms",
  });
  const answer = await pool.chat(true, { tools });
  expect(answer.headersMs).toBeGreaterThan(400);
  expect(answer.text).toContain('"tool_calls":[');
  expect(pool.seen("second")).toBe(0);
});

test.each(modes)("when both answer at the same time, one answer is told and counted ($mode)", async ({ stream }) => {
  const tools = [{ type: "function", function: { name: "noargs", parameters: { type: "object" } } }];
  const script = [{ reply: { deltas: ['<tool_call>\n{"name":"noargs","arguments":{}}\n</tool_call>'] } }];
  const delay = stream ? 40 : 400;
  const pool = await startHedged({
    first: { script, firstTokenMs: 2 * delay },
    second: { script, firstTokenMs: delay },
    defaults: "retry_budget: 100%",
  });
  const answers = await Promise.all(Array.from({ length: 40 }, () => pool.chat(stream, { tools })));
  expect(answers.every(({ text: body }) => body.split('"name":"noargs"').length === 2)).toBe(true);
  await until(() => pool.gateway.requestLines().length === 40, 500, "all are settled");
  const counts = countsIn(await pool.gateway.metrics());
  expect(counts("signalbox_tool_calls_total")).toBe(40);
  expect(counts('signalbox_attempts_total{.*outcome="ok"')).toBe(40);
  expect(counts('signalbox_attempts_total{.*outcome="cancelled"')).toBe(counts("signalbox_hedges_total"));
  const [first, second] = [pool.state("first"), pool.state("second")];
  expect([first.inFlight, second.inFlight]).toEqual([0, 0]);
});

test("the first may still win, and the second is let go", async () => {
  const pool = await startHedged({ first: { firstTokenMs: 150 }, second: { firstTokenMs: 5000 } });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ content: text("a"), done: true });
  expect(answer.headers["x-signalbox-attempts"]).toBe("2");
  await until(() => inferenceOf(pool.engines.second)[0]?.abortedAt !== undefined, 500, "the second sees the end");
  expect(pool.state("second")).toMatchObject({ breaker: "closed", inFlight: 0 });
  expect(await hedges(pool)).toEqual(['signalbox_hedges_total{model="large",outcome="lost"} 1']);
});

test.each([
  { what: "the second", failing: "second", letter: "a", fate: "failed" },
  { what: "the first", failing: "first", letter: "b", fate: "won" },
] as const)("when $what fails, the other goes on", async ({ failing, letter, fate }) => {
  const pool = await startHedged({
    first: { firstTokenMs: 300 },
    second: { firstTokenMs: 300 },
    [failing]: { firstTokenMs: 100 },
  });
  pool.engines[failing].fault({ kind: "cut", after_tokens: 0 });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ status: 200, content: text(letter) });
  expect(await hedges(pool)).toEqual([`signalbox_hedges_total{model="large",outcome="${fate}"} 1`]);
  expect([pool.seen("first"), pool.seen("second")]).toEqual([1, 1]);
});

test("when both fail the walk goes on, and no request makes more than three attempts", async () => {
  const pool = await startHedged({ model: "fallback: [small]", timeouts: "first_token: 300ms, total: 10s" });
  for (const name of ["first", "second"] as const) pool.engines[name].fault({ kind: "silence" });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ status: 200, content: text("c") });
  expect(answer.headers["x-signalbox-attempts"]).toBe("3");
  pool.engines.other.fault({ kind: "silence" });
  const failed = await pool.chat(true);
  expect(failed).toMatchObject({ status: 504, error: { code: "upstream_timeout" } });
  expect(failed.headers["x-signalbox-attempts"]).toBe("3");
  expect(pool.seen("first") + pool.seen("second") + pool.seen("other")).toBe(6);
});

test.each(modes)(
  "a client that leaves while both are under way: both are let go within 100 ms ($mode)",
  async ({ stream }) => {
    const pool = await startHedged();
    for (const name of ["first", "second"] as const) pool.engines[name].fault({ kind: "silence" });
    const leaving = new AbortController();
    const asked = ask(pool.gateway.url, { body: chatBody(stream), signal: leaving.signal }).catch(() => undefined);
    await until(() => pool.seen("second") === 1, 2000, "both are under way");
    const left = Date.now();
    leaving.abort();
    await asked;
    for (const name of ["first", "second"] as const) {
      await until(() => inferenceOf(pool.engines[name])[0]?.abortedAt !== undefined, 500, `${name} sees the end`);
      expect(inferenceOf(pool.engines[name])[0]!.abortedAt! - left).toBeLessThanOrEqual(100);
      expect(pool.state(name)).toMatchObject({ breaker: "closed", inFlight: 0 });
    }
    await until(() => pool.gateway.requestLines().length === 1, 500, "the request is settled");
    expect(pool.lastLine()).toMatchObject({ outcome: "client_gone", attempts: 2 });
    expect(pool.lastLine().tried).toMatchObject([{ outcome: "client_gone" }, { outcome: "client_gone" }]);
    expect(await hedges(pool)).toEqual(['signalbox_hedges_total{model="large",outcome="client_gone"} 1']);
    expect(pool.seen("other")).toBe(0);
  },
);

test("the deadline ends both", async () => {
  const pool = await startHedged({ timeouts: "first_token: 5s, total: 200ms" });
  for (const name of ["first", "second"] as const) pool.engines[name].fault({ kind: "silence" });
  const answer = await pool.chat(true);
  expect(answer).toMatchObject({ status: 504, error: { code: "deadline_exceeded" } });
  expect(answer.ms).toBeLessThan(400);
  for (const name of ["first", "second"] as const)
    await until(() => inferenceOf(pool.engines[name])[0]?.abortedAt !== undefined, 200, `${name} sees the end`);
});

test("without retry budget nobody is asked beside the first, and the request is not the worse for it", async () => {
  const pool = await startHedged({ first: { firstTokenMs: 200 } });
  const { retryBudget } = pool.gateway.gateway.serving;
  const spend = (): void => {
    while (retryBudget.take());
  };
  spend();
  const asked = pool.chat(true);
  const spending = setInterval(spend, 5);
  const answer = await asked;
  clearInterval(spending);
  expect(answer).toMatchObject({ status: 200, content: text("a") });
  expect(answer.headers["x-signalbox-attempts"]).toBe("1");
  expect(pool.seen("second")).toBe(0);
});

test.each([
  { what: "nobody is asked beside the first", model: "", letter: "a", attempts: "1" },
  { what: "a fallback is asked", model: "fallback: [small]", letter: "c", attempts: "2" },
])("where the other backends have no room, $what", async ({ model, letter, attempts }) => {
  const pool = await startHedged({
    model,
    first: { firstTokenMs: 300 },
    second: { firstTokenMs: 5000 },
    settings: ["", ", max_concurrent: 1"],
    timeouts: "first_token: 5s, total: 10s",
  });
  const leaving = new AbortController();
  pool.engines.first.fault({ kind: "status", status: 429, retry_after: 0, times: 1 });
  const busy = ask(pool.gateway.url, { body: chatBody(true), signal: leaving.signal }).catch(() => undefined);
  await until(() => pool.state("second").inFlight === 1, 1000, "the second is full");
  const answer = await pool.chat(true);
  expect(answer.content).toBe(text(letter));
  expect(answer.headers["x-signalbox-attempts"]).toBe(attempts);
  expect(pool.seen("second")).toBe(1);
  leaving.abort();
  await busy;
  await until(() => pool.gateway.requestLines().length === 2, 500, "both requests are settled");
});
