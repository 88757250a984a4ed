import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Simulator, startSimulator } from "../../packages/simulator/src/index.ts";
import { type GatewayProcess, startGatewayProcess } from "../faults/gateway-process.ts";
import { robbedMs } from "../faults/robbed.ts";
import { Lane } from "../lab/lane.ts";

/** Two engines that answer a token every 10 ms, behind one gateway process. */
export interface Pool {
  readonly gateway: GatewayProcess;
  ask(question: Question): Promise<Answer>;
  /** Gives up whatever is under way. */
  leave(): void;
  close(): Promise<void>;
}

/** One request. */
interface Question {
  readonly team: string;
  /** Tokens of the answer: it takes 10 ms for each, and 100 ms. */
  readonly tokens: number;
  /** A connection of its own, for one request after the other; any free one unless given. */
  readonly lane?: Lane;
}

export interface Answer {
  /** 0 = none came. */
  readonly status: number;
  /** By the clock. */
  readonly clockMs: number;
  /**
   * Without what other programs took of it from the gateway and from this process, at most; but with all of the time in the
   * queue, and no less than the answer takes.
   */
  readonly ms: number;
  /** 0 = it did not wait. */
  readonly queueMs: number;
}

export interface PoolShape {
  /** Settings of each team beside its key. */
  readonly teams: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Of each of the two backends. */
  readonly maxConcurrent: number;
}

const FIRST_TOKEN_MS = 100;
const TOKENS_PER_SECOND = 100;
/** Most tokens of an answer. */
export const MAX_TOKENS = 60;

/** Starts engines and a gateway; resolves when it is ready. */
export async function startPool({ teams, maxConcurrent }: PoolShape): Promise<Pool> {
  const deltas = Array.from({ length: MAX_TOKENS }, (_, i) => `w${i} `);
  const engines = await Promise.all(
    [1, 2].map(() =>
      startSimulator({
        kind: "vllm",
        models: ["m"],
        firstTokenMs: FIRST_TOKEN_MS,
        tokensPerSecond: TOKENS_PER_SECOND,
        slots: 2 * maxConcurrent,
        script: [{ reply: { deltas } }],
      }),
    ),
  );
  const gateway = await startGatewayProcess({ config: configOf(engines, teams, maxConcurrent) });
  while ((await fetch(`${gateway.adminUrl}/readyz`)).status !== 200) await sleep(20);
  const port = Number(new URL(gateway.url).port);
  const lanes = new Set<Lane>();
  const free: Lane[] = [];
  return {
    gateway,
    async ask({ lane, ...question }) {
      const own = lane ?? free.pop() ?? new Lane(port);
      lanes.add(own);
      const before = robbedMs(gateway.pid);
      const { status, head, ms: clockMs } = await own.ask(requestOf(question));
      const robbed = robbedMs(gateway.pid) - before;
      if (lane === undefined) free.push(own);
      const queueMs = Number(/^x-signalbox-queue-ms: (\d+)/im.exec(head)?.[1] ?? 0);
      const answerMs = FIRST_TOKEN_MS + (question.tokens * 1000) / TOKENS_PER_SECOND;
      const behindQueue = clockMs - queueMs;
      const ms = queueMs + Math.max(Math.min(behindQueue, answerMs), behindQueue - robbed);
      return { status, clockMs, ms, queueMs };
    },
    leave() {
      for (const lane of lanes) lane.leave();
    },
    async close() {
      for (const lane of lanes) lane.leave();
      await gateway.close();
      await Promise.all(engines.map((engine) => engine.close()));
    },
  };
}

function configOf(engines: readonly Simulator[], teams: PoolShape["teams"], maxConcurrent: number) {
  const backends = engines.map(({ url }, i) => [`gpu-${i}`, { kind: "vllm", url, max_concurrent: maxConcurrent }]);
  const keyOf = (name: string): string => `sha256:${createHash("sha256").update(name).digest("hex")}`;
  return {
    backends: Object.fromEntries(backends),
    models: { m: { on: backends.map(([backend]) => ({ backend })) } },
    teams: Object.fromEntries(Object.entries(teams).map(([name, more]) => [name, { keys: [keyOf(name)], ...more }])),
  };
}

function requestOf({ team, tokens }: Question): Buffer {
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "count" }], max_tokens: tokens });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${team}`;
  return Buffer.from(`${head}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
}
