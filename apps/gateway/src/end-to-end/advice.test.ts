import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { SimulatorInput } from "@signalbox/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AdviceReport } from "../advice/advisor.ts";
import { startTestGateway, type TestGateway } from "./test-gateway.ts";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

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

/** What the command prints, and what it ends with. */
async function advise(...args: string[]): Promise<{ out: string; code: number }> {
  return promisify(execFile)(process.execPath, [main, "advise", ...args]).then(
    ({ stdout }) => ({ out: stdout, code: 0 }),
    (error: { stdout: string; stderr: string; code: number }) => ({
      out: error.stdout + error.stderr,
      code: error.code,
    }),
  );
}

describe("a gateway under load that is more than one of its backends holds", () => {
  let gateway: TestGateway<"busy" | "idle">;
  let stop = false;
  let sent: Promise<unknown>;
  const ends: number[] = [];

  beforeAll(async () => {
    const engine: SimulatorInput = { kind: "vllm", models: ["m"], firstTokenMs: 200 };
    gateway = await startTestGateway({ engines: { busy: engine, idle: engine }, yaml: policy });
    const keepAsking = async (): Promise<void> => {
      while (!stop) {
        const body = { model: "large", messages: [{ role: "user", content: "hi" }], max_tokens: 2 };
        const answer = await gateway.post("/v1/chat/completions", body);
        await answer.text();
        ends.push(answer.status);
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
    // Until the whole memory is full, nothing is forgotten: what was counted is what clients saw.
    const slices = JSON.parse(out).history.models[0].slices as { requests: number }[];
    const counted = slices.reduce((sum, { requests }) => sum + requests, 0);
    expect(counted).toBeGreaterThan(20);
    expect(counted).toBeLessThanOrEqual(ends.length);
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
