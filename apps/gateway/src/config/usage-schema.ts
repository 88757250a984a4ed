import { z } from "zod";
import { budget, days, price, section, show, text } from "./fields.ts";

/** What a model's tokens cost, in whatever currency the budgets are in. */
export const CostSection = section({
  input: price().describe("What the tokens of a prompt [cost](usage.md#cost). A model without `cost` is free."),
  output: price().optional().describe("What the tokens of a reply cost; nothing unless given."),
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
  tokens: budgets(
    budgetDecimals.tokens,
    "Tokens of prompts and replies in a day, a week or a month; a list has one of each. What is over [a budget](usage.md#budgets) is answered with 429 `budget_exceeded`.",
  ),
  cost: budgets(budgetDecimals.cost, "Money, by the `cost` of the models that answer."),
  gpu_seconds: budgets(budgetDecimals.gpu_seconds, "Seconds of one GPU, by the `gpus` of the backends that answer."),
});

/** Where it is written down what each request used. */
export const UsageSection = section({
  folder: text()
    .optional()
    .describe(
      "A folder for files of JSON lines, one for each day in UTC; made if it is not there, for its owner alone. Without it usage goes to a stream in Redis where `store` is one, else it is kept nowhere.",
    ),
  keep: days().prefault("92d").describe("For how long a day's usage is kept, in files and in Redis."),
});
