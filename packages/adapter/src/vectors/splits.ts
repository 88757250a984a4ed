/** A text, cut. */
export interface Split {
  readonly name: string;
  readonly pieces: readonly string[];
}

/** How many random splits each text gets. */
const ROUNDS = 20;
/** Pieces of a random split are shorter than this. */
const MAX_PIECE = 12;

/** Ways to cut a text: whole, in two at every place, one code unit at a time, and 20 times at random. */
export function* splits(text: string, seed: number): Generator<Split> {
  yield { name: "whole", pieces: [text] };
  for (let at = 1; at < text.length; at++) yield splitAt(text, at);
  yield oneByOne(text);
  yield* randomSplits(text, seed);
}

/** The same, but of the places where a text is cut in two at most `count`, taken at random. */
export function* someSplits(text: string, seed: number, count: number): Generator<Split> {
  if (text.length <= count) return yield* splits(text, seed);
  const random = seeded(seed);
  yield { name: "whole", pieces: [text] };
  for (let round = 0; round < count; round++) yield splitAt(text, 1 + Math.floor(random() * (text.length - 1)));
  yield oneByOne(text);
  yield* randomSplits(text, seed);
}

function splitAt(text: string, at: number): Split {
  return { name: `cut at ${at}`, pieces: [text.slice(0, at), text.slice(at)] };
}

function oneByOne(text: string): Split {
  return { name: "one code unit at a time", pieces: text.split("") };
}

function* randomSplits(text: string, seed: number): Generator<Split> {
  const random = seeded(seed);
  for (let round = 1; round <= ROUNDS; round++)
    yield { name: `random split ${round}`, pieces: cutAtRandom(text, random) };
}

/** Cuts a text in pieces of 0 to 11 code units. */
export function cutAtRandom(text: string, random: () => number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const next = at + Math.floor(random() * MAX_PIECE);
    pieces.push(text.slice(at, next));
    at = next;
  }
  return pieces;
}

/** Numbers in [0, 1) that a seed determines (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
