import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { workOf } from "../refusals.ts";
import type { Scenario } from "../scenario.ts";
import { chatBody, comesTrue, type Stage } from "../stage.ts";
import { ask } from "../wire-client.ts";

/** What a machine with `ulimit -n` of 20,000 lets one process have, which needs two sockets for each. */
const MANY = 8000;
const FEW = 300;
const KIB = 1024;
const WITHIN_MS = 10_000;

/** The 99th percentile of new requests, as work: others on the machine do not count. The least of three. */
async function p99(stage: Stage): Promise<number> {
  return Math.min(await p99Once(stage), await p99Once(stage), await p99Once(stage));
}

async function p99Once(stage: Stage): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 100; i++) {
    const before = workOf(stage);
    const { ms } = await ask(stage.gateway.url, { body: chatBody("warm", false) });
    times.push(Math.min(ms, workOf(stage) - before));
  }
  return times.sort((a, b) => a - b)[98]!;
}

/** F55: streams that have begun and wait for their next token. */
const idleStreams: Scenario = {
  id: "F55",
  title: `${MANY} idle streams (fast: ${FEW}; this machine's open files allow no 10,000) -> at most 64 KB each, new requests as quick as before`,
  alone: true,
  seconds: 300,
  async play({ start, checks, profile, note }) {
    const count = profile.pick(FEW, MANY);
    const defaults = { timeouts: { first_token: "5m", idle: "5m" } };
    const pools = [{ fallback: false, primary: { slots: 2 * MANY } } as const];
    const stage = await start({ config: { defaults }, pools });
    const { gateway, pool } = stage;
    pool.primary.fault({ kind: "stall", after_tokens: 1 });
    await p99(stage);
    const idle = await p99(stage);
    const rss = gateway.rss();
    const sockets = await hold(stage, count);
    const { running } = pool.primary.stats();
    checks.is("engines", "streams under way", running, count);
    checks.is("metrics", "requests under way", (await gateway.scrape()).sum("signalbox_in_flight_requests"), count);
    const each = (gateway.rss() - rss) / count / KIB;
    note("kib_each", each);
    checks.within("metrics", "KiB of memory each", each, -1000, 64);
    const busy = await p99(stage);
    note("p99_idle_ms", idle);
    note("p99_busy_ms", busy);
    checks.within("client", "the 99th percentile of new requests in ms", busy, 0, 2 * idle + 2);
    for (const socket of sockets) socket.destroy();
    const isOver = await comesTrue(() => pool.open("primary") === 0, WITHIN_MS);
    checks.that("engines", "streams go on without their clients", isOver);
    const isIdle = async () => (await gateway.scrape()).sum("signalbox_in_flight_requests") === 0;
    checks.that("metrics", "requests stay under way", await comesTrue(isIdle, WITHIN_MS));
  },
};

/** Opens streams, a few at a time, until each has its first token. */
async function hold({ gateway }: Stage, count: number): Promise<Socket[]> {
  const body = JSON.stringify(chatBody("large", true));
  const request = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const sockets: Socket[] = [];
  const openOne = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
      sockets.push(socket);
      socket.once("data", () => resolve());
      socket.on("error", reject);
      socket.write(request);
    });
  while (sockets.length < count) {
    await Promise.all(Array.from({ length: Math.min(50, count - sockets.length) }, openOne));
  }
  return sockets;
}

const FILES = 256;
const CLIENTS = 400;

/** F56: by the cap that follows from the limit, and where a config allows more than the system does. */
const noFiles: Scenario = {
  id: "F56",
  title: `no more files to open (ulimit -n ${FILES}, ${CLIENTS} clients) -> served, 503 or closed, the process lives and recovers`,
  async play({ start, checks }) {
    for (const [what, server] of Object.entries({
      "the cap of its own": {},
      "a cap too high": { max_connections: 10_000 },
    })) {
      const at = checks.at(what);
      const prefix = ["prlimit", `--nofile=${FILES}`];
      const stage = await start({
        config: { server },
        prefix,
        pools: [{ primary: { tokensPerSecond: 40, slots: 500 } }],
      });
      const ends = await Promise.all(
        Array.from({ length: CLIENTS }, (_, i) =>
          stage.chat(i % 2 === 0).then(
            ({ status, done, content }) => (status === 200 && (done || content !== "") ? "served" : String(status)),
            () => "closed",
          ),
        ),
      );
      const kinds = new Set(ends);
      at.that(
        "client",
        `clients were ${[...kinds]}`,
        [...kinds].every((kind) => ["served", "503", "closed"].includes(kind)),
      );
      const served = ends.filter((end) => end === "served").length;
      at.within("client", "clients served", served, 1, CLIENTS - 1);
      at.that("engines", "requests go on", await comesTrue(() => stage.pool.open("primary") === 0, WITHIN_MS));
      at.within(
        "engines",
        "requests",
        stage.pool.posts("primary") + stage.pool.posts("fallback"),
        served,
        CLIENTS + served,
      );
      at.is("metrics", "requests under way", (await stage.gateway.scrape()).sum("signalbox_in_flight_requests"), 0);
      if (what === "the cap of its own")
        at.within("metrics", "refusals", await stage.grown("signalbox_shed_requests_total"), 1, CLIENTS);
      await sleep(100);
      for (let i = 0; i < 5; i++) at.is("client", "the status afterwards", (await stage.chat(i % 2 === 0)).status, 200);
    }
  },
};

/** F55 and F56: memory and open files. */
export const processLimits: readonly Scenario[] = [idleStreams, noFiles];
