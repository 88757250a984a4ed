import type { ModelPrice } from "../config/config.ts";

/**
 * What tokens cost, in billionths of the currency: exact, then rounded up once to a whole number, so that no request is
 * ever more than a billionth too dear. 0 for a model without a price.
 */
export function costOf(price: ModelPrice | undefined, inputTokens: number, outputTokens: number): number {
  if (price === undefined) return 0;
  const { input, output } = price;
  // Sums below 2^53 for up to a thousand million tokens, where a fraction is wanted at all.
  const rest = inputTokens * input.rest + outputTokens * output.rest;
  return inputTokens * input.nano + outputTokens * output.nano + Math.ceil(rest / 1_000_000);
}
