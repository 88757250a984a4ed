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

/** Of the 56 random bits of a trace id, the upper half is enough to decide by. */
const RANGE = 2 ** 32;

/**
 * Is a trace among the share (0 to 1) that is sampled? By the rightmost 56 bits of its id, as OpenTelemetry's consistent
 * sampling has it: all that see the trace with the same share decide the same, and a larger share holds the smaller one.
 */
export function isSampled(traceId: string, share: number): boolean {
  if (share >= 1) return true;
  return Number.parseInt(traceId.slice(18, 26), 16) >= (1 - share) * RANGE;
}
