/** What a place in a text may be the beginning of. */
export const PARTIAL = Symbol("partial");

/** A literal, and what it stands for. */
export interface Entry<T> {
  readonly literal: string;
  readonly value: T;
}

/** Entries with the same first code unit: which second ones there are, and the entries, the longest first. */
interface Bucket<T> {
  readonly seconds: Uint8Array;
  readonly wide: boolean;
  readonly entries: readonly Entry<T>[];
}

/**
 * Literals to look for in a text that comes in pieces. A character that begins none of them costs one look in a table,
 * one that begins some costs two, whatever their number is.
 */
export class LiteralSet<T> {
  /** 1 for each ASCII code unit that begins a literal. */
  readonly firsts = new Uint8Array(128);
  /** Some literal begins with a code unit beyond ASCII. */
  readonly hasWide: boolean;
  readonly entries: readonly (readonly [literal: string, value: T])[];
  readonly #buckets = new Map<number, Bucket<T>>();

  constructor(entries: readonly (readonly [literal: string, value: T])[]) {
    this.entries = entries;
    const sorted = entries
      .filter(([literal]) => literal !== "")
      .map(([literal, value]) => ({ literal, value }))
      .sort((a, b) => b.literal.length - a.literal.length);
    this.hasWide = sorted.some(({ literal }) => literal.charCodeAt(0) >= 128);
    for (const [first, own] of Map.groupBy(sorted, ({ literal }) => literal.charCodeAt(0))) {
      if (first < 128) this.firsts[first] = 1;
      const seconds = new Uint8Array(128);
      let wide = false;
      for (const { literal } of own) {
        const second = literal.charCodeAt(1);
        if (Number.isNaN(second)) seconds.fill(1);
        else if (second < 128) seconds[second] = 1;
        if (!(second < 128)) wide = true;
      }
      this.#buckets.set(first, { seconds, wide, entries: own });
    }
  }

  /** A set in which each literal stands for itself. */
  static of(...literals: readonly string[]): LiteralSet<string> {
    return new LiteralSet(literals.map((literal) => [literal, literal] as const));
  }

  get isEmpty(): boolean {
    return this.#buckets.size === 0;
  }

  /** The literal at `at` of `text`: its entry, `PARTIAL` when the text is too short to tell (never when `ended`), or undefined. */
  match(text: string, at: number, ended: boolean): Entry<T> | typeof PARTIAL | undefined {
    const bucket = this.#buckets.get(text.charCodeAt(at));
    if (bucket === undefined) return undefined;
    if (at + 1 < text.length) {
      const second = text.charCodeAt(at + 1);
      if (second < 128 ? bucket.seconds[second] === 0 : !bucket.wide) return undefined;
    }
    for (const entry of bucket.entries) {
      if (text.startsWith(entry.literal, at)) return entry;
      if (!ended && text.length - at < entry.literal.length && entry.literal.startsWith(text.slice(at))) return PARTIAL;
    }
    return undefined;
  }
}
