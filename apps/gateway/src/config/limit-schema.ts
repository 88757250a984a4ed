import { z } from "zod";
import { count, modelName, rates, section } from "./fields.ts";

const meanings = {
  requests: "Requests in any window of this length.",
  tokens:
    "Tokens of prompts and replies in any window of this length. Estimated when the request comes, settled when its reply ends.",
  input_tokens: "Tokens of prompts alone.",
  output_tokens: "Tokens of replies alone.",
  concurrent: "Requests under way at once.",
};

const limits = (meaning: (name: keyof typeof meanings) => string) => ({
  requests: rates().optional().describe(meaning("requests")),
  tokens: rates().optional().describe(meaning("tokens")),
  input_tokens: rates().optional().describe(meaning("input_tokens")),
  output_tokens: rates().optional().describe(meaning("output_tokens")),
  concurrent: count().optional().describe(meaning("concurrent")),
});

/** What all teams together may use of a model. */
export const ModelLimits = section(limits((name) => `\`${name}\` of all teams together, as in \`teams\`.`));
export type LimitsEntry = z.infer<typeof ModelLimits>;

/** What a team may use: all its keys together, each key, and on a model. */
export const TeamLimits = section({
  ...limits((name) => meanings[name]),
  per_key: section(limits((name) => `The same \`${name}\`, for each key of the team by itself.`))
    .optional()
    .describe("What each key may use by itself, within the team's limits."),
  per_model: z
    .record(modelName(), section(limits((name) => `The same \`${name}\`, for what the team asks of this model.`)))
    .optional()
    .describe("What the team may use of a model, within its limits."),
});
