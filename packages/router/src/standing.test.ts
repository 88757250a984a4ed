import { describe, expect, test } from "vitest";
import type { EngineLoad } from "./backend-state.ts";
import { createBackendState } from "./create-backend-state.ts";
import { standingOf } from "./standing.ts";

const saturation = { waiting: 4, kvUse: 0.95 };

function setUp(maxConcurrent = Number.POSITIVE_INFINITY) {
  const clock = { now: 0 };
  const backend = createBackendState({ name: "a", maxConcurrent, saturation, now: () => clock.now, random: () => 0.5 });
  const state = backend.deployment("m");
  const begin = (count: number) => Array.from({ length: count }, () => state.begin(clock.now)!);
  const tell = (load: EngineLoad) => backend.observe({ status: "ready", reason: "" }, load, undefined);
  const standing = (promised = 0) => standingOf(state, clock.now, promised);
  return { clock, backend, state, begin, tell, standing };
}

describe("by our own count", () => {
  test("is full with every slot taken or promised, and open again when one ends", () => {
    const { begin, standing } = setUp(2);
    const [first] = begin(1);
    expect([standing(), standing(1)]).toEqual(["open", "full"]);
    begin(1);
    expect(standing()).toBe("full");
    first!.end({ kind: "ok" });
    expect(standing()).toBe("open");
  });

  test("what cannot be tried for another reason is unfit, also when it is full", () => {
    const { backend, begin, standing } = setUp(1);
    begin(1);
    backend.setOverride("drain");
    expect(standing()).toBe("unfit");
  });
});

describe("by the engine's own word", () => {
  test("is full while more wait in its queue than allowed, and open when so many of ours have ended", () => {
    const { begin, tell, standing } = setUp();
    const permits = begin(10);
    tell({ running: 4, waiting: 6 });
    expect(standing()).toBe("full");
    permits[0]!.end({ kind: "ok" });
    expect(standing()).toBe("full");
    permits[1]!.end({ kind: "ok" });
    expect([standing(), standing(1)]).toEqual(["open", "full"]);
  });

  test("an engine where nobody waits is open, however much we have sent since", () => {
    const { begin, tell, standing } = setUp();
    tell({ running: 1, waiting: 0 });
    begin(50);
    expect(standing()).toBe("open");
  });

  test("is full while its cache is, and open when a part of ours has ended", () => {
    const { begin, tell, standing } = setUp();
    const permits = begin(20);
    tell({ running: 20, kvUse: 0.97 });
    expect(standing()).toBe("full");
    permits[0]!.end({ kind: "ok" });
    expect(standing()).toBe("open");
  });

  test("is not believed for longer than three probes", () => {
    const { clock, tell, standing } = setUp();
    tell({ waiting: 50 });
    clock.now = 15_000;
    expect(standing()).toBe("full");
    clock.now = 15_001;
    expect(standing()).toBe("open");
  });
});

test("tells of possible room at the end of an attempt and at new figures of the engine", () => {
  let told = 0;
  const backend = createBackendState({
    name: "a",
    maxConcurrent: 1,
    now: () => 0,
    random: () => 0.5,
    onRoom: () => void told++,
  });
  const permit = backend.deployment("m").begin(0)!;
  expect(told).toBe(0);
  permit.end({ kind: "ok" });
  permit.end({ kind: "ok" });
  expect(told).toBe(1);
  backend.observeLoad({ waiting: 0 });
  expect(told).toBe(2);
});
