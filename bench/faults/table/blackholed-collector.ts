import { setTimeout as sleep } from "node:timers/promises";
import { startBlackhole } from "../../../packages/simulator/src/index.ts";
import type { Scene } from "../scenario.ts";
import { comesTrue } from "../stage.ts";

const REQUESTS = 240;
/** A request and its attempt. */
const SPANS = 2;
const QUEUE = 100;
const TIMEOUT_MS = 500;
const MiB = 1024 * 1024;
/** What a drain adds for spans that nobody takes, and what a process takes to end on a busy machine. */
const EXIT_MS = 1000 + TIMEOUT_MS + 3000;

/** F50, its second half: every request is traced, and the collector's network swallows all that is sent to it. */
export async function blackholedCollector({ start, checks, note }: Scene): Promise<void> {
  const hole = await startBlackhole();
  try {
    const traces = { endpoint: hole.url, sample: "100%", queue: QUEUE, timeout: `${TIMEOUT_MS}ms` };
    const stage = await start({ config: { server: { traces, drain_delay: "0s" } } });
    const { gateway, pool } = stage;
    const rss = gateway.rss();
    for (let i = 0; i < REQUESTS; i += 20) {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, j) => stage.chat(j % 2 === 0)));
      for (const { content } of answers) checks.is("client", "content", content, pool.words.primary);
    }
    note("lag_p99_ms", gateway.lag.p99Ms);
    const lost = (reason: string) => stage.grown("signalbox_trace_spans_dropped_total", { reason });
    const isGivenUp = async () => (await lost("not_taken")) > 0;
    checks.that("metrics", "a batch that nobody takes waits for ever", await comesTrue(isGivenUp, 20 * TIMEOUT_MS));
    checks.is("metrics", "spans taken", await stage.grown("signalbox_trace_spans_exported_total"), 0);
    const dropped = (await lost("queue_full")) + (await lost("not_taken"));
    // Those of the stage's own first requests may be among them.
    checks.within("metrics", "spans dropped", dropped, REQUESTS * SPANS - QUEUE, REQUESTS * SPANS + QUEUE);
    const grown = (gateway.rss() - rss) / MiB;
    note("mib_grown_traced", grown);
    checks.within("metrics", "MiB of memory grown", grown, -1000, 96);
    const told = () => gateway.lines.filter(({ event }) => String(event).includes("collector")).length;
    await comesTrue(async () => told() > 0, 20 * TIMEOUT_MS);
    checks.is("log", "lines about the collector", told(), 1);
    checks.is("engines", "requests", pool.posts("primary"), REQUESTS);
    const stopped = performance.now();
    gateway.child.kill("SIGTERM");
    const code = await Promise.race([gateway.exited, sleep(EXIT_MS, "too late", { ref: false })]);
    note("exit_ms", performance.now() - stopped);
    checks.is("client", "the exit code", code, 0);
  } finally {
    hole.close();
  }
}
