import { createKey, createKeyIndex, hashKey } from "../../apps/gateway/src/teams/keys.ts";
import type { Measure } from "./measure.ts";
import { welch } from "./welch.ts";

const LIMIT = 4.5;
const WARM_UP = 20_000;
const BATCH = 500;

/** Letters that are wrong in a key which has a right part: with fewer, its keys would come again and be quicker for that alone. */
const WRONG = 8;
/** Behind `sb-`. */
const FIRST = 3;

/** Wrong keys of three kinds, all of one length. */
const makers = {
  right_prefix: (right, random) => bent(right, right.length - WRONG, right.length, random),
  wrong_prefix: (right, random) => bent(right, FIRST, FIRST + WRONG, random),
  random: (right, random) => bent(right, FIRST, right.length, random),
} as const satisfies Record<string, (right: Buffer, random: () => number) => Buffer>;
type Kind = keyof typeof makers;
const kinds = Object.keys(makers) as Kind[];

/** Does the time of a look-up tell how much of a key is right? */
export const keyTiming: Measure = {
  title: "largest |t| between the look-up times of wrong keys with a right prefix, a wrong one, and random ones",
  target: `|t| < ${LIMIT} over 200,000 samples`,
  async run({ size, seed }) {
    const { key } = createKey();
    const known = { hash: hashKey(key), id: "all", name: undefined, expiresAt: Number.POSITIVE_INFINITY };
    const team = { name: "all", keys: [known], models: undefined, limits: {} };
    const index = createKeyIndex(new Map([[team.name, team]]));
    const samples = size === "full" ? 200_000 : 60_000;
    const value = largestT((tried) => index.identify(tried).ok, { key, samples, seed });
    // Can it see what it looks for? A look-up that compares letter by letter must show.
    const leaky = largestT((tried) => equalByLetters(tried, `Bearer ${key}`), { key, samples, seed });
    return { value, ok: value < LIMIT && leaky > LIMIT, details: { samples, ofALeakyLookUp: leaky } };
  },
};

interface Sampling {
  readonly key: string;
  readonly samples: number;
  readonly seed: number;
}

function largestT(lookUp: (key: string) => boolean, { key, samples, seed }: Sampling): number {
  const random = createRandom(seed);
  const right = Buffer.from(key, "latin1");
  const times: Record<Kind, number[]> = { right_prefix: [], wrong_prefix: [], random: [] };
  for (let done = 0; done < samples + WARM_UP; done += BATCH) {
    // Made beforehand, and the strings in a turn of their own: what was made last, and what lies beside it, is felt in nanoseconds.
    const bytes = Array.from({ length: BATCH }, () => {
      const kind = kinds[Math.floor(random() * kinds.length)]!;
      return { kind, key: makers[kind](right, random) };
    });
    const batch = bytes.map(({ kind, key }) => ({ kind, tried: `Bearer ${key.toString("latin1")}` }));
    for (const { kind, tried } of batch) {
      const began = performance.now();
      const found = lookUp(tried);
      const took = performance.now() - began;
      if (found) throw new Error("a wrong key was taken for a right one");
      if (done >= WARM_UP) times[kind].push(took);
    }
  }
  // Collections and other programs' turns say nothing of keys: what is slower than 99 of 100 is left out of all kinds alike.
  const all = Object.values(times)
    .flat()
    .sort((a, b) => a - b);
  const most = all[Math.floor(all.length * 0.99)]!;
  const kept = kinds.map((kind) => times[kind].filter((time) => time <= most));
  const [a, b, c] = kept as [number[], number[], number[]];
  return Math.max(...[welch(a, b), welch(a, c), welch(b, c)].map(Math.abs));
}

function equalByLetters(a: string, b: string): boolean {
  for (let at = 0; at < a.length; at++) if (a.charCodeAt(at) !== b.charCodeAt(at)) return false;
  return a.length === b.length;
}

function bent(right: Buffer, from: number, to: number, random: () => number): Buffer {
  const bytes = Buffer.from(right);
  for (let at = from; at < to; at++) bytes[at] = 97 + Math.floor(random() * 26);
  return bytes;
}

/** Numbers in [0, 1), the same in every run of a seed. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
