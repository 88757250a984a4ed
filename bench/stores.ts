import { parseArgs } from "node:util";
import { startRedis } from "../apps/gateway/src/store/test-redis.ts";
import type { Admission, Claim, LimitStore, Reservation, Used } from "../apps/gateway/src/teams/limits.ts";
import { createMemoryStore } from "../apps/gateway/src/teams/memory-store.ts";
import type { Meter, Quota, Span } from "../apps/gateway/src/teams/quota.ts";
import { createRedisStore } from "../apps/gateway/src/teams/redis-store.ts";
import { createTestRunner, type TestRunner } from "../apps/gateway/src/teams/redis-test-runner.ts";
import { machine, writeJson } from "./harness.ts";
import { table } from "./rounds.ts";

/** Requests of a measurement, and how many of them are under way at once. */
const MEMORY_REQUESTS = 20_000;
const REDIS_REQUESTS = 500;
const UNDER_WAY = 64;

const { values: options } = parseArgs({
  options: { json: { type: "string" }, rounds: { type: "string", default: "60" } },
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
});

function quota(meter: Meter, limit: number, span: Span, scope: string): Quota {
  return { id: `${scope}|${meter}|${JSON.stringify(span)}`, scope, meter, limit, span };
}

const minute: Span = { kind: "window", ms: 60_000 };
const held: Span = { kind: "held" };
const month: Span = { kind: "period", every: "month" };
const requests = quota("requests", 1e9, minute, "team:a");
const team = [requests, quota("tokens", 1e12, minute, "team:a"), quota("concurrent", 1e6, held, "team:a")];

/** What a request may be counted against, from the least to all that a policy file usually has. */
const claims: Readonly<Record<string, readonly Quota[]>> = {
  requests: [requests],
  "requests, tokens, concurrent": team,
  "the same, a key's, a model's, and a budget": [
    ...team,
    quota("requests", 1e9, minute, "team:a/key:k"),
    quota("tokens", 1e12, minute, "model:m"),
    quota("concurrent", 1e6, held, "model:m"),
    quota("tokens", 1e15, month, "team:a"),
  ],
  "refused: the window is walked": [quota("requests", 1, minute, "team:b"), ...team],
};

const claimOf = (quotas: readonly Quota[]): Claim => ({
  quotas,
  inputTokens: 700,
  outputTokens: 512,
  cost: 0,
  gpuMs: 0,
});
const used: Used = { inputTokens: 712, outputTokens: 180, cost: 0, gpuMs: 0 };

/** Microseconds to reserve and settle, in this process. */
function measureMemory(quotas: readonly Quota[]): number {
  const store = createMemoryStore({ now: () => performance.now(), wallNow: Date.now, reservationTtlMs: 600_000 });
  const claim = claimOf(quotas);
  const open: (Reservation | undefined)[] = Array.from({ length: UNDER_WAY }, () => undefined);
  const go = (count: number): void => {
    for (let i = 0; i < count; i++) {
      open[i % UNDER_WAY]?.settle(used);
      const admission = store.reserve(claim);
      open[i % UNDER_WAY] = admission.ok ? admission.reservation : undefined;
    }
  };
  go(MEMORY_REQUESTS / 4);
  const began = performance.now();
  go(MEMORY_REQUESTS);
  return ((performance.now() - began) * 1000) / MEMORY_REQUESTS;
}

interface Shared {
  /** Microseconds of Redis' own time for a script. */
  readonly reserve: number;
  readonly settle: number;
  /** Requests a second, each reserved and settled, as one client process gets them done. */
  readonly perSecond: number;
}

async function measureRedis(runner: TestRunner, store: LimitStore, quotas: readonly Quota[]): Promise<Shared> {
  const claim = claimOf(quotas);
  const began = performance.now();
  await runner.redis.config("RESETSTAT");
  const admissions: Admission[] = [];
  await inParallel(async () => void admissions.push(await store.reserve(claim)));
  const reserve = await scriptMicroseconds(runner);
  await runner.redis.config("RESETSTAT");
  for (const admission of admissions) if (admission.ok) admission.reservation.settle(used);
  await runner.redis.ping();
  const settled = admissions.filter(({ ok }) => ok).length;
  const settle = settled < REDIS_REQUESTS ? 0 : await scriptMicroseconds(runner);
  return { reserve, settle, perSecond: (REDIS_REQUESTS * 1000) / (performance.now() - began) };
}

async function inParallel(go: () => Promise<void>): Promise<void> {
  let left = REDIS_REQUESTS;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await go();
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, worker));
}

async function scriptMicroseconds({ redis }: TestRunner): Promise<number> {
  const stats = await redis.info("commandstats");
  const [, calls, microseconds] = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(stats) ?? [0, 1, 0];
  return Number(microseconds) / Number(calls);
}

console.log(`${machine()}\n`);
const redis = await startRedis();
const runner = createTestRunner(redis.url);
const store = createRedisStore({ runner, now: () => performance.now(), reservationTtlMs: 600_000 });
const figures: Record<string, Record<string, number>> = {};
try {
  for (const [name, quotas] of Object.entries(claims)) {
    const memory: number[] = [];
    const shared: Shared[] = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      memory.push(measureMemory(quotas));
      shared.push(await measureRedis(runner, store, quotas));
    }
    figures[name] = {
      // The least of all rounds: whatever else runs on the machine can only add to it.
      memory_us: Math.min(...memory),
      redis_reserve_us: Math.min(...shared.map(({ reserve }) => reserve)),
      redis_settle_us: Math.min(...shared.map(({ settle }) => settle)),
      requests_per_second: Math.max(...shared.map(({ perSecond }) => perSecond)),
    };
  }
} finally {
  await store.close();
  runner.close();
  await redis.close();
}
const rows = Object.entries(figures).map(([name, row]) => {
  const { memory_us, redis_reserve_us, redis_settle_us, requests_per_second } = row as Record<string, number>;
  const most = 1e6 / (redis_reserve_us! + redis_settle_us!);
  return [name, memory_us!, redis_reserve_us!, redis_settle_us!, most, requests_per_second!].map((cell) =>
    typeof cell === "number" ? cell.toFixed(cell < 100 ? 1 : 0) : cell,
  );
});
const head = ["counted against", "memory us", "Redis reserve us", "Redis settle us", "most a second", "one client"];
console.log(table([head, ...rows]));
console.log(
  "\nmemory: reserve and settle; Redis: its own time for each script; most a second: what that leaves one Redis",
);
if (options.json !== undefined) writeJson(options.json, figures);
