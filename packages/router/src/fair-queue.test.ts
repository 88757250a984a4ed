import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Claimant, FairQueue, Lane, Place, type Priority, priorities, priorityWeights } from "./fair-queue.ts";

type Name = string;
type Queue = FairQueue<Name, string>;

const claim = (team: string, more: Partial<Claimant> = {}): Claimant => ({
  team,
  weight: 1,
  priority: "standard",
  ...more,
});

/** A queue with one place, to which one lane leads. */
function atOnePlace(maxWaiting = 1000) {
  const queue: Queue = new FairQueue(maxWaiting);
  const place = new Place<Name, string>();
  const lane = new Lane([place], "lane");
  let came = 0;
  const add = (team: string, more: Partial<Claimant> & { cost?: number; deadline?: number } = {}) => {
    const { cost = 1, deadline = Number.POSITIVE_INFINITY, ...rest } = more;
    return queue.add(lane, { ...claim(team, rest), cost, deadline, value: `${team}${came++}` });
  };
  const take = () => queue.take(place)?.value;
  return { queue, place, lane, add, take };
}

const drain = (take: () => string | undefined): string[] => {
  const all: string[] = [];
  for (let value = take(); value !== undefined; value = take()) all.push(value);
  return all;
};

describe("order", () => {
  test("a team's own requests are served first come first served", () => {
    const { add, take } = atOnePlace();
    for (let i = 0; i < 4; i++) add("a");
    expect(drain(take)).toEqual(["a0", "a1", "a2", "a3"]);
  });

  test("teams take turns, however much of one waits", () => {
    const { add, take } = atOnePlace();
    for (let i = 0; i < 5; i++) add("a");
    add("b");
    add("c");
    expect(drain(take)).toEqual(["a0", "b5", "c6", "a1", "a2", "a3", "a4"]);
  });

  test("a team that comes later is behind nobody's backlog", () => {
    const { add, take } = atOnePlace();
    for (let i = 0; i < 5; i++) add("a");
    expect([take(), take()]).toEqual(["a0", "a1"]);
    add("b");
    expect(take()).toBe("b5");
  });

  test("a team of twice the weight is served twice as often", () => {
    const { add, take } = atOnePlace();
    for (let i = 0; i < 6; i++) add("a", { weight: 2 });
    for (let i = 0; i < 6; i++) add("b");
    const first = [1, 2, 3, 4, 5, 6].map(() => take()![0]);
    expect(first.filter((team) => team === "a")).toHaveLength(4);
  });

  test("a team whose requests cost more is served less often", () => {
    const { add, take } = atOnePlace();
    for (let i = 0; i < 6; i++) add("a", { cost: 300 });
    for (let i = 0; i < 6; i++) add("b", { cost: 100 });
    const first = [1, 2, 3, 4].map(() => take()![0]);
    expect(first.filter((team) => team === "b")).toHaveLength(3);
  });

  test("the more urgent is served first, and batch keeps its part in 21", () => {
    const { add, take } = atOnePlace();
    for (const priority of priorities) for (let i = 0; i < 100; i++) add(priority, { priority });
    const served = Array.from({ length: 84 }, () => take()!.replace(/\d+$/, ""));
    expect(served[0]).toBe("interactive");
    expect(priorities.map((priority) => served.filter((each) => each === priority).length)).toEqual([64, 16, 4]);
  });

  test("an interactive request that comes into a flood of batch is next", () => {
    const { add, take } = atOnePlace();
    for (let i = 0; i < 50; i++) add("a", { priority: "batch" });
    for (let i = 0; i < 10; i++) take();
    add("a", { priority: "interactive" });
    expect(take()).toBe("a50");
  });

  test("who may not be taken is passed over, and keeps its place", () => {
    const { queue, place, add } = atOnePlace();
    add("a");
    add("a");
    add("b");
    expect(queue.take(place, (_, { team }) => team !== "a")?.value).toBe("b2");
    expect(queue.take(place, () => false)).toBeUndefined();
    expect(queue.take(place)?.value).toBe("a0");
  });

  test("one that was taken and could not be served is the first of its team again", () => {
    const { queue, place, add, take } = atOnePlace();
    add("a");
    add("a");
    const taken = queue.take(place)!;
    queue.putBack(taken);
    expect(queue.size).toBe(2);
    expect(drain(take)).toEqual(["a0", "a1"]);
  });
});

describe("places", () => {
  test("who waits for another place is not taken, and who can go to several goes to the first that has room", () => {
    const queue: Queue = new FairQueue(10);
    const [x, y] = [new Place<Name, string>(), new Place<Name, string>()];
    const either = new Lane([x, y], "either");
    const onlyY = new Lane([y], "y");
    const add = (lane: typeof either, value: string) =>
      queue.add(lane, { ...claim(value), cost: 1, deadline: 1, value });
    add(onlyY, "patient");
    add(either, "flexible");
    expect(queue.take(x)?.value).toBe("flexible");
    expect(queue.take(x)).toBeUndefined();
    expect(queue.take(y)?.value).toBe("patient");
  });

  test("what a busy place has served does not count against a newcomer at a slow one", () => {
    const queue: Queue = new FairQueue(100);
    const [fast, slow] = [new Place<Name, string>(), new Place<Name, string>()];
    const lanes = { fast: new Lane([fast], "fast"), slow: new Lane([slow], "slow") };
    const add = (where: keyof typeof lanes, team: string) =>
      queue.add(lanes[where], { ...claim(team), cost: 1, deadline: 1, value: team });
    for (let i = 0; i < 20; i++) add("fast", "busy");
    for (let i = 0; i < 20; i++) add("slow", "flood");
    for (let i = 0; i < 20; i++) queue.take(fast);
    queue.take(slow);
    add("slow", "busy");
    expect(queue.take(slow)?.value).toBe("busy");
  });
});

describe("bounds", () => {
  test("when the queue is full the newest of the largest backlog leaves, not the newcomer of a quiet team", () => {
    const { queue, add, take } = atOnePlace(4);
    add("flood");
    add("flood");
    add("flood");
    add("quiet");
    expect(add("other").evicted?.value).toBe("flood2");
    expect(add("flood")).toEqual({ waiter: undefined, evicted: undefined });
    expect(queue.size).toBe(4);
    expect(drain(take)).toEqual(["flood0", "quiet3", "other4", "flood1"]);
  });

  test("a backlog is judged by the team's weight", () => {
    const { add } = atOnePlace(5);
    for (let i = 0; i < 3; i++) add("heavy", { weight: 3 });
    for (let i = 0; i < 2; i++) add("light");
    expect(add("new").evicted?.value).toBe("light4");
  });

  test("one that left is not served, and leaves once", () => {
    const { queue, add, take } = atOnePlace();
    const first = add("a").waiter!;
    const second = add("a").waiter!;
    add("a");
    expect([queue.remove(second), queue.remove(second), queue.remove(first)]).toEqual([true, false, true]);
    expect(drain(take)).toEqual(["a2"]);
    expect(queue.size).toBe(0);
  });

  test("whose deadline has come leaves, the earliest first, in whatever order they came", () => {
    const { queue, add } = atOnePlace();
    add("a", { deadline: 30 });
    add("b", { deadline: 10 });
    add("c", { deadline: 20 });
    expect(queue.nextDeadline).toBe(10);
    expect(queue.expire(9)).toBeUndefined();
    expect([queue.expire(20)?.value, queue.expire(20)?.value, queue.expire(20)]).toEqual(["b1", "c2", undefined]);
    expect(queue.nextDeadline).toBe(30);
  });

  test("a position counts the own backlog, as many of each other team, and the other priorities' shares", () => {
    const { queue, lane, add } = atOnePlace();
    for (let i = 0; i < 10; i++) add("a");
    expect(queue.positionOf(lane, claim("b"))).toEqual({ before: 1, own: 0 });
    for (let i = 0; i < 3; i++) add("b");
    expect(queue.positionOf(lane, claim("b"))).toEqual({ before: 7, own: 3 });
    expect(queue.positionOf(lane, claim("b", { priority: "interactive" }))).toEqual({ before: 0, own: 0 });
    for (let i = 0; i < 40; i++) add("c", { priority: "interactive" });
    expect(queue.positionOf(lane, claim("b"))).toEqual({ before: 7 + 32, own: 3 });
  });
});

type Step = { readonly do: "add"; readonly team: number; readonly priority: Priority; readonly cost: number };
const step: fc.Arbitrary<Step | { do: "take" } | { do: "leave"; which: number }> = fc.oneof(
  fc.record({
    do: fc.constant("add" as const),
    team: fc.integer({ min: 0, max: 3 }),
    priority: fc.constantFrom(...priorities),
    cost: fc.integer({ min: 1, max: 100 }),
  }),
  fc.record({ do: fc.constant("take" as const) }),
  fc.record({ do: fc.constant("leave" as const), which: fc.nat(20) }),
);

describe("whatever comes and goes", () => {
  test("the queue is bounded, serves while anyone waits, loses and repeats nobody, and keeps a team's order", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 12 }), (steps, maxWaiting) => {
        const { queue, place, add } = atOnePlace(maxWaiting);
        const inside = new Set<NonNullable<ReturnType<typeof add>["waiter"]>>();
        for (const one of steps) {
          if (one.do === "add") {
            const { waiter, evicted } = add(`t${one.team}`, { priority: one.priority, cost: one.cost });
            if (evicted !== undefined) expect(inside.delete(evicted)).toBe(true);
            if (waiter !== undefined) inside.add(waiter);
          } else if (one.do === "leave") {
            const waiter = [...inside][one.which];
            if (waiter !== undefined) expect(queue.remove(waiter) && inside.delete(waiter)).toBe(true);
          } else {
            const taken = queue.take(place);
            expect(taken === undefined).toBe(inside.size === 0);
            if (taken === undefined) continue;
            expect(inside.delete(taken)).toBe(true);
            const { team, priority } = taken.claimant;
            for (const { turn, claimant } of inside)
              if (claimant.team === team && claimant.priority === priority) expect(turn).toBeGreaterThan(taken.turn);
          }
          expect(queue.size).toBe(inside.size);
          expect(queue.size).toBeLessThanOrEqual(maxWaiting);
          expect(priorities.reduce((sum, each) => sum + queue.waiting[each], 0)).toBe(inside.size);
        }
      }),
    );
  });

  test("teams that always have someone waiting get their shares, to within one request of each", () => {
    const team = fc.record({ weight: fc.integer({ min: 1, max: 5 }), cost: fc.integer({ min: 1, max: 50 }) });
    fc.assert(
      fc.property(
        fc.array(team, { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 1, max: 150 }),
        (teams, services) => {
          const { queue, place, add } = atOnePlace();
          const served = teams.map(() => 0);
          teams.forEach((one, i) => void [1, 2].map(() => add(`t${i}`, one)));
          for (let i = 0; i < services; i++) {
            const taken = queue.take(place)!;
            const which = Number(taken.claimant.team.slice(1));
            served[which]! += taken.cost;
            add(`t${which}`, teams[which]!);
            for (const [a, one] of teams.entries())
              for (const [b, other] of teams.entries()) {
                const apart = served[a]! / one.weight - served[b]! / other.weight;
                expect(Math.abs(apart)).toBeLessThanOrEqual(one.cost / one.weight + other.cost / other.weight);
              }
          }
        },
      ),
    );
  });

  test("of priorities that always have someone waiting each gets its share, to within one request of each", () => {
    const costs = fc.record({
      interactive: fc.integer({ min: 1, max: 50 }),
      standard: fc.integer({ min: 1, max: 50 }),
      batch: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(costs, fc.integer({ min: 1, max: 200 }), (cost, services) => {
        const { queue, place, add } = atOnePlace();
        const served = { interactive: 0, standard: 0, batch: 0 };
        for (const priority of priorities) add("a", { priority, cost: cost[priority] });
        for (let i = 0; i < services; i++) {
          const { priority } = queue.take(place)!.claimant;
          served[priority] += cost[priority];
          add("a", { priority, cost: cost[priority] });
        }
        const shares = priorities.map((each) => served[each] / priorityWeights[each]);
        const slack = priorities.map((each) => cost[each] / priorityWeights[each]);
        for (const [a, one] of shares.entries())
          for (const [b, other] of shares.entries())
            expect(Math.abs(one - other)).toBeLessThanOrEqual(slack[a]! + slack[b]! + 1e-9);
      }),
    );
  });

  test("a newcomer waits for at most one service of a flooder of its priority, whatever the flooder had and has", () => {
    fc.assert(
      fc.property(
        fc.nat(40),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 100 }),
        (before, cost, own) => {
          const { queue, place, add } = atOnePlace();
          for (let i = 0; i < 60; i++) add("flood", { cost });
          for (let i = 0; i < before; i++) queue.take(place);
          const { waiter } = add("quiet", { cost: own });
          const next = [queue.take(place), queue.take(place)];
          expect(next).toContain(waiter);
        },
      ),
    );
  });
});
