import { matchesSome } from "./conditions.ts";

/** Texts that match a pattern of each list of `all`, and none of `none`. With an empty `all`, a missing header counts too. */
export interface Texts {
  readonly all: readonly (readonly string[])[];
  readonly none: readonly string[];
}

/** Can no text be in it? True is certain; false may be too careful with several wildcards. `universe` = every text there is. */
export function isEmptyText({ all, none }: Texts, mayBeMissing: boolean, universe?: readonly string[]): boolean {
  const fits = (text: string) => all.every((list) => matchesSome(list, text)) && !matchesSome(none, text);
  if (universe !== undefined) return !universe.some(fits);
  if (all.length === 0) return !mayBeMissing && none.some((pattern) => /^\*+$/.test(pattern));
  const impossible = (pattern: string) => {
    if (!isWildcard(pattern)) return !fits(pattern);
    if (none.some((other) => covers(other, pattern))) return true;
    return all.some((list) => list.every((other) => areDisjoint(pattern, other)));
  };
  return all.some((list) => list.every(impossible));
}

function isWildcard(pattern: string): boolean {
  return pattern.startsWith("*") || pattern.endsWith("*");
}

/** The text between the stars. */
function fixedPart(pattern: string): string {
  return pattern.replace(/^\*/, "").replace(/\*$/, "");
}

/** Does everything that matches `inner`, a wildcard, match `outer`, too? */
function covers(outer: string, inner: string): boolean {
  if (!isWildcard(outer)) return false;
  const [a, b] = [fixedPart(outer), fixedPart(inner)];
  if (outer.startsWith("*") && outer.endsWith("*")) return b.includes(a);
  if (outer.endsWith("*")) return !inner.startsWith("*") && b.startsWith(a);
  return !inner.endsWith("*") && b.endsWith(a);
}

function areDisjoint(pattern: string, other: string): boolean {
  if (!isWildcard(other)) return !matchesSome([pattern], other);
  const [a, b] = [fixedPart(pattern), fixedPart(other)];
  const [beginA, beginB] = [!pattern.startsWith("*"), !other.startsWith("*")];
  const [endA, endB] = [!pattern.endsWith("*"), !other.endsWith("*")];
  if (beginA && beginB && !a.startsWith(b) && !b.startsWith(a)) return true;
  return endA && endB && !a.endsWith(b) && !b.endsWith(a);
}
