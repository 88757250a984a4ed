import { z } from "zod";
import { didYouMean } from "./suggest.ts";
import {
  likelyUnit,
  parseAddress,
  parseBudget,
  parseCount,
  parseDays,
  parseDuration,
  parsePercent,
  parsePrice,
  parseRate,
  parseSize,
  type Unit,
  unitForms,
} from "./units.ts";

// In the JSON Schema a value may also be a variable, which an editor cannot look into.
const orVariable = String.raw`|.*\$\{.*\}.*`;

function unitField<T>(unit: Unit, pattern: string, parse: (text: string) => T | undefined) {
  return z
    .union([z.string(), z.number()], { error: ({ input }) => wrongUnit(unit, input) })
    .transform((value, context): T => {
      const parsed = parse(String(value));
      if (parsed !== undefined) return parsed;
      context.addIssue({ code: "custom", message: wrongUnit(unit, value) });
      return z.NEVER;
    })
    .meta({ unit, pattern: `^(${pattern}${orVariable})$` });
}

function wrongUnit(unit: Unit, value: unknown): string {
  if (value === undefined) return `is missing: expected ${unitForms[unit]}`;
  const text = typeof value === "string" || typeof value === "number" ? String(value) : undefined;
  const near = text === undefined ? undefined : likelyUnit(unit, text);
  return `expected ${unitForms[unit]}, not ${show(value)}${near === undefined ? "" : `; did you mean «${near}»?`}`;
}

/** A value as it is named in an error: short, on one line. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "object") return "a mapping";
  // An address may hold a password; it may stand without an end.
  const text = String(value)
    .replaceAll(/\s+/g, " ")
    .replace(/:\/\/[^/]*@/, "://...@");
  return `«${text.length > 60 ? `${text.slice(0, 57)}...` : text}»`;
}

/** Milliseconds, at least 1: nothing waits without an end. */
export const duration = () =>
  unitField("duration", String.raw`\d+(\.\d+)?(ms|s|m|h)`, (text) => nonZero(parseDuration(text)));
/** Milliseconds, 0 allowed. */
export const durationOrZero = () => unitField("duration", String.raw`\d+(\.\d+)?(ms|s|m|h)`, parseDuration);
/** A whole number of at least 1. */
export const count = () => unitField("count", String.raw`\d+(\.\d+)?[kMG]?`, (text) => nonZero(parseCount(text)));
/** A whole number, 0 allowed. */
export const countOrZero = () => unitField("count", String.raw`\d+(\.\d+)?[kMG]?`, parseCount).meta({ minimum: 0 });
/** `{ limit, windowMs }`. */
const rate = () =>
  unitField("rate", String.raw`\d+(\.\d+)?[kMG]?\s*/\s*(s|min|hour|day)`, (text) => {
    const parsed = parseRate(text);
    return parsed && parsed.limit > 0 ? parsed : undefined;
  });
/** One `{ limit, windowMs }` or more, with windows of different lengths. */
export const rates = () =>
  z.union([
    rate().transform((only) => [only]),
    z
      .array(rate())
      .min(1, "expected at least one rate")
      .superRefine((list, context) => {
        list.forEach(({ windowMs }, index) => {
          const first = list.findIndex((other) => other.windowMs === windowMs);
          if (first === index) return;
          const message = `[${first}] has a window of the same length already: only the smaller limit would ever count`;
          context.addIssue({ code: "custom", message, path: [index] });
        });
      }),
  ]);
/** What a token costs. */
export const price = () => unitField("price", String.raw`\d+(\.\d+)?\s*/\s*[kM]`, parsePrice);
/** `{ amount, every }`, of at least 1 of the smallest unit, which is the `decimals`th place. */
export const budget = (decimals: number) =>
  unitField("budget", String.raw`\d+(\.\d+)?[kMG]?\s*/\s*(day|week|month)`, (text) => {
    const parsed = parseBudget(text, decimals);
    return parsed && parsed.amount > 0 ? parsed : undefined;
  });
/** A number of days, at least 1. */
export const days = () => unitField("days", String.raw`\d{1,4}d`, (text) => nonZero(parseDays(text)));
/** A share from 0 to 1, written as a percentage. */
export const percent = () => unitField("percent", String.raw`\d+(\.\d+)?\s*%`, parsePercent);
/** Bytes, at least 1. */
export const size = () =>
  unitField("size", String.raw`\d+(\.\d+)?(B|KB|MB|GB|KiB|MiB|GiB)`, (text) => nonZero(parseSize(text)));
/** `{ host, port }`. */
export const address = () =>
  unitField("address", String.raw`(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}`, parseAddress);

const nonZero = (value: number | undefined) => (value === 0 ? undefined : value);

/**
 * A mapping in which an unknown key is an error with a suggestion. `later` are keys that the policy language has and this
 * version does not act on: they are refused too, so that nothing is ignored in silence.
 */
export function section<T extends z.ZodRawShape>(shape: T, later: readonly string[] = []) {
  const allowed = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? (issue.keys as string[]).map((key) => unknownKey(key, allowed, later)).join("\n")
        : undefined,
  });
}

function unknownKey(key: string, allowed: readonly string[], later: readonly string[]): string {
  if (later.includes(key)) return `«${key}» is known, but not available in this version; leave it out`;
  return `unknown key «${key}»${didYouMean(key, allowed)} (allowed: ${allowed.join(", ")})`;
}

/** One of `values`. `later` are words that the policy language has and this version does not act on. */
export function oneOf<const T extends readonly [string, ...string[]]>(values: T, later: readonly string[] = []) {
  return z.enum(values, {
    error: ({ input }) => {
      if (
        typeof input === "string" &&
        later.some((word) => input === word || (word.endsWith(":") && input.startsWith(word)))
      ) {
        return `${show(input)} is known, but not available in this version; use ${values.join(" or ")}`;
      }
      if (input === undefined) return `is missing: one of ${values.join(", ")}`;
      const near = typeof input === "string" ? didYouMean(input, values) : "";
      return `${show(input)} is not one of ${values.join(", ")}${near}`;
    },
  });
}

/** A name used as a key, in metric labels and in headers. */
export const plainName = (what: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, `a ${what}'s name has 1 to 64 letters, digits, «_», «.» or «-»`);

/** A model's name as clients send it. */
export const modelName = () =>
  z.string().regex(/^[\x21-\x7e]{1,128}$/, "a model's name has 1 to 128 visible ASCII characters, without spaces");

/** Any text but an empty one. */
export const text = () => z.string().min(1, "expected some text, not an empty string");
