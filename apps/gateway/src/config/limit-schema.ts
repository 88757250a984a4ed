import { z } from "zod";
import { count, modelName, rates, section } from "./fields.ts";

const limits = {
  requests: rates().optional().describe("Requests in any window of this length."),
  tokens: rates().optional().describe("Tokens of prompts and replies in any window of this length."),
  input_tokens: rates().optional().describe("Tokens of prompts in any window of this length."),
  output_tokens: rates().optional().describe("Tokens of replies in any window of this length."),
  concurrent: count().optional().describe("Requests under way at once."),
};

/** What may be used, of a model or by a key. */
export const LimitsSection = section(limits);
export type LimitsEntry = z.infer<typeof LimitsSection>;

/** What a team may use: all its keys together, each key, and on a model. */
export const TeamLimits = section({
  ...limits,
  per_key: LimitsSection.optional().describe("What each key may use by itself, within the team's limits."),
  per_model: z
    .record(modelName(), LimitsSection)
    .optional()
    .describe("What the team may use of a model, within its limits."),
});
