import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, hashText } from "../../packages/simulator/src/index.ts";
import { Checks, type Side } from "./checks.ts";
import { playCases } from "./play-cases.ts";
import type { Profile } from "./profile.ts";
import type { Scenario, Scene } from "./scenario.ts";
import { type Stage, startStage } from "./stage.ts";

/** What became of one scenario. */
export interface Result {
  readonly id: string;
  readonly title: string;
  readonly outcome: "ok" | "FAILED" | "skipped";
  /** Why it was skipped. */
  readonly reason?: string;
  readonly ms: number;
  /** What was looked at, by side. */
  readonly checks: Readonly<Record<Side, number>>;
  readonly failures: readonly string[];
  /** Of the gateway's event loop, from the fault to the end, in milliseconds. */
  readonly lagMaxMs: number;
  readonly lagP99Ms: number;
  /** Share of one core that the gateway used after the end, for ten seconds of the real profile. */
  readonly cpuAfter: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** Plays scenarios: each of those that bear no company alone, then the others side by side. */
export interface Scheduler {
  play(scenario: Scenario): Promise<Result>;
}

export interface RunOptions {
  readonly profile: Profile;
  readonly seed: number;
  /** Scenarios at once; they mostly wait. */
  readonly beside?: number;
}

const CPU_WINDOW_MS = 10_000;
const LIMIT_SECONDS = 120;
/** A fast scenario still has processes to start. */
const LEAST_LIMIT_MS = 60_000;

/** A scheduler with nothing to do yet. */
export function createScheduler({ profile, seed, beside = 5 }: RunOptions): Scheduler {
  let running = 0;
  let isAlone = false;
  const waiting: { readonly alone: boolean; begin(): void }[] = [];
  const next = (): void => {
    for (;;) {
      if (isAlone) return;
      const first = waiting.findIndex(({ alone }) => alone);
      const at = first >= 0 && running === 0 ? first : waiting.findIndex(({ alone }) => !alone);
      if (at < 0 || running >= beside) return;
      const [turn] = waiting.splice(at, 1);
      running++;
      isAlone = turn!.alone;
      turn!.begin();
    }
  };
  return {
    async play(scenario) {
      const { id, title, skipped, alone = false } = scenario;
      if (skipped !== undefined) return { ...emptyResult(id, title), outcome: "skipped", reason: skipped };
      await new Promise<void>((begin) => {
        waiting.push({ alone, begin });
        // Everybody who comes in the same turn of the event loop has come before anybody begins.
        setImmediate(next);
      });
      try {
        return await playScenario(scenario, profile, seed);
      } finally {
        running--;
        isAlone = false;
        next();
      }
    },
  };
}

/** A result of nothing. */
function emptyResult(id: string, title: string): Omit<Result, "outcome"> {
  const checks = new Checks().counts;
  return { id, title, ms: 0, checks, failures: [], lagMaxMs: 0, lagP99Ms: 0, cpuAfter: 0, figures: {} };
}

async function playScenario(scenario: Scenario, profile: Profile, seed: number): Promise<Result> {
  const { id, title, cases, play, seconds = LIMIT_SECONDS } = scenario;
  const random = createRandom(hashText(id, seed));
  const checks = new Checks();
  const stages: Stage[] = [];
  const figures: Record<string, number> = {};
  const scene: Scene = {
    profile,
    random,
    checks,
    async start(shape = {}) {
      const stage = await startStage(shape, profile, random, checks);
      stages.push(stage);
      return stage;
    },
    note(name, value) {
      figures[name] = Math.round(value * 1000) / 1000;
    },
  };
  const started = performance.now();
  const limitMs = Math.max(LEAST_LIMIT_MS, profile.ms(seconds * 1000));
  let strain: Strain = { lagMaxMs: 0, lagP99Ms: 0, cpuAfter: 0 };
  let ms = 0;
  try {
    const playing = async (): Promise<void> => {
      if (cases !== undefined) await playCases(cases, scene);
      await play?.(scene);
    };
    await within(limitMs, playing());
    ms = performance.now() - started;
    checkSides(scenario, checks);
    strain = await strainOf(stages, profile);
  } catch (error) {
    checks.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await Promise.all(stages.map((stage) => stage.close()));
  }
  if (ms === 0) ms = performance.now() - started;
  const outcome = checks.failures.length === 0 ? "ok" : "FAILED";
  return {
    id,
    title,
    outcome,
    ms: Math.round(ms),
    checks: checks.counts,
    failures: checks.failures,
    ...strain,
    figures,
  };
}

async function within(limitMs: number, playing: Promise<void>): Promise<void> {
  const stopped = new AbortController();
  const late = sleep(limitMs, undefined, { signal: stopped.signal }).then(() => {
    throw new Error(`it did not end within ${limitMs / 1000} s`);
  });
  late.catch(() => {});
  playing.catch(() => {});
  await Promise.race([playing, late]).finally(() => stopped.abort());
}

/** A scenario that does not ask one of the three sides, nor says why, shows less than it promises. */
function checkSides({ unasked = {} }: Scenario, { counts, failures }: Checks): void {
  for (const side of ["client", "engines", "metrics"] as const) {
    if (counts[side] === 0 && unasked[side] === undefined) failures.push(`nothing was asked of the ${side}`);
  }
}

type Strain = Pick<Result, "lagMaxMs" | "lagP99Ms" | "cpuAfter">;

/** What the gateways that still live went through, and what they do when it is over; the worst of them. */
async function strainOf(stages: readonly Stage[], profile: Profile): Promise<Strain> {
  const worst = { lagMaxMs: 0, lagP99Ms: 0, cpuAfter: 0 };
  const living = stages.filter(({ gateway }) => gateway.child.exitCode === null && gateway.child.signalCode === null);
  const windowMs = profile.ms(CPU_WINDOW_MS);
  await Promise.all(
    living.map(async ({ gateway }) => {
      await gateway.scrape();
      const { maxMs, p99Ms } = gateway.lag;
      const before = gateway.cpuMs();
      await sleep(windowMs);
      worst.lagMaxMs = Math.max(worst.lagMaxMs, Math.round(maxMs));
      worst.lagP99Ms = Math.max(worst.lagP99Ms, Math.round(p99Ms));
      worst.cpuAfter = Math.max(worst.cpuAfter, (gateway.cpuMs() - before) / windowMs);
    }),
  );
  return worst;
}
