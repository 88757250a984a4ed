import type { PoolShape } from "../pool.ts";
import type { Scene } from "../scenario.ts";
import { comesTrue } from "../stage.ts";

const MB = 1024 * 1024;

/** F19: a gigabyte of spaces in a megabyte. */
export async function playBombs({ checks, start, note, profile }: Scene): Promise<void> {
  const stage = await start();
  const { pool, gateway } = stage;
  const before = gateway.rss();
  pool.primary.fault({ kind: "gzip_bomb", megabytes: profile.pick(256, 1024), times: 2 });
  let most = 0;
  for (let i = 0; i < 2; i++) {
    const answer = await stage.chat(false);
    checks.is("client", "the words", answer.content, pool.words.fallback);
    most = Math.max(most, gateway.rss() - before);
  }
  checks.is("engines", "requests to the primary", pool.posts("primary"), 2);
  checks.within("metrics", "MB more memory", most / MB, -1000, 64);
  note("memory_mb", most / MB);
}

/** F20: an error body that comes for as long as somebody reads it. */
export async function playEndlessError({ checks, start, note }: Scene): Promise<void> {
  let written = 0;
  const raw: PoolShape["raw"] = ({ socket }) => {
    const part = Buffer.alloc(16_384, "x");
    socket.write("HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 114000000\r\n\r\n");
    const timer = setInterval(() => {
      if (socket.destroyed) return clearInterval(timer);
      written += part.length;
      socket.write(part);
    }, 1);
  };
  const stage = await start({ pools: [{ raw }] });
  const answer = await stage.chat(true);
  checks.is("client", "the status", answer.status, 400);
  checks.that("engines", "the connection is still open", await comesTrue(() => stage.pool.open("primary") === 0, 300));
  checks.within("engines", "KB that left the engine", written / 1024, 1, 400);
  await stage.gateway.scrape();
  checks.within("metrics", "ms that the event loop was late", stage.gateway.lag.maxMs, 0, 50 + stage.noiseMs);
  note("kb_read_at_most", written / 1024);
}

/** F30: what looks for the end of a line from its beginning, each time a piece comes, takes seconds for this one. */
export async function playLongLine({ checks, start, note }: Scene): Promise<void> {
  const stage = await start();
  const { pool, gateway } = stage;
  await pool.strike({ kind: "long_line" });
  const before = { cpu: gateway.cpuMs(), rss: gateway.rss() };
  for (let i = 0; i < 2; i++)
    checks.is("client", "the code", (await stage.chat(true)).error?.code, "stream_interrupted");
  const used = { cpu: gateway.cpuMs() - before.cpu, mb: (gateway.rss() - before.rss) / MB };
  note("cpu_ms", used.cpu);
  note("memory_mb", used.mb);
  checks.within("metrics", "ms of CPU", used.cpu, 0, 500);
  checks.within("metrics", "MB more memory", used.mb, -1000, 32);
  checks.is("engines", "requests to the primary", pool.posts("primary"), 2);
}
