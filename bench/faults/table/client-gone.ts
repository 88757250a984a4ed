import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Checks } from "../checks.ts";
import type { Pool, PoolShape, TableFault } from "../pool.ts";
import type { Mode, Scenario } from "../scenario.ts";
import { chatBody, comesTrue, type Stage } from "../stage.ts";
import { ask } from "../wire-client.ts";

const LET_GO_MS = 100;
/** For a machine that is busy with other rows: the engine's own clock says when its connection closed. */
const PATIENCE_MS = 2000;
/** Longer than the pause before a retry. */
const RETRY_MS = 400;

/** Where a request is when its client leaves. */
interface Phase {
  readonly phase: string;
  readonly modes?: readonly Mode[];
  readonly fault?: TableFault;
  readonly pool?: PoolShape;
  /** Another client has the engine's only slot. */
  readonly full?: true;
  /** The request is in this phase now. */
  reached(pool: Pool): boolean;
  /** POST requests of this client that the primary sees. */
  readonly posts: number;
}

const alone: PoolShape = { fallback: false };
const hasCome = (pool: Pool): boolean => pool.posts("primary") === 1;

const phases: readonly Phase[] = [
  {
    phase: "in the engine's queue",
    pool: { kind: "llama_cpp", primary: { slots: 1, tokensPerSecond: 10 } },
    full: true,
    reached: (pool) => pool.primary.stats().waiting === 1,
    posts: 1,
  },
  {
    phase: "waiting to try again",
    pool: alone,
    fault: { kind: "status", status: 500 },
    reached: (pool) => pool.seen("primary").some(({ endedAt }) => endedAt !== undefined),
    posts: 1,
  },
  {
    phase: "while the connection is made",
    pool: { ...alone, settings: { primary: { timeouts: { connect: "5s" } } } },
    fault: { kind: "blackhole" },
    reached: () => true,
    posts: 0,
  },
  { phase: "waiting for headers", fault: { kind: "silence" }, reached: hasCome, posts: 1 },
  {
    phase: "waiting for the first token",
    modes: ["stream"],
    fault: { kind: "headers_then_silence" },
    reached: hasCome,
    posts: 1,
  },
  {
    phase: "in the body",
    pool: { primary: { tokensPerSecond: 20 } },
    reached: (pool) => pool.primary.stats().running === 1,
    posts: 1,
  },
  {
    phase: "in a body that has stalled",
    fault: { kind: "stall", after_tokens: 3 },
    reached: (pool) => pool.seen("primary")[0]?.fault === "stall",
    posts: 1,
  },
];

const played = phases.flatMap((phase) =>
  (phase.modes ?? (["stream", "whole"] as const)).map((mode) => ({ phase, mode })),
);

async function playLeaving(phase: Phase, mode: Mode, stage: Stage, pool: Pool, checks: Checks): Promise<void> {
  const { url } = stage.gateway;
  const { fault, full, reached, posts } = phase;
  if (fault !== undefined) await pool.strike(fault);
  const other = new AbortController();
  if (full) {
    void ask(url, { body: chatBody(pool.names.large, true), signal: other.signal }).catch(() => {});
    await comesTrue(() => pool.primary.stats().running === 1, PATIENCE_MS);
  }
  const before = full ? 1 : 0;
  const leaving = new AbortController();
  const body = chatBody(pool.names.large, mode === "stream");
  const asked = ask(url, { body, signal: leaving.signal }).catch(() => undefined);
  checks.that("engines", "the phase is not reached", await comesTrue(() => reached(pool), PATIENCE_MS));
  // A connection is made for as long as nobody answers, and nobody sees it.
  if (fault?.kind === "blackhole") await sleep(50);
  const left = Date.now();
  leaving.abort();
  await asked;
  const own = pool.seen("primary").slice(before);
  const isOver = await comesTrue(() => own.every(({ endedAt, abortedAt }) => endedAt ?? abortedAt), PATIENCE_MS);
  checks.that("engines", `a connection is open ${PATIENCE_MS} ms after its client left`, isOver);
  for (const { abortedAt } of own) {
    if (abortedAt !== undefined)
      checks.within("engines", "ms until it was let go", abortedAt - left, -5, LET_GO_MS + stage.noiseMs);
  }
  const gone = (): number => goneLines(stage, pool).length;
  checks.that("log", "the request is not put down as left", await comesTrue(() => gone() === 1, PATIENCE_MS));
  if (fault?.kind === "status") await sleep(RETRY_MS);
  checks.is("engines", "requests", pool.posts("primary") - before, posts);
  checks.is("engines", "requests to the fallback", pool.posts("fallback"), 0);
  checks.is("client", "errors told to nobody", goneLines(stage, pool)[0]?.outcome, "client_gone");
  other.abort();
}

const goneLines = ({ gateway }: Stage, { names }: Pool) =>
  gateway.requestLines().filter(({ model, code }) => model === names.large && code === "client_closed_request");

/** The sixth phase: nothing is known of the request yet but that it comes. */
async function playClassify(stage: Stage, checks: Checks): Promise<void> {
  const socket = connect(Number(new URL(stage.gateway.url).port), "127.0.0.1");
  socket.on("error", () => {});
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n{"model":');
  const underWay = async () => (await stage.gateway.scrape()).sum("signalbox_in_flight_requests") === 1;
  checks.that("metrics", "the request is not under way", await comesTrue(underWay, PATIENCE_MS));
  socket.resetAndDestroy();
  const told = () => stage.gateway.requestLines().find(({ code }) => code === "client_closed_request");
  checks.that("log", "the request is not put down", await comesTrue(() => told() !== undefined, PATIENCE_MS));
  checks.is("log", "attempts", told()?.attempts, 0);
}

/** F58: nobody's failure, in none of the six phases. */
export const clientGone: Scenario = {
  id: "F58",
  title:
    "the client leaves in each of six phases -> the engine is let go within 100 ms, no further attempt, nobody's failure",
  async play({ start, checks }) {
    const stage = await start({ pools: played.map(({ phase }) => phase.pool ?? {}) });
    await playClassify(stage, checks.at("before its body is whole"));
    await Promise.all(
      played.map(({ phase, mode }, index) =>
        playLeaving(phase, mode, stage, stage.pools[index]!, checks.at(`${phase.phase} (${mode})`)),
      ),
    );
    const after = await stage.gateway.scrape();
    const grown = (name: string, labels = {}) => after.sum(name, labels) - stage.before.sum(name, labels);
    const isIdle = async () => (await stage.gateway.scrape()).sum("signalbox_in_flight_requests") === 0;
    checks.that("metrics", "requests stay under way", await comesTrue(isIdle, PATIENCE_MS));
    const gone = grown("signalbox_requests_total", { code: "client_closed_request" });
    checks.within("metrics", "requests whose client left", gone, played.length + 1, played.length + 3);
    checks.is("metrics", "moves of a breaker", grown("signalbox_breaker_transitions_total"), 0);
    const failed = grown("signalbox_attempts_total", { outcome: "failed" });
    // Those that failed before their clients left: one answered 500 in each mode.
    checks.is("metrics", "attempts that count as failed", failed, 2);
  },
};
