import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ALARM_TICK_MS, createAlarm } from "./alarm.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});

afterEach(() => {
  vi.runOnlyPendingTimers();
  vi.useRealTimers();
});

test("rings once, not before its time and at most a tick after it", () => {
  const rung: number[] = [];
  const began = performance.now();
  createAlarm(() => rung.push(performance.now() - began)).set(110);
  vi.advanceTimersByTime(109);
  expect(rung).toEqual([]);
  vi.advanceTimersByTime(1 + ALARM_TICK_MS);
  expect(rung).toHaveLength(1);
  expect(rung[0]).toBeGreaterThanOrEqual(110);
  vi.advanceTimersByTime(10_000);
  expect(rung).toHaveLength(1);
});

test("does not ring when it is cleared, and clearing it again does nothing", () => {
  const ring = vi.fn();
  const alarm = createAlarm(ring);
  alarm.set(100);
  vi.advanceTimersByTime(90);
  alarm.clear();
  alarm.clear();
  vi.advanceTimersByTime(1000);
  expect(ring).not.toHaveBeenCalled();
});

test("counts anew from when it was set last, later or sooner", () => {
  const ring = vi.fn();
  const alarm = createAlarm(ring);
  alarm.set(100);
  vi.advanceTimersByTime(90);
  alarm.set(100);
  vi.advanceTimersByTime(90);
  expect(ring).not.toHaveBeenCalled();
  alarm.set(5);
  vi.advanceTimersByTime(5 + ALARM_TICK_MS);
  expect(ring).toHaveBeenCalledTimes(1);
});

test("can be set again by its own ring", () => {
  let rung = 0;
  const alarm = createAlarm(() => {
    rung++;
    if (rung < 3) alarm.set(100);
  });
  alarm.set(100);
  vi.advanceTimersByTime(1000);
  expect(rung).toBe(3);
});

test("a ring may clear and set others that are due at the same time, and none is lost", () => {
  const rung: number[] = [];
  const alarms = Array.from({ length: 9 }, (_, index) =>
    createAlarm(() => {
      rung.push(index);
      if (index === 4) for (const other of [1, 3, 5, 7]) alarms[other]!.clear();
      if (index === 4) alarms[8]!.set(50);
    }),
  );
  for (const alarm of alarms) alarm.set(100);
  vi.advanceTimersByTime(100 + ALARM_TICK_MS);
  // Rung from the end: 8, 7, 6, 5 were earlier than the one that clears.
  expect(rung.toSorted()).toEqual([0, 2, 4, 5, 6, 7, 8]);
  vi.advanceTimersByTime(50 + ALARM_TICK_MS);
  expect(rung.filter((index) => index === 8)).toHaveLength(2);
});

test("those that remain ring although one throws", () => {
  const rung: string[] = [];
  createAlarm(() => rung.push("good")).set(10);
  createAlarm(() => {
    throw new Error("bad");
  }).set(10);
  expect(() => vi.advanceTimersByTime(ALARM_TICK_MS)).toThrow("bad");
  vi.advanceTimersByTime(ALARM_TICK_MS);
  expect(rung).toEqual(["good"]);
});

test("ten thousand share one timer, and none is left when nobody waits", () => {
  const alarms = Array.from({ length: 10_000 }, () => createAlarm(() => {}));
  for (const alarm of alarms) alarm.set(1000);
  expect(vi.getTimerCount()).toBe(1);
  for (const alarm of alarms) alarm.clear();
  vi.advanceTimersByTime(ALARM_TICK_MS);
  expect(vi.getTimerCount()).toBe(0);
  alarms[0]!.set(10);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(10 + 2 * ALARM_TICK_MS);
  expect(vi.getTimerCount()).toBe(0);
});

test("what came while this process was held up counts before the alarm that waits for it", async () => {
  vi.useRealTimers();
  const server = createServer((socket) => void socket.on("data", () => socket.write("here")));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [peer] = await Promise.all([once(server, "connection"), once(client, "connect")]).then(([[one]]) => [one]);
  const heard: string[] = [];
  const alarm = createAlarm(() => heard.push("alarm"));
  client.on("data", () => {
    heard.push("data");
    alarm.clear();
  });
  peer.write("early");
  alarm.set(20);
  const until = performance.now() + 200;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 4 * ALARM_TICK_MS));
  client.destroy();
  server.close();
  vi.useFakeTimers();
  expect(heard).toEqual(["data"]);
});
