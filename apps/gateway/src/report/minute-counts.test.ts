import { expect, test } from "vitest";
import { createMetrics } from "../signals/metrics.ts";
import { MinuteCounts, type MinuteCountsOptions } from "./minute-counts.ts";

const MINUTE = 60_000;

function setUp(options: Partial<MinuteCountsOptions> = {}) {
  const clock = { now: 1000 * MINUTE + 20_000 };
  const metrics = createMetrics();
  const requests = metrics.counter("signalbox_requests_total", {
    team: "a",
    model: "m",
    endpoint: "chat_completions",
    status: "200",
    code: "ok",
  });
  const queue = metrics.histogram("signalbox_queue_seconds", { priority: "batch" });
  const counts = new MinuteCounts({ metrics, wallNow: () => clock.now, waiting: () => 3, ...options });
  const minutesLater = (minutes: number): void => {
    clock.now += minutes * MINUTE;
    counts.tick();
  };
  /** Of each minute what was added to the requests. */
  const added = (from = 0): number[] => {
    const { first } = counts.series.find(({ count }) => count === "requests")!;
    return counts.changesSince(from).map(({ cells, deltas }) => deltas[cells.indexOf(first)] ?? 0);
  };
  return { clock, metrics, requests, queue, counts, minutesLater, added };
}

test("each minute has what it added, and the one under way what it has added until now", () => {
  const { requests, counts, minutesLater, added } = setUp();
  requests.value += 5;
  minutesLater(1);
  requests.value += 2;
  minutesLater(1);
  minutesLater(1);
  requests.value += 1;
  expect(added()).toEqual([5, 2, 0, 1]);
  expect(added()).toEqual([5, 2, 0, 1]);
  expect(counts.changesSince(0).map(({ at }) => at / MINUTE)).toEqual([1000, 1001, 1002, 1003]);
  expect(added(1002 * MINUTE)).toEqual([0, 1]);
  expect(counts.changesSince(0)[0]!.waiting).toBe(3);
});

test("of a histogram each bucket and the sum are kept, of those that changed", () => {
  const { queue, counts } = setUp();
  queue.observe(0.2);
  queue.observe(0.2);
  queue.observe(1000);
  const [minute] = counts.changesSince(0);
  const { first, bounds } = counts.series.find(({ count }) => count === "queue_time")!;
  const changed = [...minute!.cells].map((cell, at) => [cell - first, minute!.deltas[at]!]);
  expect(changed).toEqual([
    [bounds!.findIndex((bound) => bound >= 0.2), 2],
    [bounds!.length, 1],
    [bounds!.length + 1, 1000.4],
  ]);
});

test("series that differ in what no report asks for are one", () => {
  const { metrics, counts } = setUp();
  for (const backend of ["x", "y"])
    metrics.histogram("signalbox_time_to_first_token_seconds", { model: "m", backend }).observe(0.2);
  const [minute] = counts.changesSince(0);
  const { labels, first, bounds } = counts.series.find(({ count }) => count === "first_token")!;
  expect(labels).toEqual({ model: "m" });
  expect([...minute!.cells]).toEqual([first + bounds!.findIndex((bound) => bound >= 0.2), first + bounds!.length + 1]);
  expect([...minute!.deltas]).toEqual([2, 0.4]);
});

test("series that come later are none that came before", () => {
  const { metrics, requests, minutesLater, added } = setUp();
  requests.value += 1;
  minutesLater(1);
  const labels = { team: "b", model: "m", endpoint: "chat_completions", status: "200", code: "ok" };
  metrics.counter("signalbox_requests_total", labels).value += 7;
  requests.value += 2;
  expect(added()).toEqual([1, 2]);
});

test("a day is kept at most, and it is told since when everything is known", () => {
  const { requests, counts, minutesLater, added } = setUp();
  const began = counts.since;
  expect(began).toBe(1000 * MINUTE + 20_000);
  for (let minute = 0; minute < 1500; minute++) {
    requests.value += 1;
    minutesLater(1);
  }
  expect(added()).toHaveLength(1441);
  expect(counts.since).toBe((1000 + 60) * MINUTE);
});

test("with too many changes the oldest minutes go", () => {
  const { requests, queue, counts, minutesLater, added } = setUp({ mostChanges: 10 });
  for (let minute = 0; minute < 20; minute++) {
    requests.value += 1;
    queue.observe(0.1);
    minutesLater(1);
  }
  // Three changes a minute: the requests, a bucket and the sum.
  expect(added()).toEqual([1, 1, 1, 0]);
  expect(counts.since).toBe(1017 * MINUTE);
});
