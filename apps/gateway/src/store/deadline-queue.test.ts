import { expect, test } from "vitest";
import { DeadlineQueue, type Waiting } from "./deadline-queue.ts";

interface One extends Waiting {
  readonly name: string;
}

const one = (name: string): One => ({ name, since: performance.now(), over: false });

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// Real time: what is late is told from what lies in a socket unread by the event loop's own order.
test("all who wait are handed over when the first has waited too long, and those who were answered are not", async () => {
  let late: One[] | undefined;
  const queue = new DeadlineQueue<One>(30, () => {
    late = queue.takeAll();
  });
  const answered = one("answered");
  queue.add(answered);
  answered.over = true;
  queue.add(one("first"));
  await pause(20);
  queue.add(one("second"));
  expect(late).toBe(undefined);
  await expect.poll(() => late?.map(({ name }) => name), { interval: 2 }).toEqual(["first", "second"]);
  late = undefined;
  await pause(50);
  expect(late).toBe(undefined);
});

test("nobody is late by this process's own absence when the answer had come", async () => {
  let late = 0;
  const queue = new DeadlineQueue<One>(20, () => late++);
  const waiting = one("held up");
  queue.add(waiting);
  // The answer lies in a socket, as it were: it is read in the turn after the one that was held up.
  setImmediate(() => {
    const until = performance.now() + 60;
    while (performance.now() < until);
    setImmediate(() => {
      waiting.over = true;
    });
  });
  await pause(100);
  expect(late).toBe(0);
});
