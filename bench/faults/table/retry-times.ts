import { setTimeout as sleep } from "node:timers/promises";
import type { Scene } from "../scenario.ts";

/** F02: known from its probe, a name that nobody knows is passed over; where there is nobody else it is tried all the same. */
export async function playUnknownName({ checks, start }: Scene): Promise<void> {
  const url = "http://no-such-host.invalid:1";
  const stage = await start({ pools: [{ url }, { url, fallback: false }] });
  const [, lonely] = stage.pools;
  for (const stream of [true, false]) {
    const answer = await stage.chat(stream);
    checks.is("client", "the words", answer.content, stage.pool.words.fallback);
    checks.is("client", "x-signalbox-backend", answer.headers["x-signalbox-backend"], "fallback");
    checks.within("client", "the end in ms", answer.ms, 0, 50 + stage.noiseMs + answer.robbedMs);
    const refused = await stage.chat(stream, {}, lonely);
    checks.that("client", `the status is ${refused.status}`, refused.status === 502 || refused.status === 503);
  }
  checks.is("engines", "requests to the fallback", stage.pool.posts("fallback"), 2);
  const up = (await stage.gateway.scrape()).sum("signalbox_backend_up", { backend: "primary" });
  checks.is("metrics", "signalbox_backend_up of the primary", up, 0);
  const failed = { backend: lonely!.names.primary, outcome: "failed", cause: "connect" };
  checks.within("metrics", "failed attempts", await stage.grown("signalbox_attempts_total", failed), 2, 4);
}

/** F09 where there is nobody else: the client is told the time, and before it nothing is sent. */
export async function playNamedTime({ checks, start }: Scene): Promise<void> {
  const stage = await start({ pools: [{ fallback: false }] });
  const { pool } = stage;
  await pool.strike({ kind: "status", status: 429, retry_after: 2, times: 1 });
  for (const what of ["first", "second"]) {
    const answer = await stage.chat(false);
    checks.is("client", `the ${what} status`, answer.status, 503);
    checks.is("client", `the ${what} retry-after`, answer.headers["retry-after"], "2");
  }
  await sleep(2050);
  checks.is("client", "the status after that time", (await stage.chat(false)).status, 200);
  const [first, second, ...more] = pool.seen("primary");
  checks.within("engines", "ms between the two attempts", second!.at - first!.at, 1800, 4000);
  checks.is("engines", "further attempts", more.length, 0);
  checks.is("metrics", "attempts", await stage.grown("signalbox_attempts_total", { backend: "primary" }), 2);
  checks.is("metrics", "moves of the breaker", await stage.grown("signalbox_breaker_transitions_total"), 0);
}

const BUSY = 12;

/** F08, F10: however often an engine is busy, its breaker stays closed. */
export const playManyBusy =
  (status: 429 | 503) =>
  async ({ checks, start }: Scene): Promise<void> => {
    const stage = await start();
    const { pool } = stage;
    await pool.strike({ kind: "status", status, retry_after: 0 });
    for (let i = 0; i < BUSY; i++)
      checks.is("client", "the words", (await stage.chat(i % 2 === 0)).content, pool.words.fallback);
    checks.within("engines", "requests to the primary", pool.posts("primary"), 1, 2 * BUSY);
    checks.is("engines", "requests to the fallback", pool.posts("fallback"), BUSY);
    const busy = await stage.grown("signalbox_attempts_total", { backend: "primary", outcome: "backpressure" });
    checks.is("metrics", "attempts that found it busy", busy, pool.posts("primary"));
    checks.is("metrics", "moves of the breaker", await stage.grown("signalbox_breaker_transitions_total"), 0);
  };
