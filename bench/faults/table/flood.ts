import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Scene } from "../scenario.ts";
import { chatBody } from "../stage.ts";

const MB = 1024 * 1024;

/** F38: a client that does not read for a while, then reads all. */
export async function playFlood({ checks, start, note, profile }: Scene): Promise<void> {
  const stage = await start();
  const { pool, gateway } = stage;
  const bytes = profile.pick(64, 400) * MB;
  await pool.strike({ kind: "flood", bytes });
  const before = gateway.rss();
  const body = JSON.stringify(chatBody(pool.names.large, true));
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  socket.pause();
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.write(`${head}\r\n\r\n${body}`);
  let most = 0;
  for (let i = 0; i < profile.pick(10, 50); i++) {
    await sleep(100);
    most = Math.max(most, gateway.rss() - before);
  }
  note("memory_mb", most / MB);
  checks.within("metrics", "MB more memory", most / MB, -1000, 32);
  checks.is("engines", "the time at which it had sent all", pool.seen("primary").at(-1)?.endedAt, undefined);
  const inFlight = (await gateway.scrape()).sum("signalbox_backend_in_flight_requests", { backend: "primary" });
  checks.is("metrics", "attempts under way", inFlight, 1);
  let received = 0;
  let tail = "";
  const ended = new Promise<void>((resolve) => {
    socket.on("data", (chunk) => {
      received += chunk.length;
      tail = (tail + chunk.toString("latin1")).slice(-200);
      if (tail.includes("data: [DONE]")) resolve();
    });
    socket.on("close", () => resolve());
  });
  socket.resume();
  await ended;
  socket.destroy();
  checks.within("client", "MB received", received / MB, bytes / MB / 1.1, bytes);
  checks.that("client", "the stream does not end in [DONE]", tail.includes("data: [DONE]"));
  checks.is("engines", "requests", pool.posts("primary"), 1);
  const ok = await stage.grown("signalbox_attempts_total", { backend: "primary", outcome: "ok" });
  checks.is("metrics", "attempts that succeeded", ok, 1);
}
