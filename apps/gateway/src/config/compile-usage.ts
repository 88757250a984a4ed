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

/** What savings are measured against: the price of the model that the file names, or else the dearest. */
export function compileBaseline(file: ConfigFile): ModelPrice | undefined {
  const prices = compilePrices(file);
  const named = file.defaults.baseline_model;
  if (named !== undefined) {
    const model = Object.entries(file.models).find(([name, { aliases }]) => name === named || aliases.includes(named));
    return prices.get(model?.[0] ?? named);
  }
  return [...prices.values()].sort((one, other) => total(other) - total(one))[0];
}

/** Of a token read and one written, in billionths of the currency. */
const total = ({ input, output }: ModelPrice): number =>
  input.nano + output.nano + (input.rest + output.rest) / 1_000_000;

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
