import { expect, test } from "vitest";
import { createFailureThrottle } from "./failure-throttle.ts";

test("throttles an address after its burst, and forgives with time", () => {
  let time = 0;
  const throttle = createFailureThrottle({ now: () => time, burst: 3, perSecond: 2 });
  expect([1, 2, 3].map(() => throttle.fail("10.0.0.1"))).toEqual([0, 0, 0]);
  expect(throttle.fail("10.0.0.1")).toBe(500);
  expect(throttle.fail("10.0.0.2")).toBe(0);
  time += 499;
  expect(throttle.fail("10.0.0.1")).toBe(1);
  time += 1;
  expect(throttle.fail("10.0.0.1")).toBe(0);
  expect(throttle.fail("10.0.0.1")).toBe(500);
});

test("remembers a bounded number of addresses and forgets the longest idle first", () => {
  const throttle = createFailureThrottle({ now: () => 0, burst: 1, maxAddresses: 100 });
  for (let i = 0; i < 5000; i++) {
    throttle.fail(`10.0.${i >> 8}.${i & 255}`);
    throttle.fail("10.9.9.9");
  }
  expect(throttle.size).toBe(100);
  expect(throttle.fail("10.9.9.9")).toBeGreaterThan(0);
  expect(throttle.fail("10.0.0.0")).toBe(0);
});

test.each([
  ["2001:db8:1:2::1", "2001:0db8:0001:0002:ffff::9", true],
  ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
  ["::ffff:10.0.0.1", "10.0.0.1", true],
  ["fe80::1%eth0", "fe80::2", true],
  ["::1", "2001:db8::1", false],
])("%s and %s count together: %s", (one, other, together) => {
  const throttle = createFailureThrottle({ now: () => 0, burst: 1 });
  throttle.fail(one);
  expect(throttle.fail(other) > 0).toBe(together);
});
