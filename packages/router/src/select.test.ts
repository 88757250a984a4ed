import { expect, test } from "vitest";
import type { DeploymentState } from "./backend-state.ts";
import { createBackendState } from "./create-backend-state.ts";
import type { Model } from "./policy.ts";
import { candidatesFor } from "./select.ts";
import { testDeployment } from "./test-deployment.ts";

type Condition = "draining" | "opened" | "ready" | "down" | "loading" | "broken" | "full" | "cooling";

function setUp(conditions: Record<string, Condition>) {
  const states = new Map<string, DeploymentState>();
  for (const [name, condition] of Object.entries(conditions)) {
    const backend = createBackendState({ name, maxConcurrent: 3, now: () => 0, random: () => 0.5 });
    const state = backend.deployment("m");
    if (condition === "down" || condition === "loading") {
      backend.observe({ status: condition, reason: "probe" }, undefined, undefined);
    }
    if (condition === "broken") {
      for (let round = 0; round < 3; round++) state.begin(0)!.end({ kind: "failed", cause: "connect" });
    }
    if (condition === "draining" || condition === "opened") {
      backend.setOverride(condition === "opened" ? "open" : "drain");
    }
    if (condition === "full") for (let round = 0; round < 3; round++) state.begin(0);
    if (condition === "cooling") state.begin(0)!.end({ kind: "backpressure", status: 429, retryAfterMs: 7000 });
    states.set(`${name}/m`, state);
  }
  const model: Model = {
    name: "small",
    aliases: [],
    deployments: Object.keys(conditions).map((backend) => testDeployment(backend, "m")),
    strategy: "ordered",
    context: undefined,
    capabilities: {},
    fallback: [],
    defaults: {},
  };
  const selection = candidatesFor(model, states, 0);
  return {
    states,
    selection,
    fit: selection.fit.map(({ backend }) => backend.name),
    panic: selection.panic.map(({ backend }) => backend.name),
    refused: Object.fromEntries(selection.refused.map(({ deployment, why }) => [deployment.backend, why])),
  };
}

test("splits the deployments by what can be done with them, with the reasons", () => {
  const { fit, panic, refused } = setUp({ a: "ready", b: "down", c: "full", d: "cooling", e: "broken" });
  expect(fit).toEqual(["a"]);
  expect(panic).toEqual([]);
  expect(refused).toEqual({ b: "down", c: "full", d: "cooling_down", e: "breaker_open" });
});

test("panics when fewer than half are healthy: best first, loading last", () => {
  const { fit, panic } = setUp({ a: "loading", b: "broken", c: "down", d: "ready" });
  expect(fit).toEqual(["d"]);
  expect(panic).toEqual(["c", "b", "a"]);
});

test("does not panic with half of them healthy", () => {
  expect(setUp({ a: "ready", b: "down" }).panic).toEqual([]);
});

test("busy backends are healthy: nothing is forced on them, nor because of them", () => {
  const { fit, panic } = setUp({ a: "full", b: "cooling", c: "down" });
  expect(fit).toEqual([]);
  expect(panic).toEqual([]);
});

test("a model's only backend may be tried when it is down", () => {
  expect(setUp({ a: "down" }).panic).toEqual(["a"]);
});

test("asking reserves nothing", () => {
  const { states } = setUp({ a: "ready" });
  expect(states.get("a/m")!.backend.inFlight).toBe(0);
});

test("what is held by hand is refused and never forced", () => {
  const { fit, panic, refused } = setUp({ a: "draining", b: "opened" });
  expect(fit).toEqual([]);
  expect(panic).toEqual([]);
  expect(refused).toEqual({ a: "draining", b: "opened_by_hand" });
});

test("what is held by hand is not counted: the others panic by their own number", () => {
  expect(setUp({ a: "draining", b: "opened", c: "down" }).panic).toEqual(["c"]);
  expect(setUp({ a: "draining", b: "ready", c: "down" }).panic).toEqual([]);
});
