/**
 * The texts that a deny rule looks at: what stands at `path` in a call's arguments. Every form is given in which a pattern
 * may fit, with runs of whitespace made one space and none at the ends:
 * - the whole value; a value that is no string as its JSON text
 * - each line of it, since a text of many lines may be a script
 * - of an array: each item, and its items joined with spaces if all are plain (a command given as a list of words)
 *
 * `path` is a name or a dotted path into nested objects; arrays on the way stand for each of their items. Throws RangeError
 * when values are nested too deep for the stack.
 */
export function argumentTexts(root: object, path: string): readonly string[] {
  const byPath = read.get(root) ?? new Map<string, readonly string[]>();
  read.set(root, byPath);
  const texts = byPath.get(path) ?? valuesAt(root, path).flatMap(formsOf).flatMap(linesOf);
  byPath.set(path, texts);
  return texts;
}

/** Texts that were made already: most rules ask for the same few arguments. */
const read = new WeakMap<object, Map<string, readonly string[]>>();

/** Runs of whitespace as one space; none at the ends. */
export function evenSpace(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function valuesAt(root: object, path: string): unknown[] {
  const walked = path
    .split(".")
    .reduce<unknown[]>((found, name) => found.flatMap((value) => membersOf(value, name)), [root]);
  // A name may itself hold a dot.
  return path.includes(".") ? [...walked, ...membersOf(root, path)] : walked;
}

function membersOf(value: unknown, name: string): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => membersOf(item, name));
  return Object.hasOwn(value, name) ? [(value as Record<string, unknown>)[name]] : [];
}

function formsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) return [JSON.stringify(value)];
  const isPlain = value.every((item) => typeof item !== "object" || item === null);
  return [...value.flatMap(formsOf), ...(isPlain ? [value.map(String).join(" ")] : [])];
}

function linesOf(text: string): string[] {
  // A backslash at a line's end continues it, in every shell.
  const joined = text.replace(/\\\r?\n/g, " ");
  const lines = joined.split(/[\r\n\u2028\u2029]+/);
  return lines.length === 1 ? [evenSpace(joined)] : [joined, ...lines].map(evenSpace);
}
