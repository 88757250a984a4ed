import { readFileSync } from "node:fs";
import { createSchemaCache, readTools, ruleName } from "@signalbox/adapter";
import { expect, test } from "vitest";
import type { Guards } from "./compile-guards.ts";
import { loadConfig } from "./load.ts";

const page = readFileSync(new URL("../../../../docs/guard.md", import.meta.url), "utf8");
const command = { type: ["string", "array"], items: { type: "string" } };
const tools = [{ function: { name: "shell", parameters: { properties: { command }, required: ["command"] } } }];
const declared = createSchemaCache()(readTools(tools), Buffer.from(JSON.stringify(tools)));

async function guardsOf(text: string): Promise<Guards> {
  const result = await loadConfig(text, { env: {}, fileName: "signalbox.yaml" });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config.guards;
}

function verdict(guards: Guards, model: string, team: string, name: string, args: string): string {
  const call = { id: "call_1", name, arguments: args, outcome: "clean", dialect: "hermes" } as const;
  const { action, violations } = guards.of(model, team)!.check(call, declared);
  return violations.length === 0 ? action : `${action}: ${violations.map(ruleName).join(", ")}`;
}

const policy = /^```yaml\n([\s\S]*?)^```/m.exec(page)?.[1] as string;
const rows = [...page.matchAll(/^\| `(\w+)` \| `(\{.*\})` \| (.*) \|$/gm)].map((row) => row.slice(1));

test("docs/guard.md shows calls", () => {
  expect(rows.length).toBeGreaterThan(8);
});

test.each(rows)("what docs/guard.md says of %s %s: %s", async (name, args, expected) => {
  const guards = await guardsOf(policy);
  expect(verdict(guards, "large", "agents", name as string, args as string)).toBe(expected);
});

test("of a model's and a team's guard the stricter word counts, and the rules of both", async () => {
  const guards = await guardsOf(policy);
  expect(verdict(guards, "small", "agents", "shell", "{}")).toBe("escalate: schema");
  expect(verdict(guards, "small", "agents", "transfer_money", "{}")).toBe("escalate: undeclared, payments");
  expect(verdict(guards, "large", "others", "shell", "{}")).toBe("flag: schema");
  expect(verdict(guards, "large", "others", "drop_database", "{}")).toBe("pass");
});

test("there is no guard where nothing is asked for, and one for each pair", async () => {
  const guards = await guardsOf(policy.replace("guard: { schema: flag }", "guard: { deny: [] }"));
  expect(guards.of("large", "others")).toBeUndefined();
  expect(guards.of("large", "agents")).toBe(guards.of("large", "agents"));
  expect(guards.of("unguarded", "others")).toBeUndefined();
});

test("a team may ask for a larger model where some model has one", async () => {
  const text = (fallback: string) => `version: 1
backends: { a: { kind: vllm, url: "http://127.0.0.1:8000" } }
models:
  small: { on: [{ backend: a }]${fallback} }
  large: { on: [{ backend: a, model: m }] }
teams: { t: { keys: ["sha256:${"a".repeat(64)}"], guard: { undeclared: escalate } } }
`;
  await expect(guardsOf(text(", fallback: [large]"))).resolves.toBeDefined();
  await expect(guardsOf(text(""))).rejects.toThrow("no model has a larger one to ask");
});
