import fc from "fast-check";
import { expect, test } from "vitest";
import { GpuClock } from "./gpu-clock.ts";

test("a request that is alone pays for all GPUs", () => {
  const clock = new GpuClock(4);
  const reading = clock.begin(1000);
  expect(clock.end(reading, 1500)).toBe(2000);
});

test("requests at the same time share the GPUs, each for as long as it is there", () => {
  const clock = new GpuClock(2);
  const first = clock.begin(0);
  const second = clock.begin(100);
  // The first was alone for 100 ms, and shared the next 200 ms.
  expect(clock.end(first, 300)).toBe(200 + 200);
  expect(clock.end(second, 400)).toBe(200 + 200);
});

test("time in which nothing is under way is nobody's", () => {
  const clock = new GpuClock(1);
  expect(clock.end(clock.begin(0), 10)).toBe(10);
  expect(clock.end(clock.begin(1_000_000), 1_000_010)).toBe(10);
});

test("half a GPU costs half, and rounding loses nothing", () => {
  const clock = new GpuClock(0.5);
  let paid = 0;
  for (let at = 0; at < 1000; at++) paid += clock.end(clock.begin(at), at + 1);
  expect(paid).toBe(500);
});

test("what others have the backend do is theirs to pay", () => {
  const clock = new GpuClock(4);
  const reading = clock.begin(0);
  clock.shareWith(3, 100);
  clock.shareWith(0, 500);
  // Alone for 100 ms, one of four for 400 ms, alone again for 100 ms.
  expect(clock.end(reading, 600)).toBe(400 + 400 + 400);
});

test("whatever the order, what all pay is the GPUs times the time in which the backend was busy", () => {
  const span = fc.record({ from: fc.integer({ min: 0, max: 5000 }), ms: fc.integer({ min: 0, max: 3000 }) });
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 40 }), fc.constantFrom(0.25, 1, 3, 8), (spans, gpus) => {
      const clock = new GpuClock(gpus);
      const moves = spans
        .flatMap(({ from, ms }, id) => [
          { at: from, id, ends: 0 },
          { at: from + ms, id, ends: 1 },
        ])
        .sort((a, b) => a.at - b.at || a.id - b.id || a.ends - b.ends);
      const readings = new Map<number, number>();
      let paid = 0;
      let underWay = 0;
      let busyMs = 0;
      let last = 0;
      for (const { at, id, ends } of moves) {
        if (underWay > 0) busyMs += at - last;
        last = at;
        underWay += ends ? -1 : 1;
        if (ends) paid += clock.end(readings.get(id)!, at);
        else readings.set(id, clock.begin(at));
      }
      // Less than a millisecond is still owed.
      expect(paid).toBeGreaterThan(busyMs * gpus - 1.001);
      expect(paid).toBeLessThanOrEqual(busyMs * gpus + 0.001);
    }),
  );
});
