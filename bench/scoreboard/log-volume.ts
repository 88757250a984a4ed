import { setTimeout as sleep } from "node:timers/promises";
import {
  type FaultInput,
  type FaultName,
  faults,
  type Simulator,
  startSimulator,
} from "../../packages/simulator/src/index.ts";
import { type ReadyGateway, startReadyGateway } from "../hostile/ready-gateway.ts";
import { Lane } from "../lab/lane.ts";
import type { Measure } from "./measure.ts";

const limits = { lines: 2, bytes: 4096 } as const;
/** Backends of the model that is wholly down: each is a reason in its line. */
const DEAD = 16;
const timeouts = { connect: "300ms", first_token: "200ms", idle: "200ms", total: "3s" };

/** Faults that end a request in an error have their line; those that are survived have theirs, too. */
const enginesFaults = (Object.keys(faults) as FaultName[]).filter((name) => name !== "refuse");

/** What a client does wrong: path, body and key. */
const clientFaults: Readonly<Record<string, { path?: string; body: string; model?: string }>> = {
  "no JSON": { body: "{" },
  "nested too deep": { body: "[".repeat(100_000) },
  "a model that is not there": { body: chat("no such model") },
  "a model's name of 100 KB": { body: chat("x".repeat(100_000)) },
  "line ends and colours in the model's name": { body: chat("a\r\n\u001b[31mb\n".repeat(1000)) },
  "a path that is not there": { path: `/${"y".repeat(5000)}`, body: "{}" },
  "every backend dead": { body: chat("dead") },
};

function chat(model: string, stream = false): string {
  return JSON.stringify({ model, stream, messages: [{ role: "user", content: "count" }] });
}

function policy(url: string): Readonly<Record<string, unknown>> {
  const dead = Array.from({ length: DEAD }, (_, index) => `dead-backend-with-a-long-name-${index}`);
  const deployments = dead.map((backend) => ({ backend, model: "lab" }));
  return {
    backends: {
      ...Object.fromEntries(enginesFaults.map((name) => [name, { kind: "vllm", url }])),
      ...Object.fromEntries(dead.map((name) => [name, { kind: "vllm", url: "http://127.0.0.1:1" }])),
    },
    models: {
      ...Object.fromEntries(enginesFaults.map((name) => [name, { on: [{ backend: name, model: "lab" }] }])),
      dead: { on: deployments },
    },
    defaults: { timeouts, probe: { interval: "1h" } },
  };
}

interface Volume {
  readonly lines: number;
  readonly bytes: number;
}

/** How much a failing request has to say in the log. */
export const logVolume: Measure = {
  title: "bytes of the log for one failed request, the most over every fault of engines and clients",
  target: "<= 4,096, in at most 2 lines",
  async run({ size }) {
    const engine = await startSimulator({ kind: "vllm", models: ["lab"], slots: 100 });
    await using gateway = await startReadyGateway({ config: policy(engine.url) });
    const found: Record<string, Volume> = {};
    try {
      const chosen = size === "full" ? enginesFaults : enginesFaults.filter((_, index) => index % 4 === 0);
      for (const name of chosen)
        for (const stream of [true, false])
          found[`${name}, ${stream ? "streamed" : "whole"}`] = await ofEngineFault(gateway, engine, name, stream);
      for (const [name, request] of Object.entries(clientFaults))
        found[name] = await volumeOf(gateway, () => send(gateway, request.body, request.path));
    } finally {
      await engine.close();
    }
    const value = Math.max(...Object.values(found).map(({ bytes }) => bytes));
    const lines = Math.max(...Object.values(found).map((volume) => volume.lines));
    const largest = Object.entries(found)
      .toSorted(([, a], [, b]) => b.bytes - a.bytes)
      .slice(0, 5);
    const ok = value <= limits.bytes && lines <= limits.lines;
    return { value, ok, details: { lines, faults: Object.keys(found).length, largest: Object.fromEntries(largest) } };
  },
};

async function ofEngineFault(
  gateway: ReadyGateway,
  engine: Simulator,
  name: FaultName,
  stream: boolean,
): Promise<Volume> {
  engine.fault({ kind: name, ...(name === "split_at" ? { offset: 100 } : {}) } as FaultInput);
  const volume = await volumeOf(gateway, () => send(gateway, chat(name, stream)));
  await engine.clearFaults();
  return volume;
}

async function send({ port }: ReadyGateway, body: string, path = "/v1/chat/completions"): Promise<void> {
  const lane = new Lane(port);
  const head = `POST ${path} HTTP/1.1\r\nhost: lab\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const late = setTimeout(() => lane.leave(), 4000);
  await lane.ask(Buffer.from(head + body, "latin1"));
  clearTimeout(late);
  lane.leave();
}

/** Lines that the log has gained, a moment after the answer. */
async function volumeOf({ lines }: ReadyGateway, act: () => Promise<void>): Promise<Volume> {
  const before = lines.length;
  await act();
  await sleep(60);
  const gained = lines.slice(before);
  const bytes = gained.reduce((sum, line) => sum + Buffer.byteLength(JSON.stringify(line)) + 1, 0);
  return { lines: gained.length, bytes };
}
