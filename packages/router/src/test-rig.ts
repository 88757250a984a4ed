import type { GatewayError, Outcome } from "@signalbox/protocol";
import { expect } from "vitest";
import type { Choice } from "./attempt-effects.ts";
import { type AttemptEnd, AttemptFailure } from "./attempt-failure.ts";
import { AllAttemptsFailed, attemptLoop, type Opened } from "./attempt-loop.ts";
import type { DeploymentState } from "./backend-state.ts";
import { createBackendState } from "./create-backend-state.ts";
import type { Model } from "./policy.ts";
import { candidatesFor } from "./select.ts";
import { testDeployment } from "./test-deployment.ts";
import type { AttemptPlan } from "./walk.ts";

/** What an attempt on a backend comes to: its reply's text, or how it fails. */
export type Step = string | AttemptEnd;

interface Rig {
  /** By the name of the backend, whatever the model. */
  readonly states: ReadonlyMap<string, DeploymentState>;
  readonly tried: string[];
  readonly slept: number[];
  readonly ended: { backend: string; outcome: Outcome }[];
  /** How often the retry budget was asked, and how often it got a retry back. */
  readonly asked: { readonly retries: number; readonly givenBack: number };
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
}

/** Models and backends of which each attempt comes to what it is told to. */
export function rig({ models, steps, contexts = {}, retries = 100, maxConcurrent = 4 }: RigOptions): Rig {
  let time = 0;
  let granted = retries;
  const tried: string[] = [];
  const slept: number[] = [];
  const ended: Rig["ended"] = [];
  const states = new Map<string, DeploymentState>();
  for (const name of Object.keys(steps)) {
    const state = createBackendState({ name, maxConcurrent, now: () => time, random: () => 0.5 }).deployment("m");
    const begin = state.begin.bind(state);
    state.begin = (now, force) => {
      const permit = begin(now, force);
      if (permit === undefined) return undefined;
      return {
        alive: (at) => permit.alive(at),
        end: (outcome) => {
          ended.push({ backend: name, outcome });
          permit.end(outcome);
        },
      };
    };
    states.set(name, state);
  }
  const chain = Object.entries(models).map(([name, backends]): Model => {
    const deployments = backends.map((backend) => testDeployment(backend, name));
    const context = contexts[name];
    return {
      name,
      aliases: [],
      deployments,
      strategy: "ordered",
      context,
      capabilities: {},
      fallback: [],
      defaults: {},
    };
  });
  const byId = new Map(
    chain.flatMap(({ deployments }) => deployments.map(({ id, backend }) => [id, states.get(backend)!])),
  );
  const counts = new Map<string, number>();
  const asked = { retries: 0, givenBack: 0 };
  return {
    states,
    tried,
    slept,
    ended,
    asked,
    run: (plan = {}) =>
      attemptLoop<string>(
        { chain, attempts: 3, signal: new AbortController().signal, ...plan },
        {
          now: () => time,
          random: () => 0.5,
          sleep: async (ms) => {
            slept.push(ms);
            time += ms;
          },
          choose: (model): Choice => candidatesFor(model, byId, time),
          async open({ backend: { name } }) {
            tried.push(name);
            time += 10;
            const count = counts.get(name) ?? 0;
            counts.set(name, count + 1);
            const step = steps[name]!.at(Math.min(count, steps[name]!.length - 1))!;
            if (typeof step === "string") return step;
            throw new AttemptFailure(step, `${name}: ${step.how}`);
          },
          openRival: () => {
            throw new Error("nothing is hedged here");
          },
          hedgeAfterMs: () => undefined,
          startTimer: () => () => {},
          takeRetry: () => {
            asked.retries++;
            if (granted <= 0) return false;
            granted--;
            return true;
          },
          giveBackRetry: () => {
            granted++;
            asked.givenBack++;
          },
          retryInMs: () => Math.min(...[...states.values()].map((state) => state.retryInMs(time))),
        },
      ),
  };
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
