/** The nearest of `allowed` to a mistyped word; undefined when nothing is near enough to be a likely slip. */
export function suggest(word: string, allowed: Iterable<string>): string | undefined {
  const wanted = plain(word);
  if (wanted.length === 0 || word.length > 256) return undefined;
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of allowed) {
    const other = plain(candidate);
    const distance = wanted === other ? 0 : related(wanted, other) ? 1 : editDistance(wanted, other);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return bestDistance <= Math.max(1, Math.floor(wanted.length / 3)) ? best : undefined;
}

/** ` (did you mean «x»?)`, or nothing when no word is near. */
export function didYouMean(word: string, allowed: Iterable<string>): string {
  const near = suggest(word, allowed);
  return near === undefined ? "" : `; did you mean «${near}»?`;
}

const plain = (word: string) => word.toLowerCase().replaceAll(/[-_.\s]/g, "");

/** One is the beginning of the other (`timeout`, `timeouts`; `concurrency`, `concurrent` are left to the distance). */
function related(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length >= 4 && long.startsWith(short);
}

/** Damerau-Levenshtein distance (optimal string alignment): insert, delete, replace, swap two neighbours. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
