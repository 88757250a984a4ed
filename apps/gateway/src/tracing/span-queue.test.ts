import { expect, test } from "vitest";
import { createMetrics } from "../signals/metrics.ts";
import { createRequestLog } from "../signals/request-log.ts";
import { type QueuedSpan, SpanQueue, type SpanQueueOptions } from "./span-queue.ts";

const span = { name: "one", weight: 1 } as QueuedSpan;

function createQueue(options: Partial<SpanQueueOptions>) {
  const metrics = createMetrics();
  const queue = new SpanQueue({
    send: () => {},
    hangUp: () => {},
    endpoint: "nowhere",
    limit: 8,
    timeoutMs: 60_000,
    metrics,
    log: createRequestLog({ form: "silent" }),
    ...options,
  });
  const dropped = (reason: string) => metrics.counter("signalbox_trace_spans_dropped_total", { reason }).value;
  return { queue, dropped, exported: () => metrics.counter("signalbox_trace_spans_exported_total", {}).value };
}

test("a quarter of the room is for what failed alone, and room that is given back can be had again", () => {
  const { queue, dropped } = createQueue({});
  expect(queue.reserve(3, 6, false)).toBe(true);
  expect(queue.reserve(1, 1, false)).toBe(false);
  expect(queue.reserve(2, 2, true)).toBe(true);
  expect(queue.reserve(2, 2, true)).toBe(false);
  expect(dropped("queue_full")).toBe(3);
  queue.release(6);
  expect(queue.reserve(1, 1, false)).toBe(true);
});

test("batches of at most 64 go one after the other, and all of them before the end", async () => {
  const sizes: number[] = [];
  let underWay = 0;
  const { queue, exported } = createQueue({
    limit: 1000,
    send: (spans, done) => {
      sizes.push(spans.length);
      expect(++underWay).toBe(1);
      setImmediate(() => {
        underWay--;
        done(undefined);
      });
    },
  });
  for (let i = 0; i < 150; i++) {
    queue.reserve(1, 1, false);
    queue.add(span);
  }
  await queue.close();
  expect(sizes).toEqual([64, 64, 22]);
  expect(exported()).toBe(150);
});

test("the end is not put off by a collector that is silent, and not at all by one that refuses", async () => {
  let hungUp = 0;
  const silent = createQueue({ limit: 1000, hangUp: () => hungUp++ });
  const refusing = createQueue({ limit: 1000, send: (_spans, done) => done(new Error("refused")) });
  for (const { queue } of [silent, refusing]) {
    for (let i = 0; i < 100; i++) {
      queue.reserve(1, 1, false);
      queue.add(span);
    }
  }
  const began = performance.now();
  await refusing.queue.close();
  expect([refusing.dropped("not_taken"), refusing.dropped("shutdown")]).toEqual([64, 36]);
  await silent.queue.close();
  expect(performance.now() - began).toBeGreaterThan(900);
  expect([silent.dropped("not_taken"), silent.dropped("shutdown"), hungUp]).toEqual([64, 36, 1]);
});
