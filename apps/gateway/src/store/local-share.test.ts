import fc from "fast-check";
import { expect, test } from "vitest";
import type { Quota, Span } from "../teams/quota.ts";
import { LocalShare, partOf } from "./local-share.ts";

const minute: Span = { kind: "window", ms: 60_000 };

function quota(limit: number, span: Span = minute): Quota {
  return { id: `q|${span.kind}`, scope: "team a", meter: "requests", limit, span };
}

function share(own: () => number, instances = 1) {
  const clock = { now: 0, wall: Date.UTC(2026, 10, 21, 23) };
  const one = new LocalShare({
    instances,
    now: () => clock.now,
    wallNow: () => clock.wall,
    holdMs: 600_000,
    ownUse: own,
  });
  return { one, clock };
}

test("the parts of all replicas are the whole, and no part differs from another by more than one", () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 200 }), (amount, live) => {
      const parts = Array.from({ length: live }, (_, rank) => partOf(amount, live, rank));
      expect(parts.reduce((sum, part) => sum + part, 0)).toBe(amount);
      expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1);
    }),
  );
});

test("all of a limit while Redis decides, a share while it does not, and no more than one replica may have nothing", () => {
  const { one } = share(() => 0);
  one.hear(4, 3);
  expect(one.limitOf(quota(10))).toBe(10);
  one.begin();
  expect([quota(10), quota(3), quota(4)].map((each) => one.limitOf(each))).toEqual([2, 0, 1]);
  one.end();
  expect(one.limitOf(quota(10))).toBe(10);
});

test("a replica that never heard of others counts with as many as the config says, and takes nothing that does not divide", () => {
  const { one } = share(() => 0, 3);
  one.begin();
  expect(one.limitOf(quota(11))).toBe(3);
  one.hear(2, 0);
  expect(one.limitOf(quota(11))).toBe(4);
  const alone = share(() => 0).one;
  alone.begin();
  expect(alone.limitOf(quota(11))).toBe(11);
});

test("of a window of a second the others may have used all that was left, until it is over", () => {
  const { one, clock } = share(() => 5);
  const short = quota(100, { kind: "window", ms: 1000 });
  one.hear(2, 0);
  one.hearTotals([short], [10], [5]);
  one.begin();
  expect(one.limitOf(short)).toBe(5);
  clock.now += 1000;
  expect(one.limitOf(short)).toBe(50);
  one.end();
  one.hear(1, 0);
  one.hearTotals([short], [5], [5]);
  one.begin();
  expect(one.limitOf(short)).toBe(100);
});

test("what others had used leaves less than the share until it has left the window", () => {
  const { one, clock } = share(() => 5);
  one.hear(2, 0);
  one.hearTotals([quota(100)], [95], [5]);
  one.begin();
  // 5 are left: 3 of them for the first of two, beside its own 5.
  expect(one.limitOf(quota(100))).toBe(8);
  clock.now += 59_999;
  expect(one.limitOf(quota(100))).toBe(8);
  clock.now += 1;
  expect(one.limitOf(quota(100))).toBe(50);
});

test("what the others went on to use since they were heard is counted by how fast they were", () => {
  const { one, clock } = share(() => 0);
  one.hear(2, 0);
  one.hearTotals([quota(100)], [20], [0]);
  clock.now += 1000;
  one.hearTotals([quota(100)], [40], [0]);
  clock.now += 1000;
  one.begin();
  expect(one.limitOf(quota(100))).toBe(15);
});

test("slots that are free may be another's already: for a while a replica has as many as it held", () => {
  const held = quota(8, { kind: "held" });
  const { one, clock } = share(() => 1);
  one.hear(2, 0);
  one.hearTotals([held], [2], [1]);
  one.begin();
  expect(one.limitOf(held)).toBe(1);
  clock.now += 4000;
  expect(one.limitOf(held)).toBe(4);
  one.end();
  one.hear(1, 0);
  one.begin();
  // The slot that the other held when it was last heard.
  expect(one.limitOf(held)).toBe(7);
});

test("slots that others hold are not given away, and of a budget there is the part of what is left until its end", () => {
  const held: Span = { kind: "held" };
  const day: Span = { kind: "period", every: "day" };
  const { one, clock } = share(() => 60);
  one.hear(2, 1);
  one.hearTotals([quota(8, held), quota(1000, day)], [68, 900], [60, 60]);
  one.begin();
  expect(one.limitOf(quota(8, held))).toBe(4);
  expect(one.limitOf(quota(1000, day))).toBe(110);
  clock.now += 3_600_000;
  expect(one.limitOf(quota(1000, day))).toBe(500);
});

test("however the use was spread, all replicas together stay within the limit in any window over the switch", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.array(fc.nat(100), { minLength: 1, maxLength: 8 }),
      fc.nat(59_999),
      (limit, uses, later) => {
        const total = uses.reduce((sum, use) => sum + use, 0);
        fc.pre(total <= limit);
        const caps = uses.map((own, rank) => {
          const { one, clock } = share(() => own);
          one.hear(uses.length, rank);
          one.hearTotals([quota(limit)], [total], [own]);
          one.begin();
          clock.now += later;
          return Math.max(own, one.limitOf(quota(limit)));
        });
        expect(caps.reduce((sum, cap) => sum + cap, 0)).toBeLessThanOrEqual(limit);
      },
    ),
  );
});
