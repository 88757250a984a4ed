import { GatewayError } from "@signalbox/protocol";
import { expect, test } from "vitest";
import { decide, isReachable, usableModels } from "./decide.ts";
import { localPolicy } from "./local-policy.ts";
import type { Deployment, Model, Policy, RequestFacts } from "./policy.ts";
import { testDeployment } from "./test-deployment.ts";

const own = testDeployment("gpu", "m");
const rented: Deployment = { ...testDeployment("cloud", "m"), hosted: true };

function model(name: string, deployments: readonly Deployment[], more: Partial<Model> = {}): Model {
  return {
    name,
    aliases: [],
    deployments,
    strategy: "ordered",
    context: undefined,
    capabilities: {},
    fallback: [],
    defaults: {},
    ...more,
  };
}

const policy: Policy = {
  models: new Map(
    [
      model("both", [own, rented], { recoversStreams: true }),
      model("local", [own]),
      model("rented", [rented]),
      model("rescued", [rented], { fallback: ["rented", "local"] }),
    ].map((one) => [one.name, one]),
  ),
  aliases: new Map([["gpt", "rented"]]),
  rules: [
    { when: { has_tools: true }, use: "rented", label: "tools" },
    { when: {}, use: "both", label: "rest" },
  ],
  thresholds: { moderate: 0.35, complex: 0.65 },
};
const local = localPolicy(policy);

const ask = (name: string, body: Record<string, unknown> = {}): RequestFacts => ({
  endpoint: "chat_completions",
  team: "payments",
  model: name,
  body: { messages: [{ role: "user", content: "hi" }], ...body },
  header: () => undefined,
  bytes: 1,
});
const chainTo = (facts: RequestFacts) =>
  decide(local, facts).chain.flatMap(({ name, deployments }) => deployments.map(({ backend }) => `${name} ${backend}`));

test("no hosted deployment is left in any model, and the policy it was made of has them still", () => {
  expect([...local.models.values()].flatMap(({ deployments }) => deployments)).toEqual([own, own]);
  expect(local.models.get("local")).toBe(policy.models.get("local"));
  expect(policy.models.get("both")?.deployments).toEqual([own, rented]);
});

test("a model keeps its local deployments, and one that is hosted alone gives way to its fallbacks", () => {
  expect(chainTo(ask("both"))).toEqual(["both gpu"]);
  expect(chainTo(ask("rescued"))).toEqual(["local gpu"]);
  expect(decide(local, ask("rescued")).reasons).toContain("rescued: hosted backends only");
});

test("what leads to hosted backends only is refused, by its name and by an alias, and says why", () => {
  for (const name of ["rented", "gpt"]) {
    let error: unknown;
    try {
      decide(local, ask(name));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(GatewayError);
    expect(error).toMatchObject({ code: "data_not_allowed", status: 403, param: "model" });
    expect(String(error)).toContain("rented: runs on hosted backends only");
    expect(decide(policy, ask(name)).model.name).toBe("rented");
  }
});

test("a rule that leads to hosted backends only is passed over", () => {
  const tools = [{ type: "function", function: { name: "look" } }];
  const decision = decide(local, ask("auto", { tools }));
  expect(decision.model.name).toBe("both");
  expect(decision.reasons[0]).toMatch(/^tools passed over: rented: runs on hosted backends only/);
});

test("easy work is moved down from a saturated model, but not to one that is hosted alone", () => {
  const busy = model("busy", [own], { whenSaturated: { use: "rented", complexity: "complex" } });
  const models = new Map([...policy.models, ["busy", busy] as const]);
  const loadOf = ({ name }: Model) => (name === "busy" ? "saturated" : "free");
  expect(decide({ ...policy, models }, ask("busy"), undefined, loadOf).model.name).toBe("rented");
  const { chain } = decide(localPolicy({ ...policy, models }), ask("busy"), undefined, loadOf);
  expect(chain.map(({ name }) => name)).toEqual(["busy"]);
});

test("a stream is recovered only where a deployment that is left can do it", () => {
  const able = { ...rented, continuesReplies: true };
  const models = new Map([["m", model("m", [own, able], { recoversStreams: true })]]);
  expect(localPolicy({ ...policy, models }).models.get("m")?.recoversStreams).toBe(false);
  const restarts = new Map([["m", model("m", [own, able], { recoversStreams: true, restartsStreams: true })]]);
  expect(localPolicy({ ...policy, models: restarts }).models.get("m")?.recoversStreams).toBe(true);
});

test("what cannot be reached is not listed, and auto is while one of its rules leads anywhere", () => {
  expect(usableModels(policy, undefined)).toEqual(["auto", "both", "local", "rented", "rescued"]);
  expect(usableModels(local, undefined)).toEqual(["auto", "both", "local", "rescued"]);
  const hosted = localPolicy({ ...policy, rules: policy.rules.slice(0, 1) });
  expect(usableModels(hosted, undefined)).toEqual(["both", "local", "rescued"]);
  expect(isReachable(local, "nobody")).toBe(false);
});
