import type { BackendState, Holder } from "./backend-state.ts";
import { type Claimant, priorityWeights } from "./fair-queue.ts";

/** A holder counts among those who share a backend for so long after its last attempt began. */
const ACTIVE_MS = 10_000;
/** Share of a backend's slots that is kept for those who have less than their share of it. */
const KEPT_SHARE = 0.1;
/** With fewer slots than this none is kept. */
const LEAST_SLOTS = 4;

/** What a claimant's share of slots is measured by: its weight among all teams, whatever their priorities. */
export function holderOf({ team, weight, priority }: Claimant): Holder {
  return { name: team, weight: weight * priorityWeights[priority] };
}

/** How many slots of a backend are kept for those who have less than their share of it. */
export function keptSlots(maxConcurrent: number): number {
  if (!Number.isFinite(maxConcurrent) || maxConcurrent < LEAST_SLOTS) return 0;
  return Math.max(1, Math.floor(maxConcurrent * KEPT_SHARE));
}

/**
 * Would one more attempt be more than a holder's share of a backend, by weight, among all who have used it lately? Nobody
 * is over its share who is alone, or who has nothing.
 */
export function isOverShare(backend: BackendState, { name, weight }: Holder, now: number): boolean {
  let others = 0;
  let own = 0;
  for (const [other, { held, weight, seenAt }] of backend.holdings) {
    if (other === name) own = held;
    else if (held > 0 || now - seenAt < ACTIVE_MS) others += weight;
  }
  if (others === 0) return false;
  return own + 1 > Math.ceil((backend.maxConcurrent * weight) / (others + weight));
}
