import { describe, expect, test } from "vitest";
import { adviseOn } from "./advise.ts";
import { type BackendSlice, type LoadHistory, type ModelSlice, mergeHistories, type Scaling } from "./load-history.ts";

const scaling: Scaling = { target: 0.7, waitMs: 2000, windowMs: 900_000 };
const NOW = 1000;
const slices = <S>(one: (slice: number) => S, count = 61): S[] =>
  Array.from({ length: count }, (_, at) => one(NOW - count + at));

interface Load {
  readonly inFlight?: number;
  readonly running?: number | null;
  readonly waiting?: number | null;
  readonly kvUse?: number | null;
  readonly attempts?: number;
}

function backendSlice(slice: number, load: Load): BackendSlice {
  const { inFlight = 0, running = null, waiting = null, kvUse = null, attempts = 60 } = load;
  return {
    slice,
    in_flight: inFlight,
    running,
    waiting,
    kv_use: kvUse,
    busy: inFlight > 0 ? 1 : 0,
    attempts,
    output_tokens: attempts * 50,
  };
}

function modelSlice(slice: number, more: Partial<ModelSlice> = {}): ModelSlice {
  return { slice, waiting: 0, requests: 60, turned_away: 0, limited: 0, ...more };
}

interface Shape {
  readonly backends: Readonly<Record<string, Load>>;
  readonly models: Readonly<Record<string, readonly string[]>>;
  readonly slots?: number | null;
  readonly requests?: Partial<ModelSlice>;
}

/** An hour in which every minute was the same. */
function steady({ backends, models, slots = 8, requests }: Shape): LoadHistory {
  return {
    scaling,
    slice_ms: 60_000,
    now: NOW,
    known: [61],
    backends: Object.entries(backends).map(([name, load]) => ({
      name,
      presence: "up",
      slots,
      slots_from: slots === null ? null : "max_concurrent",
      slices: slices((slice) => backendSlice(slice, load)),
    })),
    models: Object.entries(models).map(([name, on]) => ({
      name,
      on,
      slices: slices((slice) => modelSlice(slice, requests)),
    })),
  };
}

describe("several models", () => {
  test("on the same backends are one row, and their load counts once", () => {
    const backends = { x: { inFlight: 8 }, y: { inFlight: 8 } };
    const [advice, ...others] = adviseOn(steady({ backends, models: { chat: ["x", "y"], code: ["x", "y"] } }));
    expect(others).toEqual([]);
    expect(advice).toMatchObject({ models: ["chat", "code"], wanted: 3, say: "add 1", shared_with: [] });
    expect(advice!.numbers).toMatchObject({ load: 16, load_ratio: 1, service_seconds: 8, slots_per_backend: 8 });
  });

  test("on some of the same name each other", () => {
    const backends = { x: { inFlight: 8 }, y: { inFlight: 2 } };
    const [chat, code] = adviseOn(steady({ backends, models: { chat: ["x"], code: ["x", "y"] } }));
    expect(chat).toMatchObject({ models: ["chat"], say: "add 1", shared_with: ["code"] });
    expect(code).toMatchObject({ models: ["code"], say: "enough", shared_with: ["chat"] });
  });
});

describe("how much a backend can do", () => {
  const models = { chat: ["x"] };
  const numbersOf = (load: Load, slots: number | null) =>
    adviseOn(steady({ backends: { x: load }, models, slots }))[0]!;

  test("is what fills its KV cache, where that is less than its slots", () => {
    const { numbers, say } = numbersOf({ inFlight: 20, running: 20, waiting: 0, kvUse: 0.8 }, 64);
    expect(numbers).toMatchObject({ slots_per_backend: 25, slots_from: "kv_cache", load_ratio: 0.8, kv_use: 0.8 });
    expect(say).toBe("add 1");
  });

  test("is what it had when it let others wait in its own queue", () => {
    const { numbers, say } = numbersOf({ inFlight: 22, running: 16, waiting: 6 }, null);
    expect(numbers).toMatchObject({ slots_per_backend: 16, slots_from: "engine_queue", engine_queued: 6, load: 16 });
    expect(say).toBe("add 1");
  });

  test("is not known while it takes what comes", () => {
    const { numbers, say, state, wanted } = numbersOf({ inFlight: 12 }, null);
    expect(numbers).toMatchObject({ slots_per_backend: 12, slots_from: "reached" });
    expect([state, wanted]).toEqual(["unknown_slots", 1]);
    expect(say).toBe("enough; slots not known, it took 12 at once: set max_concurrent");
  });
});

test("load that others send to the engines counts, and what probes and samples differ by does not", () => {
  const models = { chat: ["x"] };
  const load = (running: number) =>
    adviseOn(steady({ backends: { x: { inFlight: 4, running, waiting: 0 } }, models }))[0]!.numbers;
  expect(load(7)).toMatchObject({ load: 7, from_others: 3 });
  expect(load(4.9)).toMatchObject({ load: 4, from_others: 0 });
});

test("those who were turned away count with their work, those whom a limit refused do not", () => {
  const base = { backends: { x: { inFlight: 8 } }, models: { chat: ["x"] } };
  const refused = adviseOn(steady({ ...base, requests: { turned_away: 30 } }))[0]!.numbers;
  // 30 a minute of 8 s each are 4 at once.
  expect(refused).toMatchObject({ load: 12, turned_away: 450 });
  const limited = adviseOn(steady({ ...base, requests: { limited: 30 } }))[0]!.numbers;
  expect(limited).toMatchObject({ load: 8, limited: 450 });
});

test("a queue that stands adds nothing, one that grows adds the work that it grew by", () => {
  const shape = { backends: { x: { inFlight: 8 } }, models: { chat: ["x"] } };
  const standing = steady({ ...shape, requests: { waiting: 40 } });
  expect(adviseOn(standing)[0]!.numbers).toMatchObject({ load: 8, queued: 40, queue_seconds: 40 });
  const growing: LoadHistory = {
    ...standing,
    models: [{ ...standing.models[0]!, slices: slices((slice) => modelSlice(slice, { waiting: slice * 15 })) }],
  };
  // 15 a minute of 8 s each are 2 at once.
  expect(adviseOn(growing)[0]!.numbers).toMatchObject({ load: 10 });
});

describe("replicas of the gateway together", () => {
  const part = (inFlight: number, running: number | null = null): LoadHistory =>
    steady({ backends: { x: { inFlight, running, waiting: running && 0 } }, models: { chat: ["x"] } });

  test("have the load of all of them", () => {
    expect(adviseOn(part(4))[0]).toMatchObject({ say: "enough" });
    const [both] = adviseOn(mergeHistories([part(4), part(4)]));
    expect(both).toMatchObject({ say: "add 1" });
    expect(both!.numbers).toMatchObject({ load: 8, requests_per_second: 2 });
  });

  test("do not count twice what an engine says of itself", () => {
    const [both] = adviseOn(mergeHistories([part(4, 8), part(4, 8)]));
    expect(both!.numbers).toMatchObject({ load: 8, from_others: 0 });
  });

  test("know nothing of spare backends while one of them has begun lately, but that some are missing", () => {
    const young = { ...part(8), known: [20] };
    const idle = steady({ backends: { x: {}, y: {} }, models: { chat: ["x", "y"] } });
    expect(adviseOn(idle)[0]).toMatchObject({ spare: 1 });
    expect(adviseOn(mergeHistories([idle, { ...idle, known: [20] }]))[0]).toMatchObject({ say: "enough", spare: 0 });
    expect(adviseOn(mergeHistories([young, part(0)]))[0]).toMatchObject({ say: "add 1" });
  });

  test("have one goal", () => {
    const other = { ...part(4), scaling: { ...scaling, target: 0.5 } };
    expect(() => mergeHistories([part(4), other])).toThrow("do not have the same `defaults.scaling`");
  });

  test("see a backend that any of them reaches", () => {
    const gone = part(4);
    const down = { ...gone, backends: [{ ...gone.backends[0]!, presence: "down" as const }] };
    expect(mergeHistories([down, gone]).backends[0]!.presence).toBe("up");
  });
});
