import { expect, test } from "vitest";
import { compileDenyRule, type DenyCondition } from "./deny-rule.ts";
import { readArguments } from "./read-arguments.ts";

function denies(when: DenyCondition | DenyCondition[], args: unknown, tool = "shell"): boolean {
  const rule = compileDenyRule({ label: "deny.0", tool: "shell", when: [when].flat(), action: "reject" });
  const text = typeof args === "string" ? args : JSON.stringify(args);
  return rule.denies(tool, () => readArguments(text));
}
const removal = { argument: "command", matches: ["rm -rf*"] };

test.each([
  ["as written", "rm -rf /"],
  ["with space around it", "  rm -rf /\n"],
  ["with runs of whitespace", "rm \t -rf  /"],
  ["with an unusual space", "rm\u00a0-rf /"],
  ["over a continued line", "rm \\\n  -rf /"],
  ["on a line of a script", "set -e\r\ncd /tmp\r\n  rm -rf /\r\n"],
  ["as a list of words", ["rm", "-rf", "/"]],
  ["as one of several commands", ["ls", "rm -rf /"]],
])("finds a command %s", (_what, command) => {
  expect(denies(removal, { command })).toBe(true);
});

test.each([
  ["another case", { command: "RM -RF /" }],
  ["behind another command on the same line", { command: "ls; rm -rf /" }],
  ["in another argument", { note: "rm -rf /" }],
  ["words of another order", { command: "rm -r -f /" }],
  ["nothing", {}],
])("leaves alone what the pattern does not say: %s", (_what, args) => {
  expect(denies(removal, args)).toBe(false);
});

test("tells no upper from lower case when asked to", () => {
  const condition = { argument: "sql", matches: ["*drop table*"], ignoreCase: true };
  expect(denies(condition, { sql: "select 1;\nDROP  Table users" })).toBe(true);
});

test("looks along dotted paths, through arrays, and at names that hold a dot", () => {
  const condition = { argument: "steps.run", matches: ["rm*"] };
  expect(denies(condition, { steps: [{ run: "ls" }, { run: "rm x" }] })).toBe(true);
  expect(denies(condition, { steps: { run: ["ls", ["rm x"]] } })).toBe(true);
  expect(denies(condition, { "steps.run": "rm x" })).toBe(true);
  expect(denies(condition, { steps: { runs: "rm x" } })).toBe(false);
  expect(denies({ argument: "constructor", matches: ["*"] }, {})).toBe(false);
});

test("matches other values than texts by their JSON", () => {
  expect(denies({ argument: "force", matches: ["true"] }, { force: true })).toBe(true);
  expect(denies({ argument: "amount", matches: ["?????*"] }, { amount: 12_500 })).toBe(true);
  expect(denies({ argument: "amount", matches: ["?????*"] }, { amount: 125 })).toBe(false);
  expect(denies({ argument: "options", matches: ['*"force":true*'] }, { options: { a: 1, force: true } })).toBe(true);
});

test("asks for all conditions, and for one of the patterns of each", () => {
  const both = [
    { argument: "verb", matches: ["delete", "patch"] },
    { argument: "path", matches: ["/prod/*"] },
  ];
  expect(denies(both, { verb: "patch", path: "/prod/x" })).toBe(true);
  expect(denies(both, { verb: "get", path: "/prod/x" })).toBe(false);
  expect(denies(both, { verb: "delete", path: "/test/x" })).toBe(false);
});

test("denies a tool altogether without a condition, whatever its arguments are", () => {
  expect(denies([], "not json")).toBe(true);
  expect(denies([], {}, "shell2")).toBe(false);
});

test.each([
  ["that are not JSON", '{"command":'],
  ["that are no object", "[]"],
  ["with a key twice", '{"command":"rm -rf /","command":"ls"}'],
  ["with a nested key twice", '{"a":[{"b":1,"\\u0062":2}]}'],
])("does not let arguments pass %s where a condition asks for them", (_what, args) => {
  expect(denies(removal, args)).toBe(true);
});

test("a value nested beyond the stack does not pass", () => {
  expect(denies(removal, `{"command":${"[".repeat(200_000)}${"]".repeat(200_000)}}`)).toBe(true);
});

test.each([
  ["one text", (size: number) => ({ command: "rm -r ".repeat(size / 6) })],
  ["whitespace", (size: number) => ({ command: `rm${" ".repeat(size)}x` })],
  ["lines", (size: number) => ({ command: "r\n".repeat(size / 2) })],
  ["items", (size: number) => ({ command: Array.from({ length: size / 4 }, () => "r") })],
  ["quotes and backslashes", (size: number) => ({ command: '\\"'.repeat(size / 4) })],
  ["backslashes", (size: number) => ({ command: "\\".repeat(size / 2) })],
])("takes a hostile megabyte in time linear to its length: %s", (_what, make) => {
  const condition = { argument: "command", matches: [`*${"rm -".repeat(40)}!`, "*r*m*f*!", "* *!"] };
  const text = JSON.stringify(make(1_000_000));
  denies(condition, JSON.stringify(make(100_000)));
  const started = performance.now();
  expect(denies(condition, text)).toBe(false);
  expect(performance.now() - started).toBeLessThan(1500);
});
