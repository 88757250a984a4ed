import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBackendState } from "./create-backend-state.ts";
import { isStrategyName, strategies, strategyNames } from "./strategies.ts";
import type { Candidate } from "./strategy.ts";
import { testDeployment } from "./test-deployment.ts";

interface Spec {
  inFlight?: number;
  maxConcurrent?: number;
  weight?: number;
  load?: { running?: number; waiting?: number; kvUse?: number; slots?: number };
  warm?: readonly string[];
  /** Its last answer was a 503 whose pause is over. */
  strained?: boolean;
}

function candidates(...specs: Spec[]): Candidate[] {
  return specs.map((spec, index) => {
    const name = `backend-${index}`;
    const backend = createBackendState({
      name,
      maxConcurrent: spec.maxConcurrent ?? 10,
      now: () => 0,
      random: () => 0,
    });
    const state = backend.deployment("m");
    backend.observe({ status: "ready", reason: "" }, spec.load, spec.warm && new Set(spec.warm));
    if (spec.strained) state.begin(0)!.end({ kind: "backpressure", status: 503, retryAfterMs: 0 });
    for (let attempt = 0; attempt < (spec.inFlight ?? 0); attempt++) state.begin(0);
    return { deployment: testDeployment(name, "m", spec.weight), state, backend };
  });
}

/** A small seeded generator: the same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const names = (list: readonly Candidate[]) => list.map(({ deployment }) => deployment.backend.replace("backend-", ""));

function firsts(strategy: (typeof strategies)[keyof typeof strategies], list: readonly Candidate[], turns = 10_000) {
  const random = seeded(7);
  const counts = list.map(() => 0);
  for (let turn = 0; turn < turns; turn++) {
    const first = strategy(list, { turn, random })[0]!;
    counts[list.indexOf(first)]!++;
  }
  return counts.map((count) => count / turns);
}

describe.each(strategyNames)("%s keeps the contract of a strategy", (name) => {
  const strategy = strategies[name];
  const specs = fc.array(
    fc.record({
      inFlight: fc.nat(10),
      weight: fc.constantFrom(0, 0.5, 1, 7),
      load: fc.record({ running: fc.nat(20), waiting: fc.nat(20), kvUse: fc.double({ min: 0, max: 1, noNaN: true }) }),
      warm: fc.constantFrom([], ["m"]),
    }),
    { maxLength: 8 },
  );

  test("gives back the same candidates, each once, and leaves the input alone", () => {
    fc.assert(
      fc.property(specs, fc.nat(), fc.nat(), (list, turn, seed) => {
        const input = candidates(...list);
        const copy = [...input];
        const output = strategy(Object.freeze(input), { turn, random: seeded(seed) });
        expect(input).toEqual(copy);
        expect(output).toHaveLength(input.length);
        expect(new Set(output)).toEqual(new Set(input));
      }),
      { numRuns: 50 },
    );
  });

  test("gives the same order for the same turn and the same random numbers", () => {
    const list = candidates({ inFlight: 1 }, { weight: 3 }, { inFlight: 5 }, {});
    const order = () => names(strategy(list, { turn: 3, random: seeded(42) }));
    expect(order()).toEqual(order());
  });

  test("works for none and for one", () => {
    const one = candidates({ inFlight: 3, weight: 0 });
    expect(strategy([], { turn: 5, random: () => 0 })).toEqual([]);
    expect(strategy(one, { turn: 5, random: () => 0.99 })).toEqual(one);
  });
});

test("only names of the registry are strategy names", () => {
  expect(strategyNames.every(isStrategyName)).toBe(true);
  expect(["toString", "__proto__", "constructor", "least-busy", ""].filter(isStrategyName)).toEqual([]);
});

test("ordered keeps the order of the config", () => {
  expect(names(strategies.ordered(candidates({ inFlight: 9 }, {}, {}), { turn: 2, random: () => 0.9 }))).toEqual([
    "0",
    "1",
    "2",
  ]);
});

test("round_robin begins one further each turn", () => {
  const list = candidates({}, {}, {});
  const orders = [0, 1, 2, 3].map((turn) => names(strategies.round_robin(list, { turn, random: () => 0 })).join(""));
  expect(orders).toEqual(["012", "120", "201", "012"]);
});

test("weighted puts each first in proportion to its weight, and weight 0 last", () => {
  const [a, b, c] = firsts(strategies.weighted, candidates({ weight: 3 }, { weight: 1 }, { weight: 0 }));
  expect(a).toBeCloseTo(0.75, 1);
  expect(b).toBeCloseTo(0.25, 1);
  expect(c).toBe(0);
});

describe("least_busy", () => {
  const order = (...specs: Spec[]) =>
    names(strategies.least_busy(candidates(...specs), { turn: 0, random: () => 0 })).join("");

  test("orders by use relative to capacity, not by count", () => {
    expect(order({ inFlight: 3, maxConcurrent: 4 }, { inFlight: 8, maxConcurrent: 64 }, { inFlight: 1 })).toBe("210");
  });

  test("sees what other clients do to the engine", () => {
    expect(order({ load: { running: 8, waiting: 4 } }, { inFlight: 2 })).toBe("10");
  });

  test("avoids a KV cache that is nearly full", () => {
    expect(order({ load: { kvUse: 0.97 } }, { inFlight: 5 })).toBe("10");
  });

  test("prefers a loaded model to an idle backend that must load it", () => {
    expect(order({ warm: [] }, { warm: ["m"], inFlight: 6 })).toBe("10");
    expect(order({ warm: [] }, { inFlight: 6 })).toBe("10");
  });

  test("prefers a busy backend to one that answered 503 last, until that answers again", () => {
    const list = candidates({ strained: true }, { inFlight: 9 });
    const order = () => names(strategies.least_busy(list, { turn: 0, random: () => 0 })).join("");
    expect(order()).toBe("10");
    list[0]!.state.begin(0)!.end({ kind: "ok" });
    expect(order()).toBe("01");
  });

  test("lets equals take turns", () => {
    expect(firsts(strategies.least_busy, candidates({}, {}), 10)).toEqual([0.5, 0.5]);
  });
});

describe("two_choices", () => {
  test("spreads evenly over equals", () => {
    for (const share of firsts(strategies.two_choices, candidates({}, {}, {}, {}))) expect(share).toBeCloseTo(0.25, 1);
  });

  test("never puts the busiest first", () => {
    expect(firsts(strategies.two_choices, candidates({ inFlight: 9 }, {}, {}))[0]).toBe(0);
  });
});
