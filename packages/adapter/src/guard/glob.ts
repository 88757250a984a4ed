/** A compiled pattern. */
export interface Glob {
  /** Does the pattern fit the whole text? Time is linear in the text, whatever pattern and text are. */
  fits(text: string): boolean;
}

const STAR = 0x2a;
const QUESTION = 0x3f;

/**
 * Compiles a pattern in which `*` stands for any text and `?` for any one UTF-16 code unit; every other character stands
 * for itself. All ways in which the pattern could fit are followed at once, a bit each, so that nothing is tried twice:
 * a step for every 32 characters of pattern and character of text.
 */
export function compileGlob(pattern: string): Glob {
  const units = [...Array(pattern.length).keys()].map((index) => pattern.charCodeAt(index));
  const length = units.filter((unit) => unit !== STAR).length;
  const words = (length >> 5) + 1;
  // Bit i of a state: the first i characters of the pattern have been met. A star keeps its bit set for good.
  const stars = new Uint32Array(words);
  const anyUnit = new Uint32Array(words);
  const byUnit = new Map<number, Uint32Array>();
  let position = 0;
  for (const unit of units) {
    if (unit === STAR) setBit(stars, position);
    else if (unit === QUESTION) setBit(anyUnit, ++position);
    else {
      if (!byUnit.has(unit)) byUnit.set(unit, new Uint32Array(words));
      setBit(byUnit.get(unit)!, ++position);
    }
  }
  for (const mask of byUnit.values())
    mask.forEach((word, index) => {
      mask[index] = word | anyUnit[index]!;
    });
  const seek = /^\*+([^*?])/.exec(pattern)?.[1];
  const automaton = { length, stars, anyUnit, byUnit, seek, state: new Uint32Array(words) };
  return { fits: (text) => run(text, automaton) };
}

interface Automaton {
  readonly length: number;
  readonly stars: Uint32Array;
  readonly anyUnit: Uint32Array;
  readonly byUnit: ReadonlyMap<number, Uint32Array>;
  /** What a pattern that begins with a star looks for first. */
  readonly seek: string | undefined;
  /** Of the run under way. */
  readonly state: Uint32Array;
}

function run(text: string, { length, stars, anyUnit, byUnit, seek, state }: Automaton): boolean {
  const words = stars.length;
  const endsOpen = hasBit(stars, length);
  state.fill(0);
  state[0] = 1;
  let alive = 1;
  for (let index = 0; index < text.length; index++) {
    // Only the star at the beginning is met: nothing happens before the character behind it.
    if (alive === 1 && seek !== undefined) {
      index = text.indexOf(seek, index);
      if (index < 0) return false;
    }
    if (endsOpen && hasBit(state, length)) return true;
    const mask = byUnit.get(text.charCodeAt(index)) ?? anyUnit;
    let carry = 0;
    alive = 0;
    for (let word = 0; word < words; word++) {
      const before = state[word]!;
      const after = (((before << 1) | carry) & mask[word]!) | (before & stars[word]!);
      carry = before >>> 31;
      state[word] = after;
      alive += after >>> 0;
    }
    if (alive === 0) return false;
  }
  return hasBit(state, length);
}

function setBit(words: Uint32Array, bit: number): void {
  words[bit >> 5]! |= 1 << (bit & 31);
}

function hasBit(words: Uint32Array, bit: number): boolean {
  return (words[bit >> 5]! & (1 << (bit & 31))) !== 0;
}
