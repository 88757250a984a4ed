import type { Outcome } from "@signalbox/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Breaker, type BreakerOptions, breakerDefaults, type Ticket, worseOf } from "./breaker.ts";

const ok: Outcome = { kind: "ok" };
const failed: Outcome = { kind: "failed", cause: "connect" };
const callerError: Outcome = { kind: "caller_error", status: 400 };
const busy: Outcome = { kind: "backpressure", status: 503, retryAfterMs: 1000 };
const gone: Outcome = { kind: "client_gone" };
const shortage: Outcome = { kind: "shortage" };

function setUp(options: Partial<BreakerOptions> = {}) {
  const clock = { now: 1000 };
  const moves: string[] = [];
  const breaker = new Breaker({
    name: "edge",
    maxConcurrent: 64,
    now: () => clock.now,
    random: () => 0.5,
    onChange: (from, to) => moves.push(`${from}>${to}`),
    ...options,
  });
  const begin = (force = false) => breaker.begin(clock.now, force);
  const end = (ticket: Ticket | undefined, outcome: Outcome) => breaker.end(ticket!, outcome, clock.now);
  const attempt = (outcome: Outcome) => end(begin(), outcome);
  const open = () => {
    for (let failure = 0; failure < breakerDefaults.consecutiveFailures; failure++) attempt(failed);
  };
  /** How many attempts may be under way at once; all of them end with `outcome`. */
  const admitted = (outcome: Outcome) => {
    const tickets: Ticket[] = [];
    for (let ticket = begin(); ticket !== undefined && tickets.length < 200; ticket = begin()) tickets.push(ticket);
    for (const ticket of tickets) end(ticket, outcome);
    return tickets.length;
  };
  return { clock, moves, breaker, begin, end, attempt, open, admitted };
}

describe("opening", () => {
  test("opens on the third failure in a row", () => {
    const { breaker, attempt, moves } = setUp();
    attempt(failed);
    attempt(failed);
    expect(breaker.state).toBe("closed");
    attempt(failed);
    expect(breaker.state).toBe("open");
    expect(moves).toEqual(["closed>open"]);
  });

  test("a success between failures keeps it closed while few fail", () => {
    const { breaker, attempt } = setUp();
    for (let round = 0; round < 30; round++) for (const outcome of [failed, ok, ok, ok]) attempt(outcome);
    expect(breaker.state).toBe("closed");
  });

  test("opens when half of at least ten outcomes in the window failed", () => {
    const { breaker, attempt } = setUp();
    for (let round = 0; round < 4; round++) for (const outcome of [ok, failed]) attempt(outcome);
    attempt(ok);
    expect(breaker.state).toBe("closed");
    attempt(failed);
    expect(breaker.state).toBe("open");
  });

  test("what is nine seconds old still counts, what is ten seconds old does not", () => {
    for (const [ageMs, state] of [
      [9000, "open"],
      [10_000, "closed"],
    ] as const) {
      const { breaker, attempt, clock } = setUp();
      for (let round = 0; round < 4; round++) for (const outcome of [failed, ok]) attempt(outcome);
      clock.now += ageMs;
      for (const outcome of [ok, failed]) attempt(outcome);
      expect(breaker.state).toBe(state);
    }
  });

  test("failures that are older than the window are forgotten", () => {
    const { breaker, attempt, clock } = setUp();
    for (let round = 0; round < 4; round++) for (const outcome of [ok, failed]) attempt(outcome);
    clock.now += breakerDefaults.windowMs + 1;
    for (const outcome of [ok, ok, failed]) attempt(outcome);
    clock.now += 1000;
    attempt(failed);
    expect(breaker.state).toBe("closed");
  });

  test.each([callerError, busy, gone, shortage])("a thousand of $kind never move it", (outcome) => {
    const { breaker, attempt, moves } = setUp();
    for (let round = 0; round < 1000; round++) attempt(outcome);
    expect(breaker.refuses(1000)).toBeUndefined();
    expect(moves).toEqual([]);
  });

  test("neutral outcomes between failures do not hide them", () => {
    const { breaker, attempt } = setUp();
    for (const outcome of [failed, gone, failed, busy, failed]) attempt(outcome);
    expect(breaker.state).toBe("open");
  });

  test("a request whose deadline passes while tokens come says nothing", () => {
    const { breaker, begin, end, clock } = setUp();
    for (let round = 0; round < 10; round++) {
      const ticket = begin();
      breaker.alive(ticket!, clock.now);
      end(ticket, { kind: "failed", cause: "total" });
    }
    expect(breaker.state).toBe("closed");
  });

  test("one whose deadline passes before any token came is a failure, and so is a stall after tokens", () => {
    const silent = setUp();
    for (let round = 0; round < 3; round++) silent.attempt({ kind: "failed", cause: "total" });
    expect(silent.breaker.state).toBe("open");
    const { breaker, begin, end, clock } = setUp();
    for (let round = 0; round < 3; round++) {
      const ticket = begin();
      breaker.alive(ticket!, clock.now);
      end(ticket, { kind: "failed", cause: "stall" });
    }
    expect(breaker.state).toBe("open");
  });
});

describe("half-open", () => {
  test("waits 1, 2, 4, 8, 8 s between probes and lets one probe through each time", () => {
    const { breaker, begin, end, open, clock, moves } = setUp();
    open();
    for (const waitMs of [1000, 2000, 4000, 8000, 8000]) {
      expect(breaker.retryInMs(clock.now)).toBe(waitMs);
      clock.now += waitMs - 1;
      expect(begin()).toBeUndefined();
      clock.now += 1;
      expect(breaker.state).toBe("half_open");
      const probe = begin();
      expect(probe).toBeDefined();
      expect(begin()).toBeUndefined();
      end(probe, failed);
      expect(breaker.state).toBe("open");
    }
    expect(moves.slice(0, 3)).toEqual(["closed>open", "open>half_open", "half_open>open"]);
  });

  test("500 that come at once get one probe", () => {
    const { begin, open, clock } = setUp();
    open();
    clock.now += 1000;
    expect(Array.from({ length: 500 }, () => begin()).filter(Boolean)).toHaveLength(1);
  });

  test.each([gone, busy, shortage])("a probe that ends with $kind frees the place and moves nothing", (outcome) => {
    const { breaker, begin, end, open, clock } = setUp();
    open();
    clock.now += 1000;
    end(begin(), outcome);
    expect(breaker.state).toBe("half_open");
    expect(begin()).toBeDefined();
  });

  test("a probe that never settles is given up after its deadline, and its late success still closes", () => {
    const { breaker, begin, end, open, clock } = setUp();
    open();
    clock.now += 1000;
    const probe = begin();
    clock.now += breakerDefaults.probeDeadlineMs;
    expect(begin()).toBeUndefined();
    expect(breaker.retryInMs(clock.now)).toBe(2000);
    clock.now += 2000;
    expect(begin()).toBeDefined();
    end(probe, ok);
    expect(breaker.state).toBe("closed");
  });

  test("a probe that hangs is found by whoever asks first: for the wait, or for a place", () => {
    const waiting = setUp();
    waiting.open();
    waiting.clock.now += 1000;
    waiting.begin();
    waiting.clock.now += breakerDefaults.probeDeadlineMs;
    expect(waiting.breaker.retryInMs(waiting.clock.now)).toBe(2000);
    const { begin, open, clock, moves } = setUp();
    open();
    clock.now += 1000;
    begin();
    clock.now += breakerDefaults.probeDeadlineMs - 1;
    expect(begin()).toBeUndefined();
    expect(moves.at(-1)).toBe("open>half_open");
    clock.now += 1;
    expect(begin()).toBeUndefined();
    expect(moves.at(-1)).toBe("half_open>open");
    clock.now += 1999;
    expect(begin()).toBeUndefined();
    clock.now += 1;
    expect(begin()).toBeDefined();
  });

  test("while a probe runs the first wait is the best guess", () => {
    const { breaker, begin, open, clock } = setUp();
    open();
    clock.now += 1000;
    begin();
    expect(breaker.retryInMs(clock.now)).toBe(1000);
  });

  test("what began before the outage frees no place when it ends beside the probe", () => {
    const { begin, end, open, clock } = setUp();
    const old = [begin(), begin()];
    open();
    clock.now += 1000;
    begin();
    end(old[0], gone);
    end(old[1], ok);
    expect(begin()).toBeUndefined();
  });

  test("nothing is forced unless it is asked for", () => {
    const { breaker, open, clock } = setUp();
    open();
    expect(breaker.begin(clock.now)).toBeUndefined();
    expect(breaker.admits(clock.now)).toBe(false);
  });

  test("a probe that delivers may take as long as it likes", () => {
    const { breaker, begin, open, clock } = setUp();
    open();
    clock.now += 1000;
    const probe = begin();
    for (let step = 0; step < 10; step++) {
      clock.now += breakerDefaults.probeDeadlineMs - 1;
      breaker.alive(probe!, clock.now);
      expect(breaker.state).toBe("half_open");
    }
  });

  test("failures of attempts that began before it opened do not prolong the outage", () => {
    const { breaker, begin, end, open, clock } = setUp();
    const old = [begin(), begin(), begin(), begin()];
    open();
    clock.now += 1000;
    end(begin(), ok);
    for (const ticket of old) end(ticket, failed);
    expect(breaker.state).toBe("closed");
  });

  test("one forced try per wait, never beside a probe", () => {
    const { begin, end, open, clock } = setUp();
    open();
    const forced = begin(true);
    expect(forced).toBeDefined();
    expect(begin(true)).toBeUndefined();
    end(forced, failed);
    expect(begin(true)).toBeUndefined();
    clock.now += 2000;
    const probe = begin();
    expect(begin(true)).toBeUndefined();
    end(probe, failed);
    expect(begin(true)).toBeDefined();
  });

  test("a probe that hangs gives the forced try back; a forced try that hangs does not", () => {
    const probing = setUp();
    probing.open();
    probing.end(probing.begin(true), failed);
    probing.clock.now += 2000;
    probing.begin();
    probing.clock.now += breakerDefaults.probeDeadlineMs;
    expect(probing.begin(true)).toBeDefined();
    const { begin, open, clock } = setUp();
    open();
    begin(true);
    clock.now += breakerDefaults.probeDeadlineMs;
    expect(begin(true)).toBeUndefined();
  });

  test("each outage has a forced try of its own", () => {
    const { begin, end, open, clock } = setUp();
    open();
    end(begin(true), failed);
    clock.now += 2000;
    end(begin(), ok);
    open();
    expect(begin(true)).toBeDefined();
  });

  test("a forced try that succeeds closes it", () => {
    const { breaker, begin, end, open } = setUp();
    open();
    end(begin(true), ok);
    expect(breaker.state).toBe("closed");
  });

  test("hasten makes a probe due at once", () => {
    const { breaker, begin, open, clock } = setUp();
    open();
    breaker.hasten(clock.now);
    expect(begin()).toBeDefined();
  });
});

describe("slow start", () => {
  test("lets 2, 4, 8, ... in at once after the probe, then everything", () => {
    const { begin, end, open, clock, admitted } = setUp();
    open();
    clock.now += 1000;
    end(begin(), ok);
    expect([admitted(ok), admitted(ok), admitted(ok), admitted(ok), admitted(ok)]).toEqual([2, 4, 8, 16, 32]);
    expect(admitted(ok)).toBe(200);
  });

  test("grows with time too, so that replies of minutes do not hold it back", () => {
    const { breaker, begin, end, open, clock } = setUp();
    open();
    clock.now += 1000;
    end(begin(), ok);
    begin();
    begin();
    expect(breaker.refuses(clock.now)).toBe("recovering");
    clock.now += breakerDefaults.rampStepMs;
    expect(breaker.refuses(clock.now)).toBeUndefined();
  });

  test("a backend that fails now and then gets through it all the same", () => {
    const { breaker, begin, end, open, clock, attempt } = setUp();
    open();
    clock.now += 1000;
    end(begin(), ok);
    let at = 0;
    while (breaker.refuses(clock.now) === undefined && at < 300) {
      const tickets: Ticket[] = [];
      for (let ticket = begin(); ticket !== undefined && tickets.length < 64; ticket = begin()) tickets.push(ticket);
      // One in thirty.
      for (const ticket of tickets) end(ticket, ++at % 30 === 0 ? failed : ok);
    }
    attempt(failed);
    for (let concurrent = 0; concurrent < 64; concurrent++) expect(begin()).toBeDefined();
  });

  test("two failures in a row halve it, and the wait goes on growing when it opens again", () => {
    const { breaker, begin, end, open, clock, attempt, admitted } = setUp();
    open();
    clock.now += 1000;
    end(begin(), ok);
    admitted(ok);
    attempt(failed);
    attempt(failed);
    expect(admitted(ok)).toBe(2);
    open();
    expect(breaker.retryInMs(clock.now)).toBe(2000);
  });

  test("a second failure in a row begins its step anew: successes before it do not count", () => {
    const { begin, end, open, clock, attempt, admitted } = setUp();
    open();
    clock.now += 1000;
    end(begin(), ok);
    expect([admitted(ok), admitted(ok)]).toEqual([2, 4]);
    for (const outcome of [ok, ok, ok, failed, failed, ok, ok, ok]) attempt(outcome);
    expect(admitted(gone)).toBe(4);
    attempt(ok);
    expect(admitted(gone)).toBe(8);
  });

  test("a second failure in a row begins its step anew: the time before it does not count", () => {
    const { breaker, begin, end, open, clock, attempt } = setUp();
    open();
    clock.now += 1000;
    end(begin(), ok);
    clock.now += breakerDefaults.rampStepMs - 1;
    attempt(failed);
    attempt(failed);
    begin();
    clock.now += breakerDefaults.rampStepMs - 1;
    expect(breaker.refuses(clock.now)).toBe("recovering");
    clock.now += 1;
    expect(breaker.refuses(clock.now)).toBeUndefined();
    begin();
    clock.now += breakerDefaults.rampStepMs - 1;
    expect(breaker.refuses(clock.now)).toBe("recovering");
  });

  test("after a full recovery the first wait is short again", () => {
    const { breaker, begin, end, open, clock, admitted } = setUp({ maxConcurrent: 4 });
    open();
    clock.now += 1000;
    end(begin(), ok);
    admitted(ok);
    open();
    expect(breaker.retryInMs(clock.now)).toBe(1000);
  });

  test("a probe that was given up, and ends after the recovery, frees no place", () => {
    const { begin, end, open, clock, admitted } = setUp();
    open();
    clock.now += 1000;
    const hung = begin();
    clock.now += breakerDefaults.probeDeadlineMs;
    begin();
    clock.now += 2000;
    end(begin(), ok);
    end(hung, gone);
    expect(admitted(ok)).toBe(2);
  });

  test("a probe that was given up, and succeeds after the recovery, is no step of the slow start", () => {
    const { begin, end, open, clock, attempt, admitted } = setUp();
    open();
    clock.now += 1000;
    const hung = begin();
    clock.now += breakerDefaults.probeDeadlineMs;
    begin();
    clock.now += 2000;
    end(begin(), ok);
    end(hung, ok);
    attempt(ok);
    expect(admitted(gone)).toBe(2);
  });

  test("a probe that was given up may end the outage beside the next one, which is then nobody's probe any more", () => {
    const { breaker, begin, end, open, clock } = setUp();
    open();
    clock.now += 1000;
    const hung = begin();
    clock.now += breakerDefaults.probeDeadlineMs;
    begin();
    clock.now += 2000;
    begin();
    end(hung, ok);
    expect(breaker.state).toBe("closed");
    open();
    expect(breaker.retryInMs(clock.now)).toBe(4000);
    clock.now += 4000;
    expect(begin()).toBeDefined();
  });

  test("the probe that ended the outage is not counted in the window", () => {
    const { breaker, begin, end, open, clock, attempt } = setUp();
    open();
    clock.now += 1000;
    end(begin(), ok);
    for (let round = 0; round < 4; round++) for (const outcome of [failed, ok]) attempt(outcome);
    attempt(failed);
    expect(breaker.state).toBe("closed");
    attempt(ok);
    attempt(failed);
    expect(breaker.state).toBe("open");
  });

  test("attempts of an earlier slow start free no place in a later one", () => {
    const { begin, end, open, clock, admitted } = setUp();
    open();
    clock.now += 1000;
    end(begin(), ok);
    expect([admitted(ok), admitted(ok)]).toEqual([2, 4]);
    const old = begin();
    open();
    clock.now += 2000;
    end(begin(), ok);
    end(old, gone);
    expect(admitted(ok)).toBe(2);
  });

  test("attempts from before the outage do not take its places", () => {
    const { begin, end, open, clock, admitted } = setUp();
    for (let stream = 0; stream < 20; stream++) begin();
    open();
    clock.now += 1000;
    end(begin(), ok);
    expect(admitted(ok)).toBe(2);
  });
});

describe("by hand", () => {
  test("a tripped breaker waits for ever, and `hasten` makes a probe due", () => {
    const { breaker, begin, end, clock, moves, admitted } = setUp();
    breaker.trip();
    clock.now += 1e9;
    expect(breaker.state).toBe("open");
    expect(breaker.announced).toBe("open");
    expect(begin()).toBeUndefined();
    breaker.hasten(clock.now);
    expect(breaker.state).toBe("half_open");
    expect(breaker.announced).toBe("open");
    const probe = begin();
    expect(breaker.announced).toBe("half_open");
    end(probe, ok);
    expect(moves).toEqual(["closed>open", "open>half_open", "half_open>closed"]);
    expect(admitted(ok)).toBe(2);
  });

  test("a tripped breaker waits anew when its first probe fails", () => {
    const { breaker, begin, end, clock } = setUp();
    breaker.trip();
    breaker.hasten(clock.now);
    end(begin(), failed);
    expect(breaker.retryInMs(clock.now)).toBe(1000);
  });

  test("tripping a half-open breaker ends its probe: neither its success nor its failure counts", () => {
    for (const outcome of [ok, failed]) {
      const { breaker, begin, end, open, clock } = setUp();
      open();
      clock.now += 1000;
      const probe = begin();
      breaker.trip();
      end(probe, outcome);
      expect(breaker.state).toBe("open");
      expect(breaker.retryInMs(clock.now)).toBe(Number.POSITIVE_INFINITY);
      breaker.hasten(clock.now);
      expect(begin()).toBeDefined();
    }
  });

  test("what began before an earlier outage cannot close a tripped breaker", () => {
    const { breaker, begin, end, open } = setUp();
    const old = begin();
    open();
    breaker.trip();
    end(old, ok);
    expect(breaker.state).toBe("open");
  });

  test("tripping gives the forced try back", () => {
    const { breaker, begin, end, open } = setUp();
    open();
    end(begin(true), failed);
    expect(begin(true)).toBeUndefined();
    breaker.trip();
    expect(begin(true)).toBeDefined();
  });

  test("a reset breaker is closed, and forgets failures in a row", () => {
    const { breaker, attempt, moves } = setUp();
    attempt(failed);
    attempt(failed);
    breaker.reset();
    attempt(failed);
    attempt(failed);
    expect(breaker.state).toBe("closed");
    attempt(failed);
    expect(moves).toEqual(["closed>open"]);
  });

  test("a reset breaker forgets the window", () => {
    const { breaker, attempt } = setUp();
    for (let round = 0; round < 4; round++) for (const outcome of [failed, ok]) attempt(outcome);
    breaker.reset();
    for (const outcome of [ok, failed]) attempt(outcome);
    expect(breaker.state).toBe("closed");
  });

  test("a reset breaker forgets how long it waited, and starts at full speed", () => {
    const { breaker, begin, end, open, clock, moves } = setUp();
    open();
    for (const waitMs of [1000, 2000, 4000]) {
      clock.now += waitMs;
      end(begin(), failed);
    }
    breaker.reset();
    expect(breaker.state).toBe("closed");
    expect(breaker.retryInMs(clock.now)).toBe(0);
    expect(moves.at(-1)).toBe("open>closed");
    for (let attempts = 0; attempts < 100; attempts++) expect(begin()).toBeDefined();
    open();
    expect(breaker.retryInMs(clock.now)).toBe(1000);
  });

  test("a reset ends a slow start and a probe; what began before says nothing", () => {
    const { breaker, begin, end, open, clock } = setUp();
    const old = [begin(), begin(), begin()];
    open();
    clock.now += 1000;
    const probe = begin();
    breaker.reset();
    end(probe, failed);
    for (const ticket of old) end(ticket, failed);
    expect(breaker.state).toBe("closed");
    open();
    clock.now += 1000;
    end(begin(), ok);
    breaker.reset();
    for (let attempts = 0; attempts < 100; attempts++) expect(begin()).toBeDefined();
  });

  test("resetting a closed breaker is no move", () => {
    const { breaker, moves } = setUp();
    breaker.reset();
    expect(moves).toEqual([]);
  });
});

test("asking whether it admits takes nothing, and tells what `begin` would do", () => {
  const { breaker, begin, end, open, clock } = setUp();
  const admits = () => [breaker.admits(clock.now), breaker.admits(clock.now, true)];
  expect(admits()).toEqual([true, true]);
  open();
  expect(admits()).toEqual([false, true]);
  expect(admits()).toEqual([false, true]);
  const forced = begin(true);
  expect(admits()).toEqual([false, false]);
  end(forced, failed);
  expect(admits()).toEqual([false, false]);
  clock.now += 2000;
  expect(admits()).toEqual([true, true]);
  end(begin(), ok);
  begin();
  begin();
  expect(admits()).toEqual([false, false]);
});

test("of two breakers on one way the stricter one decides", () => {
  const states = ["closed", "half_open", "open"] as const;
  expect(states.map((one) => states.map((other) => worseOf(one, other)))).toEqual([
    ["closed", "half_open", "open"],
    ["half_open", "half_open", "open"],
    ["open", "open", "open"],
  ]);
});

test("whatever happens, an open breaker has at most one attempt of its own and comes back when the backend does", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("begin" as const), force: fc.boolean() }),
    fc.record({ do: fc.constant("end" as const), pick: fc.nat(), outcome: fc.constantFrom(ok, failed, busy, gone) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 12_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const { breaker, begin, end, clock } = setUp();
      const running: Ticket[] = [];
      for (const move of steps) {
        if (move.do === "wait") clock.now += move.ms;
        if (move.do === "begin") {
          const closed = breaker.state === "closed";
          const ticket = begin(move.force);
          if (ticket !== undefined) running.push(ticket);
          if (ticket !== undefined && !closed) expect(begin(true)).toBeUndefined();
        }
        if (move.do === "end" && running.length > 0) {
          end(running.splice(move.pick % running.length, 1)[0], move.outcome);
        }
      }
      clock.now += breakerDefaults.probeDeadlineMs + 1;
      for (let tries = 0; tries < 3 && breaker.state !== "closed"; tries++) {
        const probe = begin();
        if (probe === undefined) clock.now += breakerDefaults.maxBackoffMs * 1.1;
        else end(probe, ok);
      }
      expect(breaker.state).toBe("closed");
    }),
  );
});

test("jitter moves every wait by at most a tenth", () => {
  for (const [random, waitMs] of [
    [0, 900],
    [0.999999, 1100],
  ] as const) {
    const { breaker, open, clock } = setUp({ random: () => random });
    open();
    expect(breaker.retryInMs(clock.now)).toBeCloseTo(waitMs, 0);
  }
});

test("a closed-down breaker is found as it was: requests of an older config may still hold it", () => {
  const { breaker, admitted, moves } = setUp();
  breaker.close();
  expect(breaker.state).toBe("closed");
  expect(admitted(ok)).toBe(200);
  const broken = setUp();
  broken.open();
  broken.breaker.close();
  expect(broken.breaker.state).toBe("open");
  expect(broken.begin()).toBeUndefined();
  broken.clock.now += 1000;
  broken.end(broken.begin(), ok);
  expect(broken.admitted(ok)).toBe(2);
  expect(moves).toEqual([]);
});

test("holds no timer that keeps the process alive", () => {
  const before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const { breaker, open } = setUp();
  open();
  expect(process.getActiveResourcesInfo().filter((name) => name === "Timeout")).toHaveLength(before);
  breaker.close();
});
