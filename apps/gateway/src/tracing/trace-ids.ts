import { randomFillSync } from "node:crypto";

const pool = Buffer.allocUnsafeSlow(2048);
/** The pool's bytes as hex digits. An id is a part of this text, and keeps all of it: that is why it is short. */
let digits = "";
let used = 0;

/** So many random hex digits; the generator is asked once for dozens of ids. */
function randomHex(count: number): string {
  if (used + count > digits.length) {
    digits = randomFillSync(pool).toString("hex");
    used = 0;
  }
  used += count;
  return digits.slice(used - count, used);
}

// All zeros would be no id; of 2^64 there is one.
/** 32 hex digits. */
export const newTraceId = (): string => randomHex(32);
/** 16 hex digits. */
export const newSpanId = (): string => randomHex(16);

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
