import { z } from "zod";
import { budget, days, price, section, show } from "./fields.ts";

/** What a model's tokens cost, in whatever currency the budgets are in. */
export const CostSection = section({
  input: price().describe("Price of the prompt's tokens."),
  output: price().optional().describe("Price of the reply's tokens; free unless given."),
});

/** One budget or several with other periods. `decimals`: places of the smallest unit that is counted. */
const budgets = (decimals: number, what: string) =>
  z
    .union([budget(decimals), z.array(budget(decimals)).min(1, "expected at least one budget")], {
      error: ({ input }) => `expected a budget or a list of budgets, not ${show(input)}`,
    })
    .transform((value) => [value].flat())
    .default([])
    .describe(what);

/** Decimal places of a budget's smallest unit: whole tokens, billionths of the currency, milliseconds. */
export const budgetDecimals = { tokens: 0, cost: 9, gpu_seconds: 3 } as const;

/** What a team may use in a day, a week or a month; beyond it requests are refused. */
export const BudgetSection = section({
  tokens: budgets(budgetDecimals.tokens, "Tokens of prompts and replies in a day, a week or a month."),
  cost: budgets(budgetDecimals.cost, "Money, by the `cost` of the models that answer."),
  gpu_seconds: budgets(budgetDecimals.gpu_seconds, "Seconds of one GPU, by the `gpus` of the backends that answer."),
});

/** Where it is written down what each request used. */
export const UsageSection = section({
  folder: z
    .string()
    .min(1, "expected some text, not an empty string")
    .optional()
    .describe("Folder of the usage files, a file for each day; made if it is not there."),
  keep: days().prefault("92d").describe("For how long a day's usage is kept."),
});
