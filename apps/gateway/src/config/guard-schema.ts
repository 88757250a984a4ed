import { guardActions } from "@signalbox/adapter";
import { z } from "zod";
import { oneOf, section, show } from "./fields.ts";

const longestPattern = 256;

const pattern = () =>
  z
    .string()
    .regex(/\S/, "expected a pattern, not an empty text")
    .max(longestPattern, `a pattern has at most ${longestPattern} characters`)
    .meta({ value: "pattern" });

const Condition = section({
  argument: z
    .string()
    .regex(/\S/, "expected an argument's name, not an empty text")
    .describe("Name of an argument, or a dotted path into nested ones."),
  matches: z
    .union([pattern(), z.array(pattern()).min(1, "expected at least one pattern")], {
      error: ({ input }) => `expected a pattern or a list of patterns, not ${show(input)}`,
    })
    .transform((value): readonly string[] => [value].flat())
    .describe("Patterns for its whole value (`*`, `?`); one of them fits."),
  ignore_case: z.boolean().default(false).describe("Upper and lower case are the same."),
});

const DenyEntry = section({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, "a rule's name has 1 to 64 letters, digits, «_», «.» or «-»")
    .optional()
    .describe("Shown as the reason; the rule's place in the file unless given."),
  tool: pattern().describe("The names of the tools, case-sensitive; `*` is any text and `?` any one character."),
  when: z
    .union([Condition, z.array(Condition).min(1, "expected at least one condition")], {
      error: ({ input }) => `expected { argument, matches } or a list of such, not ${show(input)}`,
    })
    .transform((value) => [value].flat())
    .optional()
    .describe(
      "`{ argument, matches, ignore_case }`, or several that must all hold. Every call of the tool is denied unless given.",
    ),
  action: oneOf(guardActions.filter((action) => action !== "pass") as ["flag", "escalate", "reject"])
    .default("reject")
    .describe("What becomes of a reply with such a call."),
});

/** What a model's or a team's tool calls are held to. */
export const GuardSection = section({
  schema: oneOf(guardActions)
    .default("pass")
    .describe("When a call's arguments do not fit the tool's declared JSON Schema. See [the guard](guard.md)."),
  undeclared: oneOf(guardActions).default("pass").describe("When the request does not declare the tool."),
  deny: z.array(DenyEntry).default([]).describe("Calls that nobody may make."),
}).meta({ id: "guard" });
export type GuardSection = z.infer<typeof GuardSection>;
