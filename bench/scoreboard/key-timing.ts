import { compileStore } from "../../apps/gateway/src/config/compile-store.ts";
import { createRequestLog } from "../../apps/gateway/src/signals/request-log.ts";
import { createConnection } from "../../apps/gateway/src/store/connection.ts";
import { startRedis } from "../../apps/gateway/src/store/test-redis.ts";
import type { KeyRecord } from "../../apps/gateway/src/teams/key-record.ts";
import { createKey, createKeyIndex, openTeam } from "../../apps/gateway/src/teams/keys.ts";
import { followStoredKeys, type StoredKeys } from "../../apps/gateway/src/teams/stored-keys.ts";
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

/** Keys of the store beside the one that is guessed at. */
const STORED = 10_000;

/** Does the time of a look-up tell how much of a key is right, of one in the policy file or one in Redis among many? */
export const keyTiming: Measure = {
  title: "largest |t| between the look-up times of wrong keys with a right prefix, a wrong one, and random ones",
  target: `|t| < ${LIMIT} over 200,000 samples, of keys in the file and of keys in Redis`,
  async run({ size, seed }) {
    const inFile = createKey();
    const inStore = createKey();
    const samples = size === "full" ? 200_000 : 60_000;
    const stored = await storedKeys(inStore.hash);
    try {
      const known = { hash: inFile.hash, id: "all", name: undefined, expiresAt: Number.POSITIVE_INFINITY };
      const team = { ...openTeam, name: "all", keys: [known] };
      const index = createKeyIndex(new Map([[team.name, team]]), { more: stored.keys });
      for (const { key } of [inFile, inStore])
        if (!index.identify(`Bearer ${key}`).ok) throw new Error("a right key is not taken");
      const lookUp = (tried: string): boolean => index.identify(tried).ok;
      const ofFile = largestT(lookUp, { key: inFile.key, samples, seed });
      const ofStore = largestT(lookUp, { key: inStore.key, samples, seed: seed + 1 });
      // Can it see what it looks for? A look-up that compares letter by letter must show.
      const { key } = inFile;
      const ofALeakyLookUp = largestT((tried) => equalByLetters(tried, `Bearer ${key}`), { key, samples, seed });
      const value = Math.max(ofFile, ofStore);
      const ok = value < LIMIT && ofALeakyLookUp > LIMIT;
      return { value, ok, details: { samples, ofFile, ofStore, ofALeakyLookUp, keys: stored.keys.size + 1 } };
    } finally {
      await stored.close();
    }
  },
};

/** The keys of a real Redis, as a gateway has them: this one, and many that nobody knows. */
async function storedKeys(hash: string): Promise<{ readonly keys: StoredKeys; close(): Promise<void> }> {
  const redis = await startRedis();
  const config = compileStore(redis.url, { files: new Map(), paths: [], folder: "/" });
  const connection = config === "memory" ? undefined : createConnection(config);
  if (connection === undefined) throw new Error("the store is no Redis");
  const log = createRequestLog({ form: "silent" });
  const keys = followStoredKeys({ connection, log, now: () => performance.now() });
  await keys.first;
  const never = { expires: undefined, retires: undefined, revoked: undefined, revision: 1 };
  const hashes = [hash, ...Array.from({ length: STORED }, () => createKey().hash)];
  const records = hashes.map((each): KeyRecord => {
    return { hash: each.slice("sha256:".length), team: "all", name: undefined, created: Date.now(), ...never };
  });
  await keys.refresh();
  if (!(await keys.write(records))) throw new Error("the keys were not written");
  return {
    keys,
    async close() {
      keys.close();
      connection.close();
      await redis.close();
    },
  };
}

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
