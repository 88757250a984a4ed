import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Checks } from "../checks.ts";
import type { Scenario } from "../scenario.ts";
import { chatBody, comesTrue, type Stage } from "../stage.ts";

/** Late at most: the gateway looks at its connections now and then, and this machine may be busy. */
const LATE_MS = 1500;
const EVERY_MS = 40;

/** A client that takes its time. Times in milliseconds of the real profile. */
interface SlowClient {
  readonly what: string;
  /** What it sends at once, and then a byte at a time. */
  readonly begins: string;
  readonly trickles?: string;
  readonly status?: number;
  /** It is let go no earlier than this. */
  readonly after: number;
}

const line = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n";
const READ_HEADER_MS = 10_000;
const READ_BODY_MS = 60_000;
const WRITE_MS = 30_000;

const slowClients: readonly SlowClient[] = [
  { what: "says nothing", begins: "", after: READ_HEADER_MS },
  { what: "half a head", begins: line, status: 408, after: READ_HEADER_MS },
  {
    what: "a head that trickles",
    begins: line,
    trickles: `X-A: ${"a".repeat(4000)}`,
    status: 408,
    after: READ_HEADER_MS,
  },
  {
    what: "a body slower than 500 B/s",
    begins: `${line}Content-Length: 9000\r\n\r\n`,
    trickles: "b".repeat(9000),
    status: 408,
    after: READ_HEADER_MS,
  },
  {
    what: "chunks slower than 500 B/s",
    begins: `${line}Transfer-Encoding: chunked\r\n\r\n`,
    trickles: "1\r\nb\r\n".repeat(900),
    status: 408,
    after: READ_HEADER_MS,
  },
  { what: "a body that stops", begins: `${line}Content-Length: 90\r\n\r\n{`, status: 408, after: READ_HEADER_MS },
];

/** F57: all of them at once, while others are served. */
export const slowloris: Scenario = {
  id: "F57",
  title:
    "heads, bodies and readers that are slow on purpose -> 408 or closed at the limits (10 s, 500 B/s, write 30 s), others served",
  async play({ start, checks, profile }) {
    const ms = (real: number) => `${profile.ms(real)}ms`;
    const timeouts = { read_header: ms(READ_HEADER_MS), read_body: ms(READ_BODY_MS), write: ms(WRITE_MS) };
    const stage = await start({ config: { server: { timeouts } } });
    const isDone = new AbortController();
    const good = serveOthers(stage, checks, isDone.signal);
    const late = slowClients.map((slow) => playSlow(stage, slow, checks.at(slow.what)));
    await Promise.all([...late, playStalled(stage, checks.at("a reader that stalls"))]);
    isDone.abort();
    const served = await good;
    const isGone = async () => (await stage.gateway.scrape()).sum("signalbox_open_connections") === 0;
    checks.that("metrics", "connections stay open", await comesTrue(isGone, LATE_MS));
    const inFlight = (await stage.gateway.scrape()).sum("signalbox_in_flight_requests");
    checks.is("metrics", "requests under way", inFlight, 0);
    // Those of a head never were requests.
    const timedOut = await stage.grown("signalbox_requests_total", { status: "408" });
    checks.is("metrics", "bodies given up", timedOut, 3);
    checks.is("engines", "requests", stage.pool.posts("primary"), served + 1);
  },
};

async function playSlow({ gateway, profile }: Stage, slow: SlowClient, checks: Checks): Promise<void> {
  const { begins, trickles = "", status, after } = slow;
  const { socket, gone } = dial(gateway.url);
  const began = performance.now();
  socket.write(begins);
  let next = 0;
  const timer = setInterval(() => {
    if (!socket.destroyed && next < trickles.length) socket.write(trickles[next++]!);
  }, EVERY_MS);
  const text = await Promise.race([gone, sleep(profile.ms(READ_BODY_MS) + 5000, "it was never let go")]);
  clearInterval(timer);
  socket.destroy();
  if (status === undefined)
    checks.that("client", `it was told ${text}`, text === "" || text.startsWith("HTTP/1.1 408"));
  else checks.that("client", `it was told ${text.slice(0, 60)}`, text.startsWith(`HTTP/1.1 ${status} `));
  const least = profile.ms(after);
  checks.within("client", "ms until it was let go", performance.now() - began, least * 0.9, least * 1.1 + LATE_MS);
}

/** A client that asks for more than any buffer holds, and reads none of it. */
async function playStalled({ gateway, pool, profile }: Stage, checks: Checks): Promise<void> {
  pool.primary.fault({ kind: "flood", bytes: 400_000_000, times: 1 });
  const { socket, gone } = dial(gateway.url);
  const body = JSON.stringify(chatBody("large", true));
  const began = performance.now();
  socket.pause();
  socket.write(`${line}Content-Length: ${body.length}\r\n\r\n${body}`);
  const flooded = () => pool.seen("primary").find(({ fault }) => fault === "flood");
  const isLetGo = await comesTrue(() => flooded()?.abortedAt !== undefined, profile.ms(WRITE_MS) + 3 * LATE_MS);
  checks.that("engines", "the flood goes on for a client that reads none of it", isLetGo);
  const least = profile.ms(WRITE_MS);
  checks.within("engines", "ms until it was let go", performance.now() - began, least * 0.9, least + 3 * LATE_MS);
  socket.resume();
  const text = await Promise.race([gone, sleep(5000, "data: [DONE]")]);
  checks.that("client", "a part was reported as whole", !text.includes("[DONE]"));
}

async function serveOthers(stage: Stage, checks: Checks, signal: AbortSignal): Promise<number> {
  // The flood is the stalled reader's.
  await comesTrue(() => stage.pool.seen("primary").some(({ fault }) => fault === "flood"), LATE_MS * 2);
  let served = 0;
  while (!signal.aborted) {
    const answer = await stage.chat(served % 2 === 0);
    checks.is("client", "another's answer", answer.content, stage.pool.words.primary);
    served++;
    await sleep(50);
  }
  return served;
}

function dial(url: string): { readonly socket: Socket; readonly gone: Promise<string> } {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("latin1")).slice(-65_536);
  });
  socket.on("error", () => {});
  return { socket, gone: new Promise((resolve) => socket.once("close", () => resolve(text))) };
}
