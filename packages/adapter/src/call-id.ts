import { randomFillSync } from "node:crypto";

const idBytes = 12;

// One system call pays for 341 ids.
const pool = Buffer.alloc(idBytes * 341);
let used = pool.length;

/** An id for a call that the model gave none: `call_` and 24 lower-case hex digits of secure randomness. */
export function createCallId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const from = used;
  used += idBytes;
  return `call_${pool.toString("hex", from, used)}`;
}
