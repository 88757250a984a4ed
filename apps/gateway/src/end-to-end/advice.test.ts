import type { SimulatorInput } from "@signalbox/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AdviceReport } from "../advice/advisor.ts";
import type { LoadHistory } from "../advice/load-history.ts";
import { advise as command } from "../cli/advise.ts";
import { type CommandRun, runCommand } from "./run-command.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const policy = ({ busy, idle }: Record<"busy" | "idle", string>): string => `
server: { listen: 127.0.0.1:0, admin: 127.0.0.1:0, drain_delay: 0s, shed_lag: 0s, log: silent }
backends:
  busy: { kind: vllm, url: "${busy}", max_concurrent: 4 }
  idle: { kind: vllm, url: "${idle}", max_concurrent: 4 }
  gone: { kind: vllm, url: "http://127.0.0.1:1", max_concurrent: 4 }
models:
  large: { on: [{ backend: busy, model: m }, { backend: gone, model: m }] }
  small: { on: [{ backend: idle, model: m }] }
defaults: { scaling: { window: 1500ms }, queue: { max_wait: 30s }, probe: { interval: 100ms } }
`;

const advise = (...args: readonly string[]): Promise<CommandRun> => runCommand(command, ...args);

describe("a gateway under load that is more than one of its backends holds", () => {
  let gateway: TestGateway<"busy" | "idle">;
  let stop = false;
  let sent: Promise<unknown>;

  beforeAll(async () => {
    const engine: SimulatorInput = { kind: "vllm", models: ["m"], firstTokenMs: 200 };
    gateway = await startTestGateway({ engines: { busy: engine, idle: engine }, yaml: policy });
    const keepAsking = async (): Promise<void> => {
      while (!stop) {
        const body = { model: "large", messages: [{ role: "user", content: "hi" }], max_tokens: 2 };
        const answer = await gateway.post("/v1/chat/completions", body);
        await answer.text();
      }
    };
    sent = Promise.all(Array.from({ length: 8 }, keepAsking));
  });
  afterAll(async () => {
    stop = true;
    await sent;
    await gateway.close();
  });

  test("says first that it knows too little, and then what is down and missing, by what it saw", async () => {
    const early = (await (await fetch(`${gateway.adminUrl}/advice`)).json()) as AdviceReport;
    expect(early.advice[0]).toMatchObject({ models: ["large"], wanted: null });
    expect(early.advice[0]!.say).toMatch(/^gone is down; not enough data: [\d.]+ s of 1.5 s$/);
    await expect
      .poll(async () => (await advise("--admin", gateway.adminUrl)).out, { timeout: 15_000 })
      .toMatch(/large\s+1\/2\s+[2-5]\s+\d+ %\s+down: bring back gone/);
    const { out, code } = await advise("--admin", gateway.adminUrl, "--json");
    expect(code).toBe(1);
    const { advice } = JSON.parse(out) as AdviceReport;
    const [large, small] = advice;
    const { numbers } = large!;
    // Four at once are worked on for 0.2 s each: 20 a second.
    expect(numbers).toMatchObject({ slots_per_backend: 4, slots_from: "max_concurrent" });
    expect(numbers!.load).toBeGreaterThan(3);
    expect(numbers!.load).toBeLessThan(5);
    expect(numbers!.service_seconds).toBeGreaterThan(0.15);
    expect(numbers!.queued).toBeGreaterThan(2);
    expect(numbers!.output_tokens_per_busy_second).toBeGreaterThan(10);
    expect(small).toMatchObject({ models: ["small"], wanted: 1, say: "enough", missing: 0, spare: 0 });
  });

  test("asks two addresses and adds them up", async () => {
    const one = JSON.parse((await advise("--admin", gateway.adminUrl, "--json")).out) as AdviceReport;
    const two = await advise("--admin", gateway.adminUrl, "--admin", gateway.adminUrl, "--json");
    const { advice, history } = JSON.parse(two.out) as AdviceReport;
    expect(history.known).toHaveLength(2);
    expect(advice[0]!.numbers!.queued).toBeGreaterThan(one.advice[0]!.numbers!.queued * 1.5);
  });

  test("has it as metrics, for those who scale by them", async () => {
    const text = await gateway.metrics();
    const value = (name: string, model: string): number =>
      Number(text.match(new RegExp(`^${name}\\{model="${model}"\\} (.*)$`, "m"))?.[1]);
    expect(value("signalbox_advised_backends", "large")).toBeGreaterThanOrEqual(2);
    expect(value("signalbox_advised_backends", "small")).toBe(1);
    expect(value("signalbox_model_load_ratio", "large")).toBeGreaterThan(0.7);
    expect(value("signalbox_model_load_ratio", "small")).toBe(0);
  });

  test("begins anew with another window", async () => {
    await gateway.apply(
      policy({ busy: gateway.engines.busy.url, idle: gateway.engines.idle.url }).replace("1500ms", "3s"),
    );
    const { out, code } = await advise("--admin", gateway.adminUrl);
    expect(out).toContain("not enough data");
    expect(code).toBe(0);
  });

  test("says so where no gateway answers", async () => {
    const { out, code } = await advise("--admin", "http://127.0.0.1:1");
    expect(code).toBe(1);
    expect(out).toContain("no gateway's admin listener answers at http://127.0.0.1:1");
  });
});

test("what it rests on is what was sent, exactly", async () => {
  const gateway = await startTestGateway({
    engines: { busy: { kind: "vllm", models: ["m"] }, idle: { kind: "vllm", models: ["m"] } },
    yaml: (urls) => policy(urls).replace("1500ms", "6s"),
  });
  const historyNow = async (): Promise<LoadHistory> =>
    ((await (await fetch(`${gateway.adminUrl}/advice`)).json()) as AdviceReport).history;
  // What is left of the slice in which it began is not kept.
  await expect.poll(async () => (await historyNow()).known[0], { timeout: 5000 }).toBeGreaterThanOrEqual(1);
  let tokens = 0;
  for (let i = 0; i < 12; i++) {
    const body = { model: "large", messages: [{ role: "user", content: "hi" }], max_tokens: 5 };
    const answer = await gateway.post("/v1/chat/completions", body);
    tokens += ((await answer.json()) as { usage: { completion_tokens: number } }).usage.completion_tokens;
  }
  const sums = async () => {
    const { backends, models } = await historyNow();
    const busy = backends.find(({ name }) => name === "busy")!.slices;
    return {
      requests: models.find(({ name }) => name === "large")!.slices.reduce((sum, one) => sum + one.requests, 0),
      attempts: busy.reduce((sum, one) => sum + one.attempts, 0),
      tokens: busy.reduce((sum, one) => sum + one.output_tokens, 0),
    };
  };
  await expect.poll(sums, { timeout: 5000 }).toEqual({ requests: 12, attempts: 12, tokens });
  await gateway.close();
});
