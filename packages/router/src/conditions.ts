import type { Features } from "./features.ts";
import { type Comparison, type Condition, complexities } from "./policy.ts";

/** Does a request meet a condition: every key that it gives? What costs nothing is asked first, complexity last. */
export function matches(condition: Condition, features: Features): boolean {
  const { team, model, header, tokens, complexity, any, not } = condition;
  if (team !== undefined && !matchesSome(team, features.team)) return false;
  if (model !== undefined && !matchesSome(model, features.model)) return false;
  if (condition.has_tools !== undefined && condition.has_tools !== features.hasTools) return false;
  if (condition.has_images !== undefined && condition.has_images !== features.hasImages) return false;
  if (condition.json_schema !== undefined && condition.json_schema !== features.jsonSchema) return false;
  if (tokens !== undefined && !compare(features.tokens, tokens)) return false;
  if (header !== undefined && !matchesHeaders(header, features)) return false;
  if (not !== undefined && matches(not, features)) return false;
  if (any !== undefined && !any.some((part) => matches(part, features))) return false;
  return complexity === undefined || matchesComplexity(complexity, features);
}

/** What made a condition match, in a few words: `complexity simple, tokens 14`. Empty for a rule without a condition. */
export function describeMatch(condition: Condition, features: Features): string {
  const parts: string[] = [];
  if (condition.team !== undefined) parts.push(`team ${features.team}`);
  if (condition.model !== undefined) parts.push(`model ${features.model}`);
  if (condition.has_tools !== undefined) parts.push(features.hasTools ? "tools" : "no tools");
  if (condition.has_images !== undefined) parts.push(features.hasImages ? "images" : "no images");
  if (condition.json_schema !== undefined) parts.push(features.jsonSchema ? "json" : "no json");
  if (condition.complexity !== undefined) parts.push(`complexity ${features.complexity().complexity}`);
  if (condition.tokens !== undefined) parts.push(`tokens ${features.tokens}`);
  // Names only: what a header holds is the client's.
  for (const name of Object.keys(condition.header ?? {})) parts.push(`header ${name}`);
  const met = condition.any?.find((part) => matches(part, features));
  if (met !== undefined) parts.push(describeMatch(met, features));
  if (condition.not !== undefined) parts.push(`not ${Object.keys(condition.not).join("+")}`);
  return parts.filter((part) => part !== "").join(", ");
}

/** Is a rule meant for requests that name a model, too? */
export function namesModel(condition: Condition): boolean {
  return condition.model !== undefined || (condition.any?.every(namesModel) ?? false);
}

/** Is a text one of the patterns? `*` at the beginning or the end stands for any text. Upper and lower case differ. */
export function matchesSome(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, text));
}

function matchesPattern(pattern: string, text: string): boolean {
  const open = pattern.startsWith("*");
  if (!pattern.endsWith("*")) return open ? text.endsWith(pattern.slice(1)) : text === pattern;
  return open ? text.includes(pattern.slice(1, -1)) : text.startsWith(pattern.slice(0, -1));
}

function matchesHeaders(headers: Readonly<Record<string, readonly string[]>>, features: Features): boolean {
  for (const name of Object.keys(headers)) {
    const value = features.header(name);
    if (value === undefined || !matchesSome(headers[name]!, value)) return false;
  }
  return true;
}

function matchesComplexity({ op, value }: NonNullable<Condition["complexity"]>, features: Features): boolean {
  const rank = complexities.indexOf(features.complexity().complexity);
  return compare(rank, { op, value: complexities.indexOf(value) });
}

/** `actual op value`. */
export function compare(actual: number, { op, value }: Comparison<number>): boolean {
  if (op === "<") return actual < value;
  if (op === "<=") return actual <= value;
  if (op === "==") return actual === value;
  return op === ">=" ? actual >= value : actual > value;
}
