import { setTimeout as sleep } from "node:timers/promises";
import { startRedis, type TestRedis } from "../../apps/gateway/src/store/test-redis.ts";
import { type ReadyGateway, startReadyGateway } from "../hostile/ready-gateway.ts";
import { Engine } from "../lab/engine.ts";
import type { Plan } from "../lab/plan.ts";
import { type Asked, Asking } from "./asking.ts";
import { limitsPolicy } from "./teams.ts";
import { type Return, startTraffic } from "./traffic.ts";

/** How replicas are to be shown to count as one. */
export interface RunOptions {
  readonly store: "memory" | "redis";
  readonly replicas: number;
  /** Of traffic before Redis is lost. */
  readonly seconds: number;
  readonly seed: number;
  /** How Redis is lost. */
  readonly fault: "kill" | "freeze";
  readonly say: (line: string) => void;
}

/** When Redis was lost and when it was back. */
export interface Outage {
  readonly lostAt: number;
  readonly backAt: number;
}

/** What was seen of a run. */
export interface Seen {
  readonly asked: readonly Asked[];
  readonly returns: readonly Return[];
  /** Without Redis there is none. */
  readonly outage: Outage | undefined;
  readonly beganAt: number;
  readonly endedAt: number;
}

const engineNames = ["a", "b"] as const;
/** Parts of the length of the run before it. */
const outageParts = { before: 1 / 12, down: 1 / 5, after: 1 / 3 } as const;

/** Runs the traffic of all teams through so many gateway processes with one policy. Leaves no process behind. */
export async function runLimits(options: RunOptions): Promise<Seen> {
  await using stack = new AsyncDisposableStack();
  const plans = new Map<number, Plan>();
  const engines = await Promise.all(engineNames.map((name) => new Engine(name, plans).open()));
  for (const engine of engines) stack.defer(() => engine.close());
  const redis = options.store === "redis" ? await startRedis() : undefined;
  if (redis !== undefined) stack.defer(() => redis.close());
  const policy = limitsPolicy(
    engines.map(({ url }) => url),
    redis?.url ?? "memory",
  );
  const gateways: ReadyGateway[] = [];
  stack.defer(async () => void (await Promise.all(gateways.map((gateway) => gateway.close()))));
  for (let replica = 0; replica < options.replicas; replica++) {
    gateways.push(await startReadyGateway({ config: policy }));
  }
  return await underTraffic(options, gateways, plans, redis);
}

async function underTraffic(
  { seconds, seed, fault, say }: RunOptions,
  gateways: readonly ReadyGateway[],
  plans: Map<number, Plan>,
  redis: TestRedis | undefined,
): Promise<Seen> {
  const ports = gateways.map(({ port }) => port);
  const asking = new Asking(ports, plans);
  say(`${ports.length} gateways, ${seconds} s of traffic`);
  const beganAt = performance.now();
  const traffic = startTraffic(asking, ports.length, seed);
  await sleep(seconds * 1000);
  const outage = redis && (await loseRedis(redis, fault, seconds, say));
  await traffic.stop();
  return { asked: await asking.end(), returns: traffic.returns, outage, beganAt, endedAt: performance.now() };
}

async function loseRedis(
  redis: TestRedis,
  fault: RunOptions["fault"],
  seconds: number,
  say: RunOptions["say"],
): Promise<Outage> {
  const part = (share: number): Promise<void> => sleep(share * seconds * 1000);
  await part(outageParts.before);
  say(`redis: ${fault}`);
  const lostAt = performance.now();
  if (fault === "kill") await redis.kill();
  else redis.freeze();
  await part(outageParts.down);
  if (fault === "kill") await redis.restart();
  else redis.thaw();
  const backAt = performance.now();
  say("redis: back");
  await part(outageParts.after);
  return { lostAt, backAt };
}
