import { expect, test } from "vitest";
import { expandVariables, isVariable } from "./expand.ts";

const env = { HOST: "gpu-1", EMPTY: "", NESTED: "$" + "{HOST}", PRICE: "$&$1" };
// Spelt apart, so that it is plain which ones are the file's.
const ref = (inside: string) => `$\{${inside}}`;

test.each([
  ["no variables", "no variables"],
  [`http://${ref("HOST")}:8000`, "http://gpu-1:8000"],
  [`${ref("HOST")}${ref("HOST:-x")}`, "gpu-1gpu-1"],
  [ref("NOWHERE:-other"), "other"],
  [ref("NOWHERE:-"), ""],
  [ref("EMPTY:-other"), "other"],
  [ref("EMPTY"), ""],
  [ref("NOWHERE:-a:-b"), "a:-b"],
  [ref("NESTED"), ref("HOST")],
  [ref("PRICE"), "$&$1"],
  [`$${ref("HOST")}`, ref("HOST")],
  ["costs $5 {x}", "costs $5 {x}"],
])("%s becomes %s", (text, expanded) => {
  expect(expandVariables(text, env)).toEqual({ text: expanded, problems: [] });
});

test.each([
  [ref("NOWHERE"), "the environment variable NOWHERE is not set"],
  [ref("toString"), "the environment variable toString is not set"],
  [ref("a-b"), "is not a variable"],
  [ref(""), "is not a variable"],
  ["${", "is not a variable"],
])("%s is a problem", (text, problem) => {
  expect(expandVariables(text, env).problems.join()).toContain(problem);
});

test("a secret is one variable and nothing else", () => {
  expect([ref("KEY"), ref("KEY:-")].map(isVariable)).toEqual([true, true]);
  expect(["sk-1", `Bearer ${ref("KEY")}`, ref("KEY:-sk-1"), ""].map(isVariable)).toEqual([false, false, false, false]);
});
