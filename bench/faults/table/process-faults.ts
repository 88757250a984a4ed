import { setTimeout as sleep } from "node:timers/promises";
import { sendPipelined } from "../../hostile/send-junk.ts";
import type { Scenario, Scene } from "../scenario.ts";
import { chatBody, comesTrue } from "../stage.ts";
import { ask } from "../wire-client.ts";
import { blackholedCollector } from "./blackholed-collector.ts";

const nodeOptions = ["--import", import.meta.resolve("../saboteur.ts")];
const MiB = 1024 * 1024;
const WITHIN_MS = 3000;

/** F49: one request's fault, or nobody's, ends nothing else. */
const exceptions: Scenario = {
  id: "F49",
  title:
    "an exception in one request, an unhandled rejection, a throw in a timer -> 500 for that request alone, the process lives",
  async play({ start, checks }) {
    const stage = await start({ nodeOptions, pools: [{ primary: { tokensPerSecond: 40, slots: 100 } }] });
    const { gateway, pool } = stage;
    const beside = Array.from({ length: 10 }, (_, i) => stage.chat(i % 2 === 0));
    for (const stream of [false, true]) {
      const id = { "x-request-id": `throw-once-${stream}` };
      const failed = await stage.chat(stream, { headers: id });
      checks.is("client", "the status", failed.status, 500);
      checks.is("client", "the error's code", failed.error?.code, "internal_error");
      checks.that("client", "it shows what was thrown", !/sabotaged|node:|\.ts/.test(failed.text));
    }
    const lost = await stage.chat(false, { headers: { "x-request-id": "throw-always" } }).catch(() => undefined);
    checks.that(
      "client",
      "an answer that cannot be begun came",
      lost === undefined || !lost.whole || lost.status >= 500,
    );
    gateway.child.kill("SIGUSR2");
    const isTold = () =>
      gateway.lines.filter(({ error }) => /sabotaged (promise|turn)/.test(String(error))).length === 2;
    checks.that("log", "what nobody caught is not told", await comesTrue(isTold, WITHIN_MS));
    for (const answer of await Promise.all(beside))
      checks.is("client", "content beside", answer.content, pool.words.primary);
    const isLetGo = await comesTrue(() => pool.open("primary") === 0, WITHIN_MS);
    checks.that("engines", "a reply that nobody reads goes on", isLetGo);
    const next = await stage.chat(true);
    checks.is("client", "the next content", next.content, pool.words.primary);
    checks.is("engines", "requests to the primary", pool.posts("primary"), beside.length + 4);
    checks.is(
      "metrics",
      "faults of ours",
      await stage.grown("signalbox_requests_total", { code: "internal_error" }),
      3,
    );
    const isIdle = async () => (await gateway.scrape()).sum("signalbox_in_flight_requests") === 0;
    checks.that("metrics", "requests stay under way", await comesTrue(isIdle, WITHIN_MS));
    const moves = await stage.grown("signalbox_breaker_transitions_total");
    checks.is("metrics", "moves of a breaker", moves, 0);
  },
};

/** Lines that are more than the log keeps for a reader that is slow. */
const LINES = 18_000;

/** F50: what a gateway tells of itself, and nobody takes, is nobody's reason to wait. */
const nobodyListens: Scenario = {
  id: "F50",
  title:
    "standard output blocked, the disk full, the OTLP collector blackholed -> requests unaffected, buffers bounded, what is dropped is counted",
  async play(scene) {
    await blockedLog(scene);
    await blackholedCollector(scene);
  },
};

async function blockedLog({ start, checks, note }: Scene): Promise<void> {
  const stage = await start({ nodeOptions });
  const { gateway, pool } = stage;
  const port = Number(new URL(gateway.url).port);
  const dropped = async () => (await gateway.scrape()).sum("signalbox_log_lines_dropped_total");
  const rss = gateway.rss();
  gateway.child.stdout!.pause();
  const body = JSON.stringify({ ...chatBody("j".repeat(250), false) });
  const request = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  await sendPipelined({ port, count: LINES, request: () => request });
  const blocked = await stage.chat(true);
  checks.is("client", "content while it is blocked", blocked.content, pool.words.primary);
  checks.within("metrics", "lines dropped while it was blocked", await dropped(), 1, LINES);
  const grown = (gateway.rss() - rss) / MiB;
  note("mib_grown", grown);
  checks.within("metrics", "MiB of memory grown", grown, -1000, 96);
  gateway.child.stdout!.resume();
  // Until the reader has caught up, new lines are dropped too.
  const isRead = async () => {
    await ask(gateway.url, { body: {}, headers: { "x-request-id": "behind" } });
    return gateway.requestLines().some(({ request_id: id }) => id === "behind");
  };
  checks.that("log", "it is silent for ever", await comesTrue(isRead, 5 * WITHIN_MS));
  const before = await dropped();
  gateway.child.kill("SIGWINCH");
  await sleep(50);
  for (let i = 0; i < 20; i++) {
    const full = await stage.chat(i % 2 === 0);
    checks.is("client", "content while the disk is full", full.content, pool.words.primary);
  }
  const areCounted = await comesTrue(async () => (await dropped()) > before, WITHIN_MS);
  checks.that("metrics", "lines that the disk did not take are not counted", areCounted);
  checks.is("engines", "requests", pool.posts("primary"), 21);
  checks.is("metrics", "answers", await stage.grown("signalbox_requests_total", { model: "large", status: "200" }), 21);
}

/** F49 and F50: faults inside the process, and of what it writes to. */
export const processFaults: readonly Scenario[] = [exceptions, nobodyListens];
