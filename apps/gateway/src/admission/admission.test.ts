import { createBackendState, type DeploymentState, type Model, type Permit } from "@signalbox/router";
import { describe, expect, test } from "vitest";
import { Admission } from "./admission.ts";
import { Entrance } from "./entrance.ts";
import type { Ticket } from "./ticket.ts";

const deployment = (backend: string) => ({
  id: `${backend}/m`,
  backend,
  model: "m",
  weight: 1,
  dialect: "none",
  reasoningFirst: false,
  toolParser: "engine" as const,
  reasoningHistory: undefined,
});

const modelOn = (...backends: readonly string[]): Model => ({
  name: "m",
  aliases: [],
  deployments: backends.map(deployment),
  strategy: "ordered",
  context: undefined,
  capabilities: {},
  fallback: [],
  defaults: {},
});

/** Backends of some slots each behind one queue, by a clock that stands still. */
function setUp(slots: Readonly<Record<string, number>>, queue = { maxWaiting: 100, maxWaitMs: 10_000 }) {
  const clock = { now: 0 };
  const now = () => clock.now;
  const turnedAway: string[] = [];
  const admission = new Admission({ now, onTurnedAway: (reason) => turnedAway.push(reason) });
  const states = new Map<string, DeploymentState>();
  const backends = new Map<string, ReturnType<typeof createBackendState>>();
  for (const [name, maxConcurrent] of Object.entries(slots)) {
    const state = createBackendState({
      name,
      maxConcurrent,
      now,
      random: () => 0.5,
      saturation: { waiting: 0, kvUse: 1 },
      onRoom: admission.roomOn,
    });
    backends.set(name, state);
    states.set(`${name}/m`, state.deployment("m"));
  }
  const entrance = new Entrance({ admission, queue, states, now });
  const begin = (backend: string, team = "a"): Permit =>
    states.get(`${backend}/m`)!.begin(clock.now, false, { name: team, weight: 4 })!;
  const join = (team = "a", chain = [modelOn(...Object.keys(slots))]): Ticket => {
    const ticket = entrance.join(chain, { team, weight: 1, priority: "standard" }, 100);
    ticket.turn.catch(() => {});
    return ticket;
  };
  const isOpen = (team = "a", chain = [modelOn(...Object.keys(slots))]): boolean =>
    entrance.isOpen(chain, { name: team, weight: 4 });
  return { clock, admission, backends, entrance, begin, join, isOpen, turnedAway };
}

/** What has become of a ticket by now. */
async function stateOf(ticket: Ticket): Promise<string> {
  const still = Symbol("waits");
  const ended = await Promise.race([
    ticket.turn.then(
      () => "turn",
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    ),
    new Promise((resolve) => setImmediate(resolve, still)),
  ]);
  return ended === still ? "waits" : String(ended);
}

const OK = { kind: "ok" } as const;

test("a slot that ends goes to who waits, and to nobody else before it is taken", async () => {
  const { begin, join, isOpen, clock } = setUp({ x: 1 });
  expect(isOpen()).toBe(true);
  const permit = begin("x");
  expect(isOpen()).toBe(false);
  const [first, second] = [join(), join()];
  permit.end(OK);
  expect(isOpen("other")).toBe(false);
  expect([await stateOf(first), await stateOf(second)]).toEqual(["turn", "waits"]);
  expect(isOpen("other")).toBe(false);
  expect(first.claim(clock.now)).toBe(true);
  begin("x").end(OK);
  expect(await stateOf(second)).toBe("turn");
});

test("a retry of the attempt that has just failed has its slot before those who wait", async () => {
  const { begin, join } = setUp({ x: 1 });
  const permit = begin("x");
  const waiter = join();
  permit.end({ kind: "client_gone" });
  const again = begin("x");
  expect(again).toBeDefined();
  expect(await stateOf(waiter)).toBe("waits");
  again.end(OK);
  expect(await stateOf(waiter)).toBe("turn");
});

test("who was overtaken waits again, before the others of its team", async () => {
  const { begin, join, clock } = setUp({ x: 1 });
  const permit = begin("x");
  const [first, second] = [join(), join()];
  permit.end(OK);
  await stateOf(first);
  const thief = begin("x", "thief");
  expect(first.claim(clock.now)).toBe(false);
  thief.end(OK);
  expect([await stateOf(first), await stateOf(second)]).toEqual(["turn", "waits"]);
});

test("who leaves at its turn hands the slot on", async () => {
  const { begin, join, clock } = setUp({ x: 1 });
  const permit = begin("x");
  const [first, second] = [join(), join()];
  permit.end(OK);
  await stateOf(first);
  first.leave(new Error("gone"));
  expect(first.claim(clock.now)).toBe(true);
  expect(await stateOf(second)).toBe("turn");
});

test("room anywhere in the chain is room, also that of a fallback", async () => {
  const { begin, join, isOpen } = setUp({ x: 1, y: 1 });
  const chain = [modelOn("x"), modelOn("y")];
  begin("x");
  expect(isOpen("a", chain)).toBe(true);
  const other = begin("y");
  expect(isOpen("a", chain)).toBe(false);
  const ticket = join("a", chain);
  other.end(OK);
  expect(await stateOf(ticket)).toBe("turn");
});

test("who waits for one backend holds up nobody at another", () => {
  const { begin, join, isOpen } = setUp({ x: 1, y: 1 });
  begin("x");
  join("a", [modelOn("x")]);
  expect(isOpen("b", [modelOn("y")])).toBe(true);
});

test("where nothing could be tried nobody waits: the attempts are to say so", () => {
  const { backends, isOpen } = setUp({ x: 1 });
  backends.get("x")!.setOverride("drain");
  expect(isOpen()).toBe(true);
});

test("the last slots are for those who have less than their share", () => {
  const { begin, isOpen } = setUp({ x: 10 });
  begin("x", "quiet");
  for (let i = 0; i < 8; i++) begin("x", "flood");
  expect(isOpen("flood")).toBe(false);
  expect(isOpen("quiet")).toBe(true);
  expect(isOpen("new")).toBe(true);
});

test("new figures of the engine wake who waits", async () => {
  const { backends, join, isOpen } = setUp({ x: Number.POSITIVE_INFINITY });
  backends.get("x")!.observeLoad({ waiting: 3 });
  expect(isOpen()).toBe(false);
  const ticket = join();
  expect(await stateOf(ticket)).toBe("waits");
  backends.get("x")!.observeLoad({ waiting: 0 });
  expect(await stateOf(ticket)).toBe("turn");
});

describe("turned away", () => {
  test("at once, with the expected wait, when the rate is known and the wait too long", async () => {
    const { clock, begin, join, turnedAway } = setUp({ x: 1 }, { maxWaiting: 100, maxWaitMs: 2500 });
    let permit = begin("x");
    for (let i = 0; i < 4; i++) {
      const ticket = join();
      clock.now += 1000;
      permit.end(OK);
      await stateOf(ticket);
      ticket.claim(clock.now);
      permit = begin("x");
    }
    const [first, second, third] = [join("b"), join("b"), join("b")];
    expect([await stateOf(first), await stateOf(second)]).toEqual(["waits", "waits"]);
    await expect(third.turn).rejects.toMatchObject({
      code: "team_queue_full",
      status: 429,
      retryAfterMs: 3000,
      message: "team b: 2 requests of it wait already for m; expected wait 3.0 s, at most 2.5 s; try again in 3 s",
    });
    expect(third.waited).toBe(false);
    expect(turnedAway).toEqual(["team_backlog"]);
  });

  test("with 503 when it is the others who are in the way", async () => {
    const { begin, join, turnedAway } = setUp({ x: 1 }, { maxWaiting: 2, maxWaitMs: 1000 });
    begin("x");
    join("a");
    join("b");
    await expect(join("c").turn).rejects.toMatchObject({ code: "backends_overloaded", status: 503 });
    expect(turnedAway).toEqual(["queue_full"]);
  });

  test("all of them when the gateway closes, and whoever comes after", async () => {
    const { admission, begin, join, turnedAway } = setUp({ x: 1 });
    begin("x");
    const waiting = [join("a"), join("b")];
    admission.close();
    for (const ticket of [...waiting, join("c")])
      await expect(ticket.turn).rejects.toMatchObject({ code: "gateway_overloaded", status: 503 });
    expect(turnedAway).toEqual(["shutdown", "shutdown", "shutdown"]);
  });
});
