/** What makes two calls the same. */
export interface CallIdentity {
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

/** Longer exponents than this many characters are compared as they are written. */
const maxExponentLength = 12;

/** One spelling for each number, exact for any count of digits: `1.0`, `1` and `10e-1` become `1e0`, `-0` becomes `0`. */
function canonicalNumber(source: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  if (exponent.length > maxExponentLength) return source;
  const digits = whole + fraction;
  let from = 0;
  while (digits[from] === "0") from++;
  let to = digits.length;
  while (to > from && digits[to - 1] === "0") to--;
  if (from === to) return "0";
  return `${sign}${digits.slice(from, to)}e${Number(exponent) - fraction.length + (digits.length - to)}`;
}

/** The reviver's third argument, which TypeScript's library does not know yet. */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: Reviver) => unknown;

/** Goes from the leaves to the root: what a list or an object holds is canonical text already. */
function canonicalValue(_key: string, value: unknown, { source }: { readonly source?: string }): string {
  if (typeof value === "number") return canonicalNumber(source ?? String(value));
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  let text = "";
  if (Array.isArray(value)) {
    for (const item of value as string[]) text += `${item},`;
    return `[${text}]`;
  }
  for (const [key, item] of Object.entries(value as Record<string, string>).sort(([a], [b]) => (a < b ? -1 : 1))) {
    text += `${JSON.stringify(key)}:${item},`;
  }
  return `{${text}}`;
}

/**
 * A text that is the same for calls of the same name whose arguments are the same value: key order, whitespace, escapes and
 * the spelling of numbers do not count, and integers of any size are compared exactly. What is no JSON, or is nested too deep
 * for the stack, stands for itself.
 */
export function callKey({ name, arguments: json }: CallIdentity): string {
  let key: string;
  try {
    key = parseWithSource(json, canonicalValue) as string;
  } catch {
    key = json;
  }
  return `${name}\n${key}`;
}

/** The calls do the same thing: same name, and arguments of the same value (see `callKey`, for many calls). */
export function sameCall(a: CallIdentity, b: CallIdentity): boolean {
  return a.name === b.name && (a.arguments === b.arguments || callKey(a) === callKey(b));
}
