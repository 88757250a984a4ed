import { expect, test } from "vitest";
import type { ToolCall } from "../call.ts";
import { readTools } from "../tools.ts";
import { combinePolicies, createGuard, describeViolation, type GuardPolicy } from "./guard.ts";
import { createSchemaCache, declaredTools } from "./schema-cache.ts";

const tools = declaredTools(
  readTools([
    { type: "function", function: { name: "shell", parameters: { properties: { command: { type: "string" } } } } },
    { type: "function", function: { name: "odd", parameters: { properties: [] } } },
    { type: "function", function: { name: "free" } },
  ]),
);
const call = (name: string, args: unknown): ToolCall => {
  return { id: "call_1", name, arguments: JSON.stringify(args), outcome: "clean", dialect: "hermes" };
};
const policy: GuardPolicy = {
  schema: "flag",
  undeclared: "escalate",
  deny: [
    { label: "no-removal", tool: "shell", when: [{ argument: "command", matches: ["rm *"] }], action: "reject" },
    { label: "watched", tool: "sh*", when: [], action: "flag" },
  ],
};
const guard = createGuard(policy)!;

test("a policy that lets everything pass needs no guard", () => {
  expect(createGuard({ schema: "pass", undeclared: "pass", deny: [] })).toBeUndefined();
});

test("a call that breaks nothing passes", () => {
  expect(guard.check(call("free", { anything: 1 }), tools)).toEqual({
    action: "pass",
    violations: [],
    unchecked: false,
  });
});

test("the strictest of the broken rules decides, and all of them are told", () => {
  const { action, violations } = guard.check(call("shell", { command: "rm x" }), tools);
  expect(action).toBe("reject");
  expect(violations.map(describeViolation)).toEqual(["shell: denied by no-removal", "shell: denied by watched"]);
});

test("tells of a schema's fault and of undeclared tools without a word of the arguments or of an odd name", () => {
  const wrong = guard.check(call("shell", { command: ["top", "secret"] }), tools);
  expect(wrong.violations.map(describeViolation)).toEqual([
    "shell: arguments.command break «type» of the tool's schema",
    "shell: denied by watched",
  ]);
  const unknown = guard.check(call("top\r\nsecret", {}), tools);
  expect(unknown).toMatchObject({ action: "escalate" });
  expect(unknown.violations.map(describeViolation)).toEqual(["a tool: not a tool of the request"]);
});

test("a schema that cannot be compiled is told as unchecked, and breaks nothing", () => {
  expect(guard.check(call("odd", {}), tools)).toEqual({ action: "pass", violations: [], unchecked: true });
});

test("combined policies keep the stricter action of each, and every rule", () => {
  const strict = combinePolicies(policy, { schema: "reject", undeclared: "flag", deny: [] });
  expect(strict).toEqual({ ...policy, schema: "reject" });
  expect(combinePolicies()).toEqual({ schema: "pass", undeclared: "pass", deny: [] });
});

test("a tools array is compiled once, and the least recently used is dropped", () => {
  const cache = createSchemaCache();
  const open = (name: string, size = 0) => cache(readTools([]), Buffer.from(name.padEnd(size)));
  const first = open("first");
  expect(open("first")).toBe(first);
  for (let index = 0; index < 511; index++) open(`other ${index}`);
  expect(open("first")).toBe(first);
  for (let index = 0; index < 512; index++) open(`another ${index}`);
  expect(open("first")).not.toBe(first);
});

test("a cache is bounded in bytes, and does not keep an array that is huge", () => {
  const cache = createSchemaCache();
  const open = (name: string, size: number) => cache(readTools([]), Buffer.from(name.padEnd(size)));
  const first = open("first", 100);
  expect(open("huge", 2_000_000)).not.toBe(open("huge", 2_000_000));
  expect(open("first", 100)).toBe(first);
  for (let index = 0; index < 9; index++) open(`large ${index}`, 1_000_000);
  expect(open("first", 100)).not.toBe(first);
});
