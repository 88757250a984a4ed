import { randomFillSync } from "node:crypto";

const POOL_BYTES = 8192;
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = POOL_BYTES;

/** So many random bytes as hex digits; the generator is asked once for hundreds of them. */
function randomHex(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString("hex", used - bytes, used);
}

// All zeros would be no id; of 2^64 there is one.
/** 32 hex digits. */
export const newTraceId = (): string => randomHex(16);
/** 16 hex digits. */
export const newSpanId = (): string => randomHex(8);

/** Says of a trace id whether its trace is sampled. */
export type Sampler = (traceId: string) => boolean;

/**
 * Samples a share (0 to 1) of all traces by the rightmost 56 bits of their ids, as OpenTelemetry's consistent sampling has
 * it: all that see a trace with the same share decide the same, and a larger share holds the smaller one.
 */
export function createSampler(share: number): Sampler {
  if (share >= 1) return () => true;
  if (share <= 0) return () => false;
  // Hex digits are in the order of their numbers: no number has to be made of them.
  const least = Math.round((1 - share) * 2 ** 56)
    .toString(16)
    .padStart(14, "0");
  return (traceId) => traceId.slice(18) >= least;
}
