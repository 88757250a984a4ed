import { setTimeout as sleep } from "node:timers/promises";
import { Lane } from "../lab/lane.ts";
import { type Answer, MAX_TOKENS, type Pool } from "./pool.ts";

/** An answer, and whose it is. */
export interface Heard extends Answer {
  readonly team: string;
}

/** An answer has at least so many tokens. */
const LEAST_TOKENS = 20;

const tokensBy = (random: () => number): number =>
  LEAST_TOKENS + Math.floor(random() * (MAX_TOKENS - LEAST_TOKENS + 1));

/**
 * Requests of several teams that come by themselves, however the pool does: at random times, `perSecond` of each team on
 * average. Equal random numbers make equal requests at equal times. Resolves when all have been answered.
 */
export async function arrivals(
  pool: Pool,
  teams: readonly string[],
  { perSecond, ms, random }: { readonly perSecond: number; readonly ms: number; readonly random: () => number },
): Promise<Heard[]> {
  const plan: { at: number; team: string; tokens: number }[] = [];
  for (const team of teams) {
    const next = (): number => (-Math.log(1 - random()) / perSecond) * 1000;
    for (let at = next(); at < ms; at += next()) plan.push({ at, team, tokens: tokensBy(random) });
  }
  plan.sort((a, b) => a.at - b.at);
  const began = performance.now();
  const answers: Promise<Heard>[] = [];
  for (const { at, team, tokens } of plan) {
    const wait = began + at - performance.now();
    if (wait > 0) await sleep(wait);
    answers.push(pool.ask({ team, tokens }).then((answer) => ({ ...answer, team })));
  }
  return Promise.all(answers);
}

/** Clients that each send their next request as soon as the last one is answered, until they are stopped. */
export interface Crowd {
  /** What was answered so far. */
  readonly heard: Heard[];
  stop(): Promise<void>;
}

/** A team's crowd. Who is refused comes again after 50 ms, whatever `retry-after` says. */
export function startCrowd(pool: Pool, team: string, clients: number, random: () => number): Crowd {
  const heard: Heard[] = [];
  const port = Number(new URL(pool.gateway.url).port);
  const lanes = Array.from({ length: clients }, () => new Lane(port));
  let goesOn = true;
  const running = lanes.map(async (lane) => {
    while (goesOn) {
      const answer = await pool.ask({ team, tokens: tokensBy(random), lane });
      if (goesOn) heard.push({ ...answer, team });
      if (answer.status !== 200) await sleep(50);
    }
  });
  return {
    heard,
    async stop() {
      goesOn = false;
      for (const lane of lanes) lane.leave();
      await Promise.all(running);
    },
  };
}
