import path from "node:path";
import type { Budget, BudgetMeter, ModelPrice, UsageConfig } from "./config.ts";
import type { ConfigFile } from "./schema.ts";

const FREE = Object.freeze({ nano: 0, rest: 0 });
const DEFAULT_KEEP_DAYS = 92;

/** What tokens cost, by the model's name. */
export function compilePrices(file: ConfigFile): ReadonlyMap<string, ModelPrice> {
  return new Map(
    Object.entries(file.models).flatMap(([name, { cost }]): [string, ModelPrice][] =>
      cost === undefined ? [] : [[name, Object.freeze({ input: cost.input, output: cost.output ?? FREE })]],
    ),
  );
}

/** Where usage is written, from the folder of the config file on. */
export function compileUsage({ usage }: ConfigFile, folder: string): UsageConfig {
  return Object.freeze({
    folder: usage?.folder === undefined ? undefined : path.resolve(folder, usage.folder),
    keepDays: usage?.keep ?? DEFAULT_KEEP_DAYS,
  });
}

/** A team's budgets, one for each meter and period. */
export function compileBudgets(entry: NonNullable<ConfigFile["teams"]>[string]["budget"]): readonly Budget[] {
  return (Object.entries(entry) as [BudgetMeter, (typeof entry)[BudgetMeter]][]).flatMap(([meter, amounts]) =>
    amounts.map(({ amount, every }): Budget => Object.freeze({ meter, every, limit: amount })),
  );
}
