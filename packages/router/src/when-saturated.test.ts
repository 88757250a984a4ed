import { describe, expect, test } from "vitest";
import { decide, type ModelLoad } from "./decide.ts";
import type { Model, Policy } from "./policy.ts";
import { testDeployment } from "./test-deployment.ts";

function model(name: string, more: Partial<Model> = {}): Model {
  return {
    name,
    aliases: [],
    deployments: [testDeployment(`${name}-backend`, name)],
    strategy: "ordered",
    context: 8000,
    capabilities: { tools: true },
    fallback: [],
    defaults: {},
    ...more,
  };
}

const whenSaturated = { use: "small", complexity: "simple" } as const;

function policyOf({ large = {}, small = {} }: { large?: Partial<Model>; small?: Partial<Model> } = {}): Policy {
  const models = [
    model("large", { whenSaturated, fallback: ["spare"], ...large }),
    model("small", small),
    model("spare"),
  ];
  return {
    models: new Map(models.map((one) => [one.name, one])),
    aliases: new Map(),
    rules: [{ when: {}, use: "large", label: "routing.0" }],
    thresholds: { moderate: 0.35, complex: 0.65 },
  };
}

const hard =
  "Prove that the scheduler in the attached design never starves a team, derive the bound step by step, and refactor the implementation accordingly. Compare three alternatives with their complexity.";

interface Ask {
  readonly policy?: Policy;
  readonly asked?: string;
  readonly load?: Readonly<Record<string, ModelLoad>>;
  readonly body?: Readonly<Record<string, unknown>>;
}

function decided({ policy = policyOf(), asked = "auto", load = { large: "saturated" }, body }: Ask = {}) {
  const whole = { model: asked, messages: [{ role: "user", content: "hi there" }], ...body };
  const bytes = JSON.stringify(whole).length;
  const facts = { endpoint: "chat_completions", team: "t", model: asked, body: whole, bytes, header: () => undefined };
  return decide(policy, { ...facts, endpoint: "chat_completions" }, undefined, ({ name }) => load[name] ?? "free");
}

test("an easy request moves to the smaller model while the chosen one is saturated, and the reason says so", () => {
  const { model, chain, reason, reasons } = decided();
  expect(model.name).toBe("small");
  expect(chain.map(({ name }) => name)).toEqual(["small", "large", "spare"]);
  expect(reason).toBe("routing.0 -> small (large is saturated)");
  expect(reasons).toContain("large is saturated -> small");
});

test("it moves also where the client named the model", () => {
  expect(decided({ asked: "large" }).reason).toBe("named -> small (large is saturated)");
});

describe("it stays", () => {
  const call = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
  const tools = [{ type: "function", function: { name: "f", parameters: {} } }];
  const loop = [
    { role: "user", content: "hi" },
    { role: "assistant", content: null, tool_calls: [call] },
    { role: "tool", tool_call_id: "c1", content: "1" },
  ];
  const long = [{ role: "user", content: "word ".repeat(500) }];
  test.each<{ why: string } & Ask>([
    { why: "while the model has room", load: {} },
    { why: "while none of its backends can be tried", load: { large: "unfit" } },
    { why: "while the smaller one is saturated, too", load: { large: "saturated", small: "saturated" } },
    { why: "while the smaller one cannot be tried", load: { large: "saturated", small: "unfit" } },
    { why: "when the request is not easy", body: { messages: [{ role: "user", content: hard }] } },
    { why: "in a tool loop", body: { messages: loop, tools } },
    {
      why: "when it has tools that the other lacks",
      policy: policyOf({ small: { capabilities: {} } }),
      body: { tools },
    },
    {
      why: "when it does not fit the other's context",
      policy: policyOf({ small: { context: 100 } }),
      body: { messages: long },
    },
    { why: "when the policy says nothing", policy: policyOf({ large: { whenSaturated: undefined } }) },
  ])("$why", ({ why: _, ...ask }) => {
    const { model, reason } = decided(ask);
    expect(model.name).toBe("large");
    expect(reason).toBe("routing.0 -> large");
  });
});

test("a policy may let harder requests move", () => {
  const policy = policyOf({ large: { whenSaturated: { use: "small", complexity: "complex" } } });
  expect(decided({ policy, body: { messages: [{ role: "user", content: hard }] } }).model.name).toBe("small");
});

test("a smaller model that is among the fallbacks is asked once", () => {
  const policy = policyOf({ large: { fallback: ["small", "spare"] } });
  expect(decided({ policy }).chain.map(({ name }) => name)).toEqual(["small", "large", "spare"]);
});
