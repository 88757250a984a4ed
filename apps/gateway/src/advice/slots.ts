import type { BackendHistory, BackendSlice } from "./load-history.ts";
import { workOf } from "./offered-load.ts";

/** How many requests a backend can work on at once, and who says so. */
export interface Slots {
  readonly count: number;
  /**
   * `kv_cache`: its cache would be full with so many. `engine_queue`: it kept others waiting with so many. `reached`: nobody
   * tells, and it had so many at most.
   */
  readonly from: "max_concurrent" | "engine" | "kv_cache" | "engine_queue" | "reached";
}

/** From that use of the KV cache on it is reckoned how many requests would fill it. */
const KV_TELLING = 0.5;
/** An engine keeps requests waiting: not for a moment, but on average. */
const QUEUE_STANDS = 1;

/** What is said of a backend's slots, or less where its engine shows that it cannot do so much. */
export function slotsOf({ slots, slots_from, slices }: BackendHistory): Slots {
  const limits: Slots[] = slots === null || slots_from === null ? [] : [{ count: slots, from: slots_from }];
  const full = slices.flatMap(({ kv_use, running }) =>
    kv_use !== null && running !== null && kv_use >= KV_TELLING && running >= 1 ? [running / kv_use] : [],
  );
  if (full.length > 0) limits.push({ count: full.reduce((sum, one) => sum + one, 0) / full.length, from: "kv_cache" });
  const stuck = slices.filter(({ running, waiting }) => running !== null && (waiting ?? 0) >= QUEUE_STANDS);
  if (stuck.length > 0) limits.push({ count: Math.max(1, ...stuck.map(worked)), from: "engine_queue" });
  if (limits.length === 0) limits.push({ count: Math.max(1, ...slices.map(worked)), from: "reached" });
  return limits.reduce((least, one) => (one.count < least.count ? one : least));
}

const worked = (slice: BackendSlice): number => slice.running ?? workOf(slice, null);
