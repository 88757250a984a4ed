import type { BackendState, Holder } from "./backend-state.ts";

/** A holder counts among those who share a backend for so long after its last attempt began. */
const ACTIVE_MS = 10_000;
/** Share of a backend's slots that is kept for those who have less than their share of it. */
const KEPT_SHARE = 0.1;
/** With fewer slots than this none is kept. */
const LEAST_SLOTS = 4;

/** How many slots of a backend are kept for those who have less than their share of it. */
export function keptSlots(maxConcurrent: number): number {
  if (!Number.isFinite(maxConcurrent) || maxConcurrent < LEAST_SLOTS) return 0;
  return Math.max(1, Math.floor(maxConcurrent * KEPT_SHARE));
}

/**
 * Would one more attempt be more than a holder's share of a backend, by weight, among all who have used it lately? Nobody
 * is over its share who is alone. `last`: it has no claim to what is kept, where it is not alone.
 */
export function isOverShare(backend: BackendState, { name, weight }: Holder, now: number, last = false): boolean {
  let others = 0;
  let own = 0;
  for (const [other, { held, weight, seenAt }] of backend.holdings) {
    if (other === name) own = held;
    else if (held > 0 || now - seenAt < ACTIVE_MS) others += weight;
  }
  if (others === 0) return false;
  return last || own + 1 > Math.ceil((backend.maxConcurrent * weight) / (others + weight));
}
