import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { hashOf } from "../../hostile/ready-gateway.ts";
import type { Checks } from "../checks.ts";
import { type GatewayProcess, startGatewayProcess } from "../gateway-process.ts";
import type { Scenario } from "../scenario.ts";
import { type ChatAnswer, chatBody, comesTrue, type Stage } from "../stage.ts";
import { type Answer, ask, readAnswer } from "../wire-client.ts";
import { leasesEnd } from "./redis-leases.ts";

const STREAMS = 200;
/** Tokens a second: 40 of them take four seconds, which is longer than it takes to begin them and the drain's delay. */
const PACE = 10;
const REAL_DELAY_MS = 5000;
const WITHIN_MS = 5000;

const isUp = async ({ adminUrl }: GatewayProcess): Promise<boolean> =>
  (await fetch(`${adminUrl}/readyz`).catch(() => undefined))?.status === 200;

/** F47: readiness goes first, then new connections, then the process, and no stream is cut. */
const draining: Scenario = {
  id: "F47",
  title: `SIGTERM with ${STREAMS} streams -> none is cut; new connections are served until drain_delay (5 s); exit 0`,
  alone: true,
  async play({ start, checks, profile }) {
    const server = { drain_delay: `${profile.ms(REAL_DELAY_MS)}ms`, drain: "30s" };
    const tokensPerSecond = profile.pick(PACE, PACE / 4);
    // Many at once, on a machine that has much to do: nothing of a stream is late here.
    const defaults = { timeouts: { first_token: "60s", idle: "60s" } };
    const pools = [{ fallback: false, primary: { tokensPerSecond, slots: 2 * STREAMS } } as const];
    const stage = await start({ config: { server, defaults }, pools });
    const { gateway, pool } = stage;
    const streams: Promise<ChatAnswer>[] = [];
    for (let i = 0; i < STREAMS; i++) {
      streams.push(stage.chat(true));
      if (i % 20 === 0) await sleep(10);
    }
    const areOpen = await comesTrue(() => pool.primary.stats().running === STREAMS, WITHIN_MS);
    checks.that("engines", "the streams are not all under way", areOpen);
    checks.is("metrics", "requests under way", (await gateway.scrape()).sum("signalbox_in_flight_requests"), STREAMS);
    gateway.child.kill("SIGTERM");
    const told = performance.now();
    checks.that("metrics", "it still says that it is ready", await comesTrue(async () => !(await isUp(gateway)), 300));
    let served = 0;
    while (performance.now() - told < profile.ms(REAL_DELAY_MS) * 0.6) {
      const answer = await ask(gateway.url, { body: chatBody("warm", served % 2 === 0) });
      checks.is("client", "the status of a new request", answer.status, 200);
      served++;
    }
    checks.within("client", "new requests that were served", served, 1, 10_000);
    const isClosed = () =>
      ask(gateway.url, { body: chatBody("warm", false) }).then(
        () => false,
        () => true,
      );
    checks.that(
      "client",
      "new connections are taken for ever",
      await comesTrue(isClosed, profile.ms(REAL_DELAY_MS) + WITHIN_MS),
    );
    const answers = await Promise.all(streams);
    const whole = answers.filter(({ content, done }) => done && content === pool.words.primary);
    checks.is("client", "streams that came whole", whole.length, STREAMS);
    checks.is(
      "engines",
      "streams that were let go",
      pool.seen("primary").filter(({ abortedAt }) => abortedAt).length,
      0,
    );
    checks.is("client", "the exit code", await gateway.exited, 0);
  },
};

const key = "sb-killed-6d2f8b1e4a7c9053";
const headers = { authorization: `Bearer ${key}` };
const CONCURRENT = 20;

/** F48: what was reserved in one process's memory is free with it, and in a shared store when its lease ends. */
const killed: Scenario = {
  id: "F48",
  title:
    "SIGKILL -> the other replica's streams go on, cut ones are not taken for whole, its slots are free when it is back, in a shared store within 30 s",
  async play(scene) {
    const { start, checks } = scene;
    await leasesEnd(scene);
    const limits = { concurrent: CONCURRENT };
    const stage = await start({
      config: { teams: { one: { keys: [hashOf(key)], limits } } },
      pools: [{ primary: { tokensPerSecond: PACE, slots: 100 } }],
    });
    const config = JSON.parse(readFileSync(stage.gateway.configFile, "utf8")) as Record<string, unknown>;
    const other = await startGatewayProcess({ config });
    try {
      const own = Array.from({ length: CONCURRENT }, () => stage.chat(true, { headers }).catch(() => undefined));
      const others = Array.from({ length: CONCURRENT }, () => chatWith(other, stage));
      const areOpen = await comesTrue(() => stage.pool.primary.stats().running === 2 * CONCURRENT, WITHIN_MS);
      checks.that("engines", "the streams are not all under way", areOpen);
      checks.is("client", "the status of one too many", (await chatWith(other, stage)).status, 429);
      await sleep(300);
      stage.gateway.child.kill("SIGKILL");
      for (const answer of await Promise.all(own)) {
        checks.that("client", "a cut stream came whole", answer === undefined || (!answer.done && !answer.whole));
      }
      const gone = () => stage.pool.seen("primary").filter(({ abortedAt }) => abortedAt !== undefined).length;
      checks.that("engines", "streams of the dead go on", await comesTrue(() => gone() === CONCURRENT, WITHIN_MS));
      for (const answer of await Promise.all(others)) {
        const { content, done } = readAnswer(answer);
        checks.is("client", "another's stream", { content, done }, { content: stage.pool.words.primary, done: true });
      }
      await checkBack(config, stage, checks);
      const failed = (await other.scrape()).sum("signalbox_attempts_total", { outcome: "failed" });
      checks.is("metrics", "failed attempts of the other", failed, 0);
    } finally {
      await other.close();
    }
  },
};

/** One in the place of the dead has all its slots. */
async function checkBack(config: Record<string, unknown>, stage: Stage, checks: Checks): Promise<void> {
  const next = await startGatewayProcess({ config });
  const again = await Promise.all(Array.from({ length: CONCURRENT }, () => chatWith(next, stage)));
  checks.is("client", "the statuses when it is back", [...new Set(again.map(({ status }) => status))], [200]);
  await next.close();
}

function chatWith({ url }: GatewayProcess, { pool }: Stage): Promise<Answer> {
  return ask(url, { body: chatBody(pool.names.large, true), headers });
}

/** F47 and F48: processes that end. */
export const processEnds: readonly Scenario[] = [draining, killed];
