import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, hashText } from "../../packages/simulator/src/index.ts";
import type { Asking, Question } from "./asking.ts";
import { type ModelName, type TrafficTeam, trafficTeams } from "./teams.ts";

const TICK_MS = 4;
/** Until all ask as much as they do: processes that have just begun are slow. */
const RAMP_MS = 5000;

/** Traffic of all teams until it is stopped. */
export interface Traffic {
  /** Polite clients' returns: refused, then asked again when they were told to. */
  readonly returns: readonly Return[];
  stop(): Promise<void>;
}

/** One who was refused and came back as told. */
export interface Return {
  readonly team: string;
  readonly refusedAt: number;
  readonly cameBackAt: number;
  readonly admitted: boolean;
}

/** Starts all teams; the same seed makes the same requests at the same times, but for those who wait for an answer. */
export function startTraffic(asking: Asking, replicas: number, seed: number): Traffic {
  const returns: Return[] = [];
  const stopped = new AbortController();
  const under = trafficTeams.map((team) => {
    const random = createRandom(hashText(team.name, seed));
    const choose = chooser(team, replicas, random);
    const run = team.polite ? politely : openly;
    return run(team, { asking, choose, random, signal: stopped.signal, returns });
  });
  return {
    returns,
    async stop() {
      stopped.abort();
      await Promise.all(under);
    },
  };
}

interface Way {
  readonly asking: Asking;
  readonly random: () => number;
  readonly choose: () => { readonly question: Question; readonly replica: number };
  readonly signal: AbortSignal;
  readonly returns: Return[];
}

function chooser(team: TrafficTeam, replicas: number, random: () => number): Way["choose"] {
  const models = Object.keys(team.asks) as ModelName[];
  return () => ({
    question: {
      team,
      key: drawn(team.keys, random),
      model: models[drawn(Object.values(team.asks), random)]!,
      wish: team.wish(random),
    },
    replica: drawn(team.spread, random) % replicas,
  });
}

/** The place of a part, each as likely as it is large. */
function drawn(parts: readonly number[], random: () => number): number {
  let left = random() * parts.reduce((sum, part) => sum + part, 0);
  const place = parts.findIndex((part) => {
    left -= part;
    return left < 0;
  });
  return Math.max(0, place);
}

/** Requests come when they come, whatever became of those before. */
async function openly({ perSecond, turns }: TrafficTeam, { asking, choose, random, signal }: Way): Promise<void> {
  const gap = (): number => (-Math.log(1 - random()) * 1000) / perSecond;
  const began = performance.now();
  let due = gap();
  while (!signal.aborted) {
    const now = performance.now() - began;
    for (; due <= now; due += gap()) {
      if (turns !== undefined && (due / 1000) % (turns[0] + turns[1]) > turns[0]) continue;
      if (random() * RAMP_MS > due) continue;
      const { question, replica } = choose();
      void asking.ask(question, replica);
    }
    await sleep(TICK_MS);
  }
}

/** One request after the other, with pauses; a refusal's wait is kept. */
async function politely(
  { name, perSecond }: TrafficTeam,
  { asking, choose, random, signal, returns }: Way,
): Promise<void> {
  let refused: { readonly question: Question; readonly at: number } | undefined;
  while (!signal.aborted) {
    const { question: fresh, replica } = choose();
    const question = refused?.question ?? fresh;
    const { admitted, sentAt, decidedBy, retryAfterMs } = await asking.ask(question, replica);
    if (refused !== undefined) returns.push({ team: name, refusedAt: refused.at, cameBackAt: sentAt, admitted });
    refused = retryAfterMs === undefined ? undefined : { question, at: decidedBy };
    const pause = retryAfterMs ?? (random() * 2000) / perSecond;
    await sleep(pause, undefined, { signal }).catch(() => {});
  }
}
