import { z } from "zod";
import { patternProblem } from "../privacy/pattern-cost.ts";
import { redactionNames } from "../privacy/redaction.ts";
import { oneOf, plainName, section, show } from "./fields.ts";

const longestPattern = 256;

const OwnPattern = section({
  name: plainName("pattern").describe("Stands in place of what was found: `[redacted:NAME]`."),
  matches: z
    .string()
    .max(longestPattern, `a pattern has at most ${longestPattern} characters`)
    .superRefine((source, context) => {
      const problem = source.length > longestPattern ? undefined : patternProblem(source);
      if (problem !== undefined) context.addIssue({ code: "custom", message: `${show(source)} ${problem}` });
    })
    .describe("A regular expression in which every repetition has an end, so that no text makes it slow."),
  ignore_case: z.boolean().default(false).describe("Upper and lower case are the same."),
});

const Entry = z.union([oneOf(redactionNames), OwnPattern], {
  error: ({ input }) => `expected one of ${redactionNames.join(", ")}, or { name, matches }, not ${show(input)}`,
});

/** What is taken out of texts before they are written down: built-in names, and patterns of one's own. */
export const Redact = z
  .array(Entry)
  .max(32, "at most 32 patterns are taken")
  .meta({
    value: `list of ${redactionNames.map((name) => `\`${name}\``).join(", ")} and \`{ name, matches, ignore_case }\``,
  });
