import { expect, test } from "vitest";
import { createRandom } from "../../packages/simulator/src/index.ts";
import { fullestWindows } from "./over-admission.ts";
import { PerfectLimiter } from "./perfect-limiter.ts";
import type { Ask, Rule } from "./trace.ts";
import { underAdmission } from "./under-admission.ts";

const SECONDS = 30;

type Made = Pick<Ask, "rules" | "reserved" | "used" | "team">;
/** Decides on a request at its time; `heldMs` is how long it is under way. */
type Limiter = (ask: Made, at: number, heldMs: number) => boolean;

const rule = (limit: number, windowMs: number, meter: Rule["meter"] = "requests"): Rule => ({
  id: `a, ${meter}`,
  owner: "a",
  meter,
  limit,
  windowMs,
});

interface Load {
  readonly rules: readonly Rule[];
  readonly perSecond: number;
  /** Milliseconds that a request takes. */
  readonly held?: number;
  /** The most tokens that one takes. */
  readonly used?: number;
  readonly reserved?: number;
  /** All come within this part of a second around its turn. */
  readonly within?: number;
}

/** Requests at random times, on each of which a limiter decides within 10 ms of its sending, out of their order. */
function traceOf(limiter: Limiter, load: Load): Ask[] {
  const { rules, perSecond, held = 0, used = 10, reserved = used, within = 1 } = load;
  const random = createRandom(11);
  const sent = Array.from({ length: perSecond * SECONDS }, () => {
    const second = Math.floor(random() * SECONDS);
    return (second + 1 + (random() - 0.5) * within) * 1000;
  });
  const due = sent.map((sentAt) => {
    const decidedAt = sentAt + random() * 10;
    const tokens = Math.ceil(used * random());
    return { sentAt, decidedAt, decidedBy: decidedAt + random() * 5, used: tokens, heldMs: held * (0.5 + random()) };
  });
  due.sort((a, b) => a.decidedAt - b.decidedAt);
  return due.map(({ sentAt, decidedAt, decidedBy, heldMs, ...tokens }) => {
    const made = { team: "a", rules, used: tokens.used, reserved: reserved === used ? tokens.used : reserved };
    const admitted = limiter(made, decidedAt, heldMs);
    return { ...made, sentAt, decidedBy, endedAt: decidedAt + heldMs, overBy: decidedBy + heldMs, admitted };
  });
}

function perfect(scale = 1): Limiter {
  const limiter = new PerfectLimiter();
  const scaled = new Map<Rule, Rule>();
  const of = (one: Rule): Rule => {
    if (!scaled.has(one)) scaled.set(one, { ...one, limit: Math.floor(one.limit * scale) });
    return scaled.get(one)!;
  };
  return (ask, at, heldMs) => limiter.admit({ ...ask, rules: ask.rules.map(of) }, at, heldMs);
}

/** Counts anew with each second of the clock. */
function fixedWindow(limit: number): Limiter {
  let [second, count] = [-1, 0];
  return (_, at) => {
    if (Math.floor(at / 1000) !== second) [second, count] = [Math.floor(at / 1000), 0];
    return ++count <= limit;
  };
}

const most = (trace: readonly Ask[]): number => fullestWindows(trace)[0]!.overPct;

test.each([
  ["far over a limit of requests", { rules: [rule(100, 1000)], perSecond: 400 }],
  ["near it", { rules: [rule(100, 1000)], perSecond: 100 }],
  ["under it", { rules: [rule(100, 1000)], perSecond: 40 }],
  ["over two limits at once", { rules: [rule(50, 1000), rule(900, 10_000, "tokens")], perSecond: 200 }],
  ["over a limit of tokens", { rules: [rule(2000, 1000, "tokens")], perSecond: 300, used: 40 }],
  [
    "of tokens that are held ready in vain",
    { rules: [rule(4000, 1000, "tokens")], perSecond: 300, used: 40, reserved: 64 },
  ],
  ["over a limit of slots", { rules: [rule(20, 0, "concurrent")], perSecond: 200, held: 300 }],
])("finds nothing wrong with a perfect limiter, %s", (_, load) => {
  const trace = traceOf(perfect(), load);
  expect(trace.some(({ admitted }) => !admitted)).toBe(load.perSecond > 50);
  for (const { overPct } of fullestWindows(trace)) expect(overPct).toBe(0);
  expect(underAdmission(trace).falsePct).toBeLessThan(0.5);
});

test("finds the burst at the edge of a fixed window", () => {
  const trace = traceOf(fixedWindow(100), { rules: [rule(100, 1000)], perSecond: 300, within: 0.4 });
  expect(most(trace)).toBeGreaterThan(90);
});

test("finds a limiter that admits 2 % too much, in requests and in tokens", () => {
  expect(most(traceOf(perfect(1.02), { rules: [rule(1000, 10_000)], perSecond: 300 }))).toBeGreaterThan(1);
  const tokens = traceOf(perfect(1.02), { rules: [rule(100_000, 10_000, "tokens")], perSecond: 1000, used: 40 });
  expect(most(tokens)).toBeGreaterThan(1);
});

test("finds one slot too many", () => {
  const load = { rules: [rule(20, 0, "concurrent")], perSecond: 200, held: 300 };
  expect(most(traceOf(perfect(1.05), load))).toBe(5);
});

test.each([
  ["requests", rule(100, 1000), 10],
  ["tokens", rule(2000, 1000, "tokens"), 40],
])("finds a limiter that gives 4 %% too few %s", (_, one, used) => {
  const { falsePct, teams } = underAdmission(traceOf(perfect(0.96), { rules: [one], perSecond: 400, used }));
  expect(falsePct).toBeGreaterThan(2.5);
  expect(falsePct).toBeLessThan(5);
  expect(teams.a?.asked).toBe(400 * SECONDS);
});

test("one team that is given too much does not hide another that is given too little", () => {
  const short = traceOf(perfect(0.9), { rules: [rule(100, 1000)], perSecond: 300 });
  const long = traceOf(perfect(1.1), { rules: [rule(100, 1000)], perSecond: 300 });
  const both = underAdmission([...short, ...long.map((ask) => ({ ...ask, team: "b" }))]);
  expect(both.falsePct).toBeGreaterThan(4);
  expect(both.teams.b?.falsePct).toBe(0);
});
