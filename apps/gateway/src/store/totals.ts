import type { RedisStore } from "../teams/redis-store.ts";
import type { LocalCounts } from "./local-counts.ts";
import { QUOTAS_AT_ONCE, SILENT_MS, TOTALS_A_BEAT } from "./store-times.ts";
import { within } from "./within.ts";

/** Hears what all replicas together have used of each quota, some quotas a beat, for the day when Redis is away. */
export class Totals {
  readonly #local: LocalCounts;
  readonly #redis: RedisStore;
  #next = 0;

  constructor(local: LocalCounts, redis: RedisStore) {
    this.#local = local;
    this.#redis = redis;
  }

  /** Gives up when `isWanted` no longer holds. Rejects when Redis does not answer. */
  async hear(isWanted: () => boolean): Promise<void> {
    const { known, share } = this.#local;
    const from = this.#next < known.length ? this.#next : 0;
    this.#next = from + TOTALS_A_BEAT;
    for (let at = from; at < Math.min(known.length, this.#next); at += QUOTAS_AT_ONCE) {
      const some = known.slice(at, Math.min(at + QUOTAS_AT_ONCE, this.#next));
      // Before the totals: what is admitted meanwhile is taken for the others' rather than for nobody's.
      const own = some.map((quota) => this.#local.used(quota));
      const totals = await within(SILENT_MS, this.#redis.used(some));
      if (!isWanted()) return;
      share.hearTotals(some, totals, own);
    }
  }
}
