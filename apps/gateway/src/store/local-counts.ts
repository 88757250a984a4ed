import { Bag, type Bagged } from "../runtime/bag.ts";
import type { Admission, Claim, Reservation, Used } from "../teams/limits.ts";
import { createMemoryStore, type MemoryStore, type MemoryStoreOptions } from "../teams/memory-store.ts";
import type { Quota } from "../teams/quota.ts";
import { LocalShare } from "./local-share.ts";

export interface LocalCountsOptions extends Omit<MemoryStoreOptions, "limitOf"> {
  readonly instances: number;
}

/** Quotas that are known at once; keys of teams that are gone are among them. */
const MOST_KNOWN = 10_000;

/**
 * What this replica counts for itself: all that it admits, so that it knows its own use when Redis goes away, and apart what
 * it admitted while Redis was away, which Redis is told of when it is back.
 */
export class LocalCounts {
  readonly share: LocalShare;
  readonly #options: LocalCountsOptions;
  /** All that this replica admitted. */
  readonly #own: MemoryStore;
  /** What it admitted by itself, and Redis has not been told. */
  #untold: MemoryStore;
  readonly #underWay = new Bag<LocalReservation>();
  readonly #known = new Map<string, Quota>();
  #seen = new WeakSet<readonly Quota[]>();

  constructor(options: LocalCountsOptions) {
    const { now, wallNow, instances, reservationTtlMs: holdMs } = options;
    this.#options = options;
    this.share = new LocalShare({ instances, now, wallNow, holdMs, ownUse: (quota) => this.#own.used(quota) });
    this.#own = createMemoryStore({ ...options, limitOf: (quota) => this.share.limitOf(quota) });
    this.#untold = createMemoryStore(options);
  }

  /** Every quota that a request was counted against of late. */
  get known(): readonly Quota[] {
    return [...this.#known.values()];
  }

  /** What this replica admitted that counts against a quota now. */
  used(quota: Quota): number {
    return this.#own.used(quota);
  }

  /** Remembers what a request is counted against; next to nothing for a list that was seen before. */
  know(quotas: readonly Quota[]): void {
    if (this.#seen.has(quotas)) return;
    if (this.#known.size > MOST_KNOWN) {
      this.#known.clear();
      this.#seen = new WeakSet();
      this.share.forgetTotals();
    }
    this.#seen.add(quotas);
    for (const quota of quotas) this.#known.set(quota.id, quota);
  }

  /** Decides by this replica's share. */
  reserve(claim: Claim): Admission {
    const admission = this.#own.reserve(claim);
    if (claim.quotas.length === 0) return admission;
    const state = { ...admission.state, local: true } as const;
    if (!admission.ok) return { ...admission, state };
    const untold = this.#untold.note(claim);
    const reservation = new LocalReservation(claim, admission.reservation, untold, this.#underWay);
    this.#underWay.add(reservation);
    return { ok: true, reservation, state };
  }

  /** Decides by this replica's share about a request that Redis is asked about, too, and so will know of. */
  reserveOwn(claim: Claim): Admission {
    const admission = this.#own.reserve(claim);
    return admission.ok ? admission : { ...admission, state: { ...admission.state, local: true } };
  }

  /** Counts a request that the shared store admitted. */
  note(claim: Claim): Reservation {
    return this.#own.note(claim);
  }

  /**
   * Hands over what Redis has not been told: what was used, and each request under way, which `adopt` takes over. Then
   * there is nothing more to tell of them.
   */
  takeUntold(adopt: (claim: Claim) => Reservation): readonly (readonly [Quota, number])[] {
    const untold = this.#untold;
    this.#untold = createMemoryStore(this.#options);
    for (const one of [...this.#underWay.items]) one.handOver(adopt(one.claim));
    return this.#amounts(untold);
  }

  /** What this replica has used of every quota, however it was admitted: what to tell a Redis that has lost its data. */
  takeAll(adopt: (claim: Claim) => Reservation): readonly (readonly [Quota, number])[] {
    this.takeUntold(adopt);
    return this.#amounts(this.#own);
  }

  #amounts(store: MemoryStore): (readonly [Quota, number])[] {
    const amounts: (readonly [Quota, number])[] = [];
    for (const quota of this.#known.values()) {
      const amount = store.spent(quota);
      if (amount > 0) amounts.push([quota, amount]);
    }
    return amounts;
  }
}

/** A request that this replica admitted by itself; the shared store may take it over while it is under way. */
class LocalReservation implements Reservation, Bagged {
  place = -1;
  readonly claim: Claim;
  readonly #own: Reservation;
  readonly #underWay: Bag<LocalReservation>;
  #other: Reservation;

  constructor(claim: Claim, own: Reservation, untold: Reservation, underWay: Bag<LocalReservation>) {
    this.claim = claim;
    this.#own = own;
    this.#other = untold;
    this.#underWay = underWay;
  }

  handOver(shared: Reservation): void {
    this.#other = shared;
    this.#underWay.delete(this);
  }

  settle(used: Used): void {
    this.#underWay.delete(this);
    this.#own.settle(used);
    this.#other.settle(used);
  }

  release(): void {
    this.#underWay.delete(this);
    this.#own.release();
    this.#other.release();
  }
}
