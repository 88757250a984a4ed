import { setTimeout as sleep } from "node:timers/promises";
import type { Checks } from "../checks.ts";
import type { Pool, TableFault } from "../pool.ts";
import type { Scene } from "../scenario.ts";
import type { Stage } from "../stage.ts";

const REQUESTS = 20;
const OUTAGE_MS = 60_000;
const BACK_MS = 30_000;
/** A breaker waits so long before it tries again, by up to a tenth less, and then so long every time. */
const WAITS_MS = [1000, 2000, 4000, 8000];

/** F39: an engine that answers 500 for a minute, and one that is gone for a minute. */
export async function playFlap({ checks, start, note, profile }: Scene): Promise<void> {
  const stage = await start({ pools: [{}, {}], config: { defaults: { probe: { interval: "500ms", timeout: "2s" } } } });
  const [broken, gone] = stage.pools as [Pool, Pool];
  const outage = profile.ms(OUTAGE_MS);
  const [back] = await Promise.all([
    playOutage(stage, broken, { kind: "status", status: 500 }, outage, checks.at("500")),
    playOutage(stage, gone, { kind: "dead" }, outage, checks.at("dead")),
  ]);
  note("back_ms", back);
}

async function playOutage(
  stage: Stage,
  pool: Pool,
  fault: TableFault,
  outage: number,
  checks: Checks,
): Promise<number> {
  const [least, most] = [0, 3 + trialsIn(outage)];
  await pool.strike(fault);
  for (let i = 0; i < REQUESTS; i++) {
    const answer = await stage.chat(i % 2 === 0, {}, pool);
    checks.is("client", `the status of answer ${i}`, answer.status, 200);
    checks.is("client", `the words of answer ${i}`, answer.content, pool.words.fallback);
    await sleep(outage / REQUESTS);
  }
  checks.within("engines", "attempts at the primary in its outage", pool.posts("primary"), least, most);
  checks.is("engines", "requests to the fallback", pool.posts("fallback"), REQUESTS);
  if (fault.kind === "dead") await pool.primary.revive();
  else await pool.primary.clearFaults();
  const ended = performance.now();
  let content = "";
  while (content !== pool.words.primary && performance.now() - ended < BACK_MS) {
    const answer = await stage.chat(true, {}, pool);
    checks.is("client", "the status after the outage", answer.status, 200);
    content = answer.content;
    await sleep(50);
  }
  const back = performance.now() - ended;
  checks.within("client", "ms until the primary answers again", back, 0, BACK_MS);
  const moves = await stage.grown("signalbox_breaker_transitions_total", { backend: pool.names.primary, to: "open" });
  checks.within("metrics", "moves to open", moves, fault.kind === "dead" ? 0 : 1, most);
  const tried = await stage.grown("signalbox_attempts_total", { backend: pool.names.primary, outcome: "failed" });
  checks.within("metrics", "failed attempts at the primary", tried, pool.posts("primary") > 1 ? 1 : 0, most);
  return back;
}

/** How often a breaker tries again in so many milliseconds, at the most. */
function trialsIn(outage: number): number {
  let trials = 0;
  for (let at = 0; at < outage; trials++) at += 0.9 * WAITS_MS[Math.min(trials, WAITS_MS.length - 1)]!;
  return trials;
}
