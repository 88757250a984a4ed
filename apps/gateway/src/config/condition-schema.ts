import {
  type Comparison,
  type Complexity,
  comparisons,
  complexities,
  type Condition as RouterCondition,
} from "@signalbox/router";
import { z } from "zod";
import { section, show } from "./fields.ts";
import { didYouMean } from "./suggest.ts";
import { parseCount, unitForms } from "./units.ts";

/** Where the keys `header.x-name` of a condition are gathered while it is checked. */
export const headerKey = "header.*";

const texts = () =>
  z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
      error: ({ input }) => `expected a text or a list of texts, not ${show(input)}`,
    })
    .transform((value): readonly string[] => (typeof value === "string" ? [value] : value));

const otherWords: Readonly<Record<string, Complexity>> = {
  easy: "simple",
  low: "simple",
  medium: "moderate",
  hard: "complex",
  high: "complex",
};

const complexity = z
  .string({ error: ({ input }) => `expected a complexity such as simple or ">= moderate", not ${show(input)}` })
  .transform((text, context): Comparison<Complexity> => {
    const { op, rest } = splitComparison(text);
    const value = complexities.find((name) => name === rest);
    if (value && op) return { op, value };
    const near = didYouMean(otherWords[rest.toLowerCase()] ?? rest, complexities);
    context.addIssue({
      code: "custom",
      message: `expected ${complexities.join(", ")}, or one of them after <, <=, ==, >= or >, not ${show(text)}${near}`,
    });
    return z.NEVER;
  })
  .meta({ pattern: `^\\s*(<|<=|==|>=|>)?\\s*(${complexities.join("|")})\\s*$` });

const tokens = z
  .union([z.string(), z.int()], { error: ({ input }) => `expected a comparison such as "< 2k", not ${show(input)}` })
  .transform((input, context): Comparison<number> => {
    const { op, rest } = splitComparison(String(input));
    const value = parseCount(rest);
    if (value !== undefined && op) return { op, value };
    context.addIssue({
      code: "custom",
      message: `expected <, <=, ==, >= or > and ${unitForms.count}, such as "< 2k", not ${show(input)}`,
    });
    return z.NEVER;
  })
  .meta({ value: "text", pattern: "^\\s*(<|<=|==|>=|>)?\\s*\\d+(\\.\\d+)?[kMG]?\\s*$" });

function splitComparison(text: string): { op: (typeof comparisons)[number] | undefined; rest: string } {
  const match = /^\s*([<>=!~]*)\s*(.*?)\s*$/s.exec(text) as RegExpExecArray;
  const sign = match[1] === "" || match[1] === "=" ? "==" : match[1];
  return { op: comparisons.find((op) => op === sign), rest: match[2] as string };
}

const headerName = z
  .string()
  .regex(/^[a-z0-9!#$%&'+^_`|~-][a-z0-9!#$%&'+^_`|~.-]*$/, "a header's name is lower case: header.x-name");

const shape = {
  team: texts().optional().describe("The name of the team; `*` at the beginning or the end stands for any text."),
  model: texts()
    .optional()
    .describe("The model name as the client sent it; `*` at the beginning or the end stands for any text."),
  complexity: complexity
    .optional()
    .describe("`simple`, `moderate` or `complex`, alone or after `<`, `<=`, `==`, `>=`, `>`."),
  tokens: tokens.optional().describe("Estimated tokens of the prompt: a count after `<`, `<=`, `==`, `>=`, `>`."),
  has_tools: z.boolean().optional().describe("The request offers tools."),
  has_images: z.boolean().optional().describe("The request holds images."),
  json_schema: z.boolean().optional().describe("The request wants an answer that follows a JSON Schema."),
  [headerKey]: z
    .record(headerName, texts())
    .meta({ value: "text or list" })
    .optional()
    .describe("Values of a request header, its name in lower case; `*` as above."),
};

/** A rule's `when` as it is written; gives the router's condition. */
export const Condition: z.ZodType<RouterCondition> = z
  .lazy(() => z.preprocess(gatherHeaders, Written))
  .meta({ id: "condition" });

const Written = section({
  ...shape,
  any: z
    .array(Condition)
    .min(1, "expected at least one condition")
    .optional()
    .describe("Conditions of which at least one holds."),
  not: Condition.optional().describe("A condition that does not hold."),
}).transform(({ [headerKey]: header, ...rest }) => withoutUndefined({ ...rest, header }) as RouterCondition);

function gatherHeaders(input: unknown): unknown {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return input;
  const entries = Object.entries(input);
  const isHeader = ([key]: [string, unknown]) => key.startsWith("header.");
  if (!entries.some(isHeader)) return input;
  return {
    ...Object.fromEntries(entries.filter((entry) => !isHeader(entry))),
    [headerKey]: Object.fromEntries(
      entries.filter(isHeader).map(([key, value]) => [key.slice("header.".length), value]),
    ),
  };
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}
