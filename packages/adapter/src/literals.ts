/** What a place in a text may be the beginning of. */
export const PARTIAL = Symbol("partial");

/** A literal, and what it stands for. */
export interface Entry<T> {
  readonly literal: string;
  readonly value: T;
}

/**
 * A literal, what it stands for, and by ASCII code unit what may stand behind it (1), if not everything may. That is a hint
 * for finding literals: `match` does not look at it.
 */
export type Literal<T> = readonly [literal: string, value: T, follows?: Uint8Array | undefined];

const ASCII = 128;
const ROOT = 1;

/**
 * Literals to look for in a text that comes in pieces: a trie in one table, so that a place costs what its text has in
 * common with a literal, whatever the number of literals is. Of the same literal twice, the first counts.
 */
export class LiteralSet<T> {
  readonly entries: readonly Literal<T>[];
  /** 1 for each ASCII code unit that begins a literal. */
  readonly firsts = new Uint8Array(ASCII);
  /** Some literal begins with a code unit beyond ASCII. */
  readonly hasWide: boolean;
  /** The column of each code unit; 0 = no literal has it. */
  readonly #columns = new Uint8Array(ASCII);
  readonly #wideColumns = new Map<number, number>();
  readonly #width: number;
  /** From a state and a column to the next state; 0 = none. */
  readonly #next: Uint16Array;
  /** The literal that ends in a state. */
  readonly #found: readonly (Entry<T> | undefined)[];
  /** 1 for a state from which nothing goes on. */
  readonly #isLast: Uint8Array;

  constructor(entries: readonly Literal<T>[]) {
    this.entries = entries;
    const own = entries.filter(([literal]) => literal !== "");
    let columns = 0;
    let states = ROOT + 1;
    for (const [literal] of own) {
      const first = literal.charCodeAt(0);
      if (first < ASCII) this.firsts[first] = 1;
      states += literal.length;
      for (let at = 0; at < literal.length; at++) {
        const code = literal.charCodeAt(at);
        if (this.#column(code) > 0) continue;
        if (code < ASCII) this.#columns[code] = ++columns;
        else this.#wideColumns.set(code, ++columns);
      }
    }
    this.hasWide = own.some(([literal]) => literal.charCodeAt(0) >= ASCII);
    this.#width = columns + 1;
    const next = new Uint16Array(states * this.#width);
    const found = new Array<Entry<T> | undefined>(ROOT + 1).fill(undefined);
    for (const [literal, value] of own) {
      let state = ROOT;
      for (let at = 0; at < literal.length; at++) {
        const edge = state * this.#width + this.#column(literal.charCodeAt(at));
        if (next[edge] === 0) next[edge] = found.push(undefined) - 1;
        state = next[edge]!;
      }
      found[state] ??= { literal, value };
    }
    this.#next = next.slice(0, found.length * this.#width);
    this.#found = found;
    this.#isLast = Uint8Array.from(found, (_, state) => {
      const row = next.subarray(state * this.#width, (state + 1) * this.#width);
      return row.every((to) => to === 0) ? 1 : 0;
    });
  }

  /** A set in which each literal stands for itself. */
  static of(...literals: readonly string[]): LiteralSet<string> {
    return new LiteralSet(literals.map((literal) => [literal, literal] as const));
  }

  get isEmpty(): boolean {
    return this.#isLast[ROOT] === 1;
  }

  /** May a literal begin with these two code units? */
  mayBegin(first: number, second: number): boolean {
    const state = this.#next[ROOT * this.#width + this.#column(first)]!;
    if (this.#next[state * this.#width + this.#column(second)] !== 0) return true;
    const literal = this.#found[state]?.literal;
    return this.entries.some(([own, , follows]) => own === literal && follows?.[second] !== 0);
  }

  /** The longest literal at `at` of `text`: its entry, `PARTIAL` when the text is too short to tell (never when `ended`), or undefined. */
  match(text: string, at: number, ended: boolean): Entry<T> | typeof PARTIAL | undefined {
    const next = this.#next;
    const columns = this.#columns;
    const width = this.#width;
    const { length } = text;
    let state = ROOT;
    let found: Entry<T> | undefined;
    for (let place = at; place < length; place++) {
      const code = text.charCodeAt(place);
      state = next[state * width + (code < ASCII ? columns[code]! : this.#column(code))]!;
      if (state === 0) return found;
      found = this.#found[state] ?? found;
      if (this.#isLast[state] === 1) return found;
    }
    return ended ? found : PARTIAL;
  }

  #column(code: number): number {
    return code < ASCII ? this.#columns[code]! : (this.#wideColumns.get(code) ?? 0);
  }
}
