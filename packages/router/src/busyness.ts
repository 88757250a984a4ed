import type { Candidate } from "./strategy.ts";

/** Stands in where neither the config nor the engine tells a capacity. */
const ASSUMED_CAPACITY = 32;
/** From here on the KV cache is about to evict or queue. */
const KV_TIGHT = 0.8;

/**
 * How busy a candidate is, relative to its capacity: 0 idle, 1 full, more when requests queue in the engine. A model that
 * would have to be loaded first counts as one capacity more, and so does one that answered 429 or 503 last.
 */
export function busyness({ deployment, state, backend }: Candidate): number {
  const { load, warm, inFlight } = backend;
  const capacity = load?.slots || (Number.isFinite(backend.maxConcurrent) ? backend.maxConcurrent : ASSUMED_CAPACITY);
  // The engine's figures include other clients but are a probe old; ours are current but only ours.
  const engine = (load?.running ?? 0) + (load?.waiting ?? 0);
  const kvPressure = Math.max(0, ((load?.kvUse ?? 0) - KV_TIGHT) / (1 - KV_TIGHT));
  const cold = warm !== undefined && !warm.has(deployment.model) ? 1 : 0;
  return Math.max(inFlight, engine) / Math.max(1, capacity) + kvPressure + cold + (state.strained ? 1 : 0);
}
