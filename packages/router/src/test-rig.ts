import type { GatewayError, Outcome } from "@signalbox/protocol";
import { expect } from "vitest";
import type { AttemptEffects, Choice, Rival } from "./attempt-effects.ts";
import { type AttemptEnd, AttemptFailure } from "./attempt-failure.ts";
import { AllAttemptsFailed, attemptLoop, type Opened } from "./attempt-loop.ts";
import type { DeploymentState, Permit } from "./backend-state.ts";
import { createBackendState } from "./create-backend-state.ts";
import type { Model } from "./policy.ts";
import { candidatesFor } from "./select.ts";
import type { Candidate } from "./strategy.ts";
import { testDeployment } from "./test-deployment.ts";
import type { AttemptPlan } from "./walk.ts";

/** What an attempt on a backend comes to: its reply's text, or how it fails. */
export type Step = string | AttemptEnd;

interface Rig {
  /** By the name of the backend, whatever the model. */
  readonly states: ReadonlyMap<string, DeploymentState>;
  readonly tried: string[];
  /** Backends whose attempts were given up. */
  readonly withdrawn: string[];
  /** Backends whose attempts could be given up. */
  readonly rivals: string[];
  readonly slept: number[];
  readonly ended: { backend: string; outcome: Outcome }[];
  /** How often the retry budget was asked, and how often it got a retry back. */
  readonly asked: { readonly retries: number; readonly givenBack: number };
  /** Calls `act` at a time of the rig's clock, which begins at 0. */
  at(ms: number, act: () => void): void;
  /** Lets time pass. */
  pass(ms: number): void;
  now(): number;
  /** Timers that are still to ring. */
  timers(): number;
  run(plan?: Partial<AttemptPlan>): Promise<Opened<string>>;
}

interface RigOptions {
  /** Model -> its backends; each model falls back on the next. */
  readonly models: Readonly<Record<string, readonly string[]>>;
  /** Backend -> what its attempts come to, in order; the last one lasts. */
  readonly steps: Readonly<Record<string, readonly Step[]>>;
  readonly contexts?: Readonly<Record<string, number>>;
  /** Retries that the budget grants. */
  readonly retries?: number;
  readonly maxConcurrent?: number;
  /** Backend -> milliseconds that an attempt takes; 10 unless told. */
  readonly takes?: Readonly<Record<string, number>>;
  /** Backend -> milliseconds until the first content of an attempt is there, before it commits. */
  readonly begins?: Readonly<Record<string, number>>;
  /** In [0, 1]; 0.5 unless told. */
  readonly random?: number;
  /** Model -> milliseconds after which another attempt is made beside a late one. */
  readonly hedge?: Readonly<Record<string, number>>;
}

/** Timers on a clock that stands still until everything that can happen at a time has happened. */
class TestClock {
  now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly ring: () => void }>();

  start(ms: number, ring: () => void): () => void {
    const timer = { at: this.now + ms, ring };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass until the promise is settled. */
  async run<T>(running: Promise<T>): Promise<T> {
    let over = false;
    const end = (): void => {
      over = true;
    };
    running.then(end, end);
    for (let steps = 0; ; steps++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (over) return running;
      const next = [...this.#timers].reduce((a, b) => (b.at < a.at ? b : a), { at: Infinity, ring: end });
      if (next.at === Infinity || steps > 10_000) throw new Error("nothing is left that could happen");
      this.#timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.ring();
    }
  }
}

/** Models and backends of which each attempt comes to what it is told to. */
export function rig(options: RigOptions): Rig {
  const {
    models,
    steps,
    contexts = {},
    retries = 100,
    maxConcurrent = 4,
    takes = {},
    begins = {},
    hedge = {},
  } = options;
  const clock = new TestClock();
  let granted = retries;
  const tried: string[] = [];
  const withdrawn: string[] = [];
  const rivals: string[] = [];
  const slept: number[] = [];
  const ended: Rig["ended"] = [];
  const states = new Map<string, DeploymentState>();
  for (const name of Object.keys(steps)) {
    const owned = createBackendState({ name, maxConcurrent, now: () => clock.now, random: () => 0.5 });
    states.set(
      name,
      watched(owned.deployment("m"), (outcome) => ended.push({ backend: name, outcome })),
    );
  }
  const chain = Object.entries(models).map(([name, backends]) => modelOf(name, backends, contexts[name]));
  const byId = new Map(
    chain.flatMap(({ deployments }) => deployments.map(({ id, backend }) => [id, states.get(backend)!])),
  );
  const counts = new Map<string, number>();
  const asked = { retries: 0, givenBack: 0 };

  function begin({ backend: { name } }: Candidate, _model: Model, permit: Pick<Permit, "alive">): Rival<string> {
    tried.push(name);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    const step = steps[name]!.at(Math.min(count, steps[name]!.length - 1))!;
    const stops: (() => void)[] = [];
    const reply = new Promise<string>((resolve, reject) => {
      if (begins[name] !== undefined) stops.push(clock.start(begins[name], () => permit.alive(clock.now)));
      const end = (): void => {
        if (typeof step === "string") resolve(step);
        else
          reject(step === undefined ? new Error("a fault of ours") : new AttemptFailure(step, `${name}: ${step.how}`));
      };
      stops.push(clock.start(takes[name] ?? 10, end));
    });
    const withdraw = (): void => {
      withdrawn.push(name);
      for (const stop of stops) stop();
    };
    return { reply, withdraw };
  }

  const effects: AttemptEffects<string> = {
    now: () => clock.now,
    random: () => options.random ?? 0.5,
    sleep: (ms) => {
      slept.push(ms);
      return new Promise((resolve) => clock.start(ms, resolve));
    },
    startTimer: (ms, ring) => clock.start(ms, ring),
    choose: (model): Choice => candidatesFor(model, byId, clock.now),
    open: (...from) => begin(...from).reply,
    openRival: (...from) => {
      rivals.push(from[0].backend.name);
      return begin(...from);
    },
    hedgeAfterMs: ({ name }) => hedge[name],
    takeRetry: () => {
      asked.retries++;
      if (granted <= 0) return false;
      granted--;
      return true;
    },
    giveBackRetry: () => {
      asked.givenBack++;
      granted++;
    },
    retryInMs: () => Math.min(...[...states.values()].map((state) => state.retryInMs(clock.now))),
  };
  return {
    states,
    tried,
    withdrawn,
    rivals,
    slept,
    ended,
    asked,
    at: (ms, act) => void clock.start(ms - clock.now, act),
    pass: (ms) => {
      clock.now += ms;
    },
    now: () => clock.now,
    timers: () => clock.pending,
    run: (plan = {}) =>
      clock.run(attemptLoop({ chain, attempts: 3, signal: new AbortController().signal, ...plan }, effects)),
  };
}

function modelOf(name: string, backends: readonly string[], context: number | undefined): Model {
  const deployments = backends.map((backend) => testDeployment(backend, name));
  return { name, aliases: [], deployments, strategy: "ordered", context, capabilities: {}, fallback: [], defaults: {} };
}

/** The same state, of which each end of a permit is told. */
function watched(state: DeploymentState, onEnd: (outcome: Outcome) => void): DeploymentState {
  const begin = state.begin.bind(state);
  state.begin = (now, force) => {
    const permit = begin(now, force);
    if (permit === undefined) return undefined;
    return {
      alive: (at) => permit.alive(at),
      end: (outcome) => {
        onEnd(outcome);
        permit.end(outcome);
      },
    };
  };
  return state;
}

/** The error that a walk ends in, for the client. */
export async function errorOf(run: Promise<unknown>): Promise<GatewayError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AllAttemptsFailed);
  return (error as AllAttemptsFailed).error;
}
