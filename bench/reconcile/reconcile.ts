import { setTimeout as sleep } from "node:timers/promises";
import type { Simulator } from "../../packages/simulator/src/index.ts";
import type { GatewayProcess } from "../faults/gateway-process.ts";
import { startReadyGateway } from "../hostile/ready-gateway.ts";
import { type Heard, Lane } from "../lab/lane.ts";
import { type Ask, askOf } from "./mix.ts";
import { type EngineName, policyFor, startEngines } from "./pool.ts";
import { readAnswer } from "./reading.ts";
import { type Attempt, type Row, Truth } from "./truth.ts";

const LANES = 24;
/** Engines and log keep more lines than these can make. */
const BATCH = 300;
const SETTLE_MS = 10_000;

export interface Reconciled {
  readonly requests: number;
  readonly seconds: number;
  /** What was compared, one row a metric. */
  readonly rows: readonly Row[];
  readonly mismatches: readonly string[];
}

export interface ReconcileOptions {
  readonly requests: number;
  readonly seed: number;
}

/** Sends a mix of requests through a gateway process, and holds its metrics against what clients and engines counted. */
export async function reconcile({ requests, seed }: ReconcileOptions): Promise<Reconciled> {
  const engines = await startEngines();
  try {
    await using gateway = await startReadyGateway({ config: policyFor(requests, engines) });
    const began = performance.now();
    const truth = new Truth();
    const attempts = new AttemptLog(engines);
    for (let from = 0; from < requests; from += BATCH) {
      const until = Math.min(requests, from + BATCH);
      const asks = Array.from({ length: until - from }, (_, at) => askOf(seed, from + at));
      const heard = await sendAll(gateway.port, asks, engines.mute);
      const lines = await linesOf(gateway, asks);
      const seen = await attempts.settled();
      asks.forEach((ask, at) => {
        truth.take(ask, readAnswer(heard[at]!), seen.get(ask.id) ?? [], lines.get(ask.id) ?? {});
      });
    }
    const seconds = (performance.now() - began) / 1000;
    return { requests, seconds, ...truth.against(await gateway.scrape()) };
  } finally {
    await Promise.all(Object.values(engines).map((engine) => engine.close()));
  }
}

async function sendAll(port: number, asks: readonly Ask[], mute: Simulator): Promise<readonly Heard[]> {
  const heard: Heard[] = [];
  let next = 0;
  const run = async (): Promise<void> => {
    const lane = new Lane(port);
    for (let at = next++; at < asks.length; at = next++) {
      heard[at] = await send(lane, asks[at]!, mute);
      if (/\r\nconnection: close/i.test(heard[at]!.head)) lane.leave();
    }
    lane.leave();
  };
  await Promise.all(Array.from({ length: LANES }, run));
  return heard;
}

/** Sends one request, and leaves where its sort of client does. */
async function send(lane: Lane, { id, bytes, leaves }: Ask, mute: Simulator): Promise<Heard> {
  if (leaves === "midway") return lane.ask(bytes, (text) => text.split('"content":"').length > 4);
  const answer = lane.ask(bytes);
  if (leaves === undefined) return answer;
  let answered = false;
  void answer.then(() => {
    answered = true;
  });
  while (!answered && !mute.log.some(({ headers }) => headers["x-request-id"] === id)) await sleep(5);
  lane.leave();
  return answer;
}

/** The log's lines of these requests, by their ids: there when all are over. */
async function linesOf(gateway: GatewayProcess, asks: readonly Ask[]) {
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    const lines = new Map(gateway.requestLines().map((line) => [String(line.request_id), line]));
    if (asks.every(({ id }) => lines.has(id)) || performance.now() > end) return lines;
    await sleep(10);
  }
}

/** What engines saw, read from their logs before they forget it. */
class AttemptLog {
  readonly #engines: Readonly<Record<EngineName, Simulator>>;
  readonly #read = new Map<EngineName, number>();

  constructor(engines: Readonly<Record<EngineName, Simulator>>) {
    this.#engines = engines;
  }

  /** The attempts since the last time, by the request's id, when all of them are over. */
  async settled(): Promise<ReadonlyMap<string, readonly Attempt[]>> {
    const found = new Map<string, Attempt[]>();
    for (const [engine, { log }] of Object.entries(this.#engines) as [EngineName, Simulator][]) {
      const last = this.#read.get(engine) ?? 0;
      const fresh = log.filter(({ id, headers }) => id > last && headers["x-request-id"] !== undefined);
      const end = performance.now() + SETTLE_MS;
      while (fresh.some(isUnderWay) && performance.now() < end) await sleep(10);
      this.#read.set(engine, Math.max(last, ...log.map(({ id }) => id)));
      for (const { headers, at, fault, abortedAt, tokensSent } of fresh) {
        const id = headers["x-request-id"]!;
        const attempt = { engine, at, fault, aborted: abortedAt !== undefined, tokens: tokensSent };
        found.set(id, [...(found.get(id) ?? []), attempt]);
      }
    }
    return found;
  }
}

const isUnderWay = ({ endedAt, abortedAt }: Simulator["log"][number]): boolean =>
  endedAt === undefined && abortedAt === undefined;
