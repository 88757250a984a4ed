import { setTimeout as sleep } from "node:timers/promises";
import type { LogEntry } from "../../../packages/simulator/src/index.ts";
import { robbedMs } from "../robbed.ts";
import type { Scenario } from "../scenario.ts";
import { chatBody, comesTrue, type Stage } from "../stage.ts";
import { ask } from "../wire-client.ts";

/** Failures in a row that open a breaker, and the waits behind it; the same in every profile. */
const OPENS_AFTER = 3;
const FIRST_WAIT_MS = 1100;
const LONGEST_WAIT_MS = 9000;

/** Has the primary fail until its breaker is open. */
async function openBreaker(stage: Stage): Promise<void> {
  for (let i = 0; i < OPENS_AFTER; i++) await stage.chat(false);
}

const moves = (stage: Stage, to: string): Promise<number> =>
  stage.grown("signalbox_breaker_transitions_total", { backend: "primary", to });

/** How many requests the engine worked on when each came, and how many it had finished by then. */
function arrivals(
  log: readonly LogEntry[],
): { readonly at: number; readonly running: number; readonly finished: number }[] {
  return log.map(({ id, at }) => {
    const before = log.filter((one) => one.id <= id);
    const finished = before.filter(({ endedAt }) => endedAt !== undefined && endedAt <= at).length;
    return { at, running: before.length - finished, finished };
  });
}

/** F51: 1, 2, 4, ...: never more at once than what has come back bears out. */
const thunderingHerd: Scenario = {
  id: "F51",
  title: "a herd waits for a backend that recovers -> slow start: 1, 2, 4, ... at once, doubled by successes alone",
  alone: true,
  async play({ start, checks, profile, note }) {
    const defaults = { timeouts: { first_token: "30s", idle: "30s", connect: "2s" }, probe: { interval: "60s" } };
    const pools = [{ fallback: false, primary: { tokensPerSecond: 200, slots: 1000 } } as const];
    const stage = await start({ config: { defaults }, pools });
    const { pool } = stage;
    await pool.strike({ kind: "dead" });
    await openBreaker(stage);
    const before = pool.posts("primary");
    await pool.primary.revive();
    const herd = profile.pick(60, 200);
    let served = 0;
    const statuses = new Set<number>();
    await Promise.all(
      Array.from({ length: herd }, async () => {
        for (;;) {
          const { status } = await stage.chat(false);
          statuses.add(status);
          if (status === 200 && ++served > 0) return;
          await sleep(50);
        }
      }),
    );
    checks.is("client", "clients that were served", served, herd);
    checks.that(
      "client",
      `their answers were ${[...statuses]}`,
      [...statuses].every((one) => one === 200 || one === 503),
    );
    const seen = arrivals(pool.seen("primary").slice(before));
    const most = Math.max(...seen.map(({ running }) => running));
    note("most_at_once", most);
    checks.within("engines", "most at once", most, 2, herd);
    const early = seen.filter(({ running, finished }) => running > Math.max(1, 2 * finished));
    checks.is("engines", "requests that came before others had shown that there is room", early, []);
    checks.is("metrics", "times it opened", await moves(stage, "open"), 1);
    checks.is("metrics", "times it closed", await moves(stage, "closed"), 1);
  },
};

/** F52: whoever comes beside the probe goes elsewhere at once. */
const halfOpen: Scenario = {
  id: "F52",
  title: "half-open with 100 (full: 500) requests at once -> one probe, the rest to the fallback, none waits",
  alone: true,
  async play({ start, checks, profile, note }) {
    const stage = await start();
    const { pool } = stage;
    await pool.strike({ kind: "status", status: 500 });
    await openBreaker(stage);
    const [posts, others] = [pool.posts("primary"), pool.posts("fallback")];
    await pool.primary.clearFaults();
    await pool.strike({ kind: "silence" });
    await sleep(FIRST_WAIT_MS);
    const count = profile.pick(100, 500);
    const answers = await Promise.all(Array.from({ length: count }, (_, i) => stage.chat(i % 2 === 0)));
    checks.is("client", "contents", [...new Set(answers.map(({ content }) => content))], [pool.words.fallback]);
    const waited = answers.filter(({ headers }) => headers["x-signalbox-attempts"] !== "1");
    checks.is("client", "requests that waited for the probe", waited.length, 1);
    note("longest_ms", Math.max(...answers.map(({ ms }) => ms)));
    checks.is("engines", "probes", pool.posts("primary") - posts, 1);
    checks.is("engines", "requests to the fallback", pool.posts("fallback") - others, count);
    checks.is("metrics", "times it was half open", await moves(stage, "half_open"), 1);
    const fallbacks = await stage.grown("signalbox_requests_total", { model: "small", code: "ok" });
    checks.is("metrics", "answers of the fallback", fallbacks, count + OPENS_AFTER);
  },
};

/** F53: a probe is a request, with a request's limit: then it has failed. */
const hangingProbe: Scenario = {
  id: "F53",
  title: "the half-open probe hangs -> its deadline ends it, open again, the next one brings the backend back",
  async play({ start, checks, profile }) {
    const stage = await start();
    const { pool } = stage;
    await pool.strike({ kind: "status", status: 500 });
    await openBreaker(stage);
    const posts = pool.posts("primary");
    await pool.primary.clearFaults();
    await pool.strike({ kind: "silence" });
    await sleep(FIRST_WAIT_MS);
    const probe = await stage.chat(true);
    checks.is("client", "content", probe.content, pool.words.fallback);
    checks.within(
      "client",
      "ms until the probe is given up",
      probe.ms,
      profile.ms(10_000) - 5,
      profile.ms(10_000) + 2000,
    );
    checks.is("engines", "probes", pool.posts("primary") - posts, 1);
    checks.that("engines", "the probe goes on", await comesTrue(() => pool.open("primary") === 0, 500));
    checks.is("metrics", "times it opened", await moves(stage, "open"), 2);
    await pool.primary.clearFaults();
    const isBack = await comesTrue(
      async () => (await stage.chat(true)).content === pool.words.primary,
      LONGEST_WAIT_MS,
    );
    checks.that("client", "the backend never comes back", isBack);
    checks.is("engines", "probes of both waits", pool.posts("primary") - posts, 2);
    checks.is("metrics", "times it closed", await moves(stage, "closed"), 1);
  },
};

/** F54: nobody is asked, so nothing takes long. */
const allDead: Scenario = {
  id: "F54",
  title: "all backends dead -> 503 with retry-after within 50 ms, CPU under 10 %",
  alone: true,
  async play({ start, checks, profile, note }) {
    const stage = await start();
    const { gateway, pool } = stage;
    await Promise.all([pool.primary.kill(), pool.fallback.kill()]);
    for (let i = 0; i < 2 * OPENS_AFTER; i++) await stage.chat(false);
    const [cpu, began] = [gateway.cpuMs(), performance.now()];
    const times: number[] = [];
    const count = profile.pick(40, 200);
    for (let i = 0; i < count; i++) {
      const before = robbedMs(gateway.pid);
      const answer = await ask(gateway.url, { body: chatBody("large", i % 2 === 0) });
      times.push(answer.ms - (robbedMs(gateway.pid) - before));
      checks.is("client", "the status", answer.status, 503);
      checks.within("client", "retry-after", Number(answer.headers["retry-after"]), 1, 10);
      await sleep(40);
    }
    const share = (gateway.cpuMs() - cpu) / (performance.now() - began);
    note("slowest_ms", Math.max(...times));
    note("cpu_share", share);
    checks.within("client", "ms until the slowest answer, without what other programs took", Math.max(...times), 0, 50);
    checks.within("metrics", "share of a core", share, 0, 0.1);
    checks.is("engines", "requests", pool.posts("primary") + pool.posts("fallback"), 0);
    const refused = await stage.grown("signalbox_requests_total", { status: "503" });
    checks.within("metrics", "requests refused", refused, count, count + 2 * OPENS_AFTER);
  },
};

/** F51 to F54: what comes back after an outage, and what does not. */
export const recovery: readonly Scenario[] = [thunderingHerd, halfOpen, hangingProbe, allDead];
