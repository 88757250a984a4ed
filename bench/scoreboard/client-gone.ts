import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { startBlackhole } from "../../packages/simulator/src/index.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import { requestOf } from "../lab/lane.ts";
import { lanePolicy } from "../lab/lane-policy.ts";
import { type Act, type Plan, planOf } from "../lab/plan.ts";
import { talkOf } from "../lab/talk.ts";
import type { Measure } from "./measure.ts";

const LANES = 8;
/** A connection that is still open so long after its client left has survived it. */
const SURVIVED_MS = 1000;
/** The longest wait before a second attempt, and some more. */
const RETRY_MS = 300;
/** A short run of a few samples has no 99th percentile; its worst one tells only of survivors. */
const limitMs = { full: 100, short: SURVIVED_MS } as const;

type Found = Record<string, { readonly abortMs: number[]; survivors: number; furtherAttempts: number }>;

/** Phases that an engine sees: what it does then. The client leaves when the engine has the request, or with some tokens. */
const phases: Readonly<Record<string, (stream: boolean) => { act: Act; leaveAfter: number }>> = {
  // A server that queues sends no headers either, or sends them at once and then nothing.
  queue: (stream) => (stream ? partly(stream, 0) : { act: { do: "silence" }, leaveAfter: 0 }),
  headers: () => ({ act: { do: "silence" }, leaveAfter: 0 }),
  body: (stream) => partly(stream, 3),
};

function partly(stream: boolean, tokens: number): { act: Act; leaveAfter: number } {
  const talk = talkOf("a", { stream, tokens: 12, toolCall: false });
  const bytes = stream ? (talk.tokenEnds[tokens - 1] ?? 0) : talk.body.length >> 1;
  return { act: { do: "break", bytes, how: "stall" }, leaveAfter: stream ? tokens : 0 };
}

/** How soon an engine is let go when the client has left, in each phase of a request. */
export const clientGone: Measure = {
  title:
    "ms until an engine's connection closes after its client left, 99th percentile of 6 phases, streamed and whole",
  target: "<= 100, 0 survivors, no further attempt, no breaker moved",
  async run({ size }) {
    const each = size === "full" ? 200 : 16;
    await using lab = await openLab({
      engines: ["a"],
      config: ({ a }) => lanePolicy(a, LANES + 1, { timeouts: { connect: "10s", first_token: "10s", idle: "10s" } }),
    });
    const found: Found = {};
    for (const stream of [true, false]) {
      const mode = stream ? "streamed" : "whole";
      for (const [phase, how] of Object.entries(phases))
        found[`${phase}, ${mode}`] = await leave(lab, each, stream, how);
      found[`classify, ${mode}`] = await leaveEarly(lab, each, stream);
      found[`retry wait, ${mode}`] = await leaveBeforeRetry(lab, each, stream);
    }
    const moved = (await lab.gateway.scrape()).sum("signalbox_breaker_transitions_total");
    Object.assign(found, await leaveConnecting(lab, size === "full" ? 20 : 3));
    const scrape = await lab.gateway.scrape();
    const held = scrape.sum("signalbox_in_flight_requests") + scrape.sum("signalbox_backend_in_flight_requests");
    return summary(found, limitMs[size], { held, moved, stillBusy: lab.engines.a.busy, strays: lab.engines.a.strays });
  },
};

function summary(found: Found, limit: number, left: Readonly<Record<string, number>>) {
  const sum = (key: "survivors" | "furtherAttempts"): number =>
    Object.values(found).reduce((total, phase) => total + phase[key], 0);
  const p99s = Object.entries(found).flatMap(([name, { abortMs }]) =>
    abortMs.length === 0 ? [] : [[name, percentile(abortMs, 0.99)] as const],
  );
  const value = percentile(
    Object.values(found).flatMap(({ abortMs }) => abortMs),
    0.99,
  );
  const counts = { survivors: sum("survivors"), furtherAttempts: sum("furtherAttempts"), ...left };
  const ok = value <= limit && Object.values(counts).every((count) => count === 0);
  const most = Math.max(...Object.values(found).flatMap(({ abortMs }) => abortMs));
  return { value, ok, details: { ...counts, mostMs: most, p99Ms: Object.fromEntries(p99s) } };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

async function inLanes(count: number, one: (lane: number, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (_: unknown, index: number): Promise<void> => {
    while (next < count) await one(index, next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

let number = 0;

async function leave(
  { lane, ask }: Lab<"a">,
  count: number,
  stream: boolean,
  how: (stream: boolean) => { act: Act; leaveAfter: number },
): Promise<Found[string]> {
  const found: Found[string] = { abortMs: [], survivors: 0, furtherAttempts: 0 };
  await inLanes(count, async (index) => {
    const { act, leaveAfter } = how(stream);
    const plan = planOf({ number: number++, stream, acts: [act], leaveAfter });
    const { heard } = await ask(lane(), plan, { model: `m${index}` });
    await measureAbort(plan, heard.leftAt!, found);
  });
  return found;
}

async function measureAbort(plan: Plan, leftAt: number, found: Found[string]): Promise<void> {
  const visit = plan.visits[0];
  while (visit?.closedAt === undefined && performance.now() - leftAt < SURVIVED_MS) await sleep(5);
  if (visit?.closedAt === undefined) found.survivors++;
  else found.abortMs.push(visit.closedAt - leftAt);
  found.furtherAttempts += plan.visits.length - 1;
}

/** The client leaves before its request is whole: no engine hears of it. */
async function leaveEarly({ gateway, engines }: Lab<"a">, count: number, stream: boolean): Promise<Found[string]> {
  const before = engines.a.attempts;
  await inLanes(count, async (index) => {
    const request = requestOf(planOf({ number: number++, stream }), { model: `m${index}` });
    const socket = connect(gateway.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(request.subarray(0, request.length - 1 - (number % 40)));
    await sleep(5 + (number % 20));
    socket.destroy();
  });
  await sleep(50);
  return { abortMs: [], survivors: 0, furtherAttempts: engines.a.attempts - before };
}

/** The only backend has failed and will be asked again: not when the client has left by then. */
async function leaveBeforeRetry({ lane, ask }: Lab<"a">, count: number, stream: boolean): Promise<Found[string]> {
  const found: Found[string] = { abortMs: [], survivors: 0, furtherAttempts: 0 };
  await inLanes(count, async (index) => {
    const client = lane();
    const plan = planOf({ number: number++, stream, acts: [{ do: "status", status: 500 }] });
    const asked = ask(client, plan, { model: `m${index}` });
    while (plan.visits.length === 0) await sleep(1);
    // It is known to have failed, and the next attempt is 50 ms away at least.
    await sleep(20);
    client.leave();
    const { heard } = await asked;
    // In the midst of failures the breaker would be what keeps the engine from being asked.
    for (let good = 0; good < 2; good++) await ask(client, planOf({ number: number++ }), { model: `m${index}` });
    await sleep(RETRY_MS);
    // On a machine that is busy the second attempt may have been on its way before the client left.
    found.furtherAttempts += plan.visits.filter(({ at }) => at > heard.leftAt! + limitMs.full).length;
  });
  return found;
}

/** The backend neither takes nor refuses the connection; the kernel's table tells when the gateway gives it up. */
async function leaveConnecting(lab: Lab<"a">, count: number): Promise<Found> {
  const { a } = lab.engines;
  const port = Number(new URL(a.url).port);
  await a.close();
  const blackhole = await startBlackhole(port);
  const found: Found = {};
  for (const stream of [true, false]) {
    const phase: Found[string] = { abortMs: [], survivors: 0, furtherAttempts: 0 };
    found[`connect, ${stream ? "streamed" : "whole"}`] = phase;
    for (let one = 0; one < count; one++) await leaveOneConnecting(lab, port, stream, phase);
  }
  blackhole.close();
  return found;
}

async function leaveOneConnecting(lab: Lab<"a">, port: number, stream: boolean, found: Found[string]): Promise<void> {
  const filling = connecting(port);
  const client = lab.lane();
  const asked = lab.ask(client, planOf({ number: number++, stream }), { model: `m${LANES}` });
  const began = performance.now();
  while (connecting(port) <= filling && performance.now() - began < SURVIVED_MS) await sleep(1);
  if (connecting(port) <= filling) throw new Error("the gateway does not connect");
  const leftAt = performance.now();
  client.leave();
  await asked;
  while (connecting(port) > filling && performance.now() - leftAt < SURVIVED_MS) await sleep(1);
  if (connecting(port) > filling) found.survivors++;
  else found.abortMs.push(performance.now() - leftAt);
}

/** Connections to this port of which nothing has come back yet. */
function connecting(port: number): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n");
  return lines.filter((line) => {
    const [, , to = "", state] = line.trim().split(/\s+/);
    return state === "02" && to.endsWith(remote);
  }).length;
}
