/** A guess at a model's size, from its name alone. */
export interface SizeGuess {
  /** Billions of parameters. */
  readonly billions: number;
  /** What the guess rests on: `0.5b in its name`. */
  readonly from: string;
}

/** Families whose names do not tell the size; the first that fits counts. */
const families: readonly (readonly [RegExp, number])[] = [
  [/minimax-?m[12]/, 230],
  [/kimi-?k2/, 1000],
  [/deepseek-?(v3|r1)(?!.*distill)/, 671],
  [/glm-?4\.[5-9](?!.*(air|flash))/, 355],
  [/glm-?4\.[5-9].*air/, 106],
  [/gpt-4|claude|gemini.*pro/, 200],
  [/phi-?\d(\.\d)?-?mini/, 3.8],
  [/phi-?4/, 14],
];

const words: readonly (readonly [RegExp, number])[] = [
  [/(^|[-_.:/])(nano|tiny)/, 1],
  [/(^|[-_.:/])(mini|lite|small|flash)/, 4],
  [/(^|[-_.:/])medium/, 14],
  [/(^|[-_.:/])(large|max|ultra|pro)([-_.:/]|$)/, 100],
];

/** Between small and large: what a name says nothing about is neither. */
const UNKNOWN_BILLIONS = 10;

/** Guesses how large a model is. Of several numbers (`30B-A3B`) the largest counts; `8x7b` is 56. */
export function guessSize(name: string): SizeGuess {
  const lower = name.toLowerCase();
  let best: SizeGuess | undefined;
  for (const [text, times, number, unit] of lower.matchAll(
    /(?<![a-z0-9.])(?:e|(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)([bm])(?![a-z0-9])/g,
  )) {
    const billions = (Number(times ?? 1) * Number(number)) / (unit === "m" ? 1000 : 1);
    if (best === undefined || billions > best.billions) best = { billions, from: `${text} in its name` };
  }
  if (best !== undefined) return best;
  for (const [pattern, billions] of families) {
    const found = pattern.exec(lower);
    if (found) return { billions, from: `${found[0]} is known to have some ${billions}b` };
  }
  for (const [pattern, billions] of words) {
    const found = pattern.exec(lower);
    if (found) return { billions, from: `«${found[0].replace(/[^a-z]/g, "")}» in its name` };
  }
  return { billions: UNKNOWN_BILLIONS, from: "no size in its name" };
}

/** Does its name say that it makes embeddings rather than text? */
export function isEmbeddingModel(name: string): boolean {
  return /embed|(^|[-_/])(bge|gte|e5|minilm)([-_:.]|$)|rerank/.test(name.toLowerCase());
}
