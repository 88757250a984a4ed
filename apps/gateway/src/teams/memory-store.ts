import { Bag, type Bagged } from "../runtime/bag.ts";
import { amountOf, estimatesOf } from "./amounts.ts";
import { type Counter, createCounter, UNTIL_SOMETHING_ENDS } from "./counters.ts";
import { HoldTimes } from "./hold-times.ts";
import type { Admission, Claim, LimitState, LimitStore, Reservation, Used } from "./limits.ts";
import type { Quota } from "./quota.ts";
import { refusalOf } from "./refusal.ts";
import { tightest } from "./tightest.ts";

export interface MemoryStoreOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970, for what counts by the calendar. */
  readonly wallNow: () => number;
  /** What nobody gave back is free again after this time; longer than any request may take. */
  readonly reservationTtlMs: number;
  /** What of a quota may be used here: a whole number of at least 0 that may change at any time. All of it unless given. */
  readonly limitOf?: (quota: Quota) => number;
}

/** A store in this process, which can also take over from another one. */
export interface MemoryStore extends LimitStore {
  reserve(claim: Claim): Admission;
  /** Counts a request that was admitted elsewhere, whether it fits or not. */
  note(claim: Claim): Reservation;
  /** What counts against a quota now, with what is held. */
  used(quota: Quota): number;
  /** What counts against a quota now, without what is only held. */
  spent(quota: Quota): number;
  /** Counts `amount` as used now; slots are not used up, so theirs stays as it is. */
  seed(quota: Quota, amount: number): void;
  /** Quotas that something was counted for of late. */
  readonly size: number;
}

/** Counters that are looked through for empty ones when there are more of them; then when there are twice those left. */
const MIN_SWEPT = 1024;

const unlimited: Admission & { readonly ok: true } = Object.freeze({
  ok: true,
  reservation: Object.freeze({ settle: () => {}, release: () => {} }),
  state: Object.freeze({}),
});

/** Counts in this process: a few microseconds a request, a kilobyte a quota, nothing admitted over a limit. */
export function createMemoryStore(options: MemoryStoreOptions): MemoryStore {
  return new Counts(options);
}

class Counts implements MemoryStore {
  readonly now: () => number;
  readonly holdTimes = new HoldTimes();
  /** Those that hold something. */
  readonly open = new Bag<MemoryReservation>();
  readonly #wallNow: () => number;
  readonly #ttlMs: number;
  readonly #limitOf: (quota: Quota) => number;
  readonly #counters = new Map<string, Counter>();
  #sweepAt = MIN_SWEPT;
  /** No open reservation expires before. */
  #expiresFirst = Number.POSITIVE_INFINITY;

  constructor({ now, wallNow, reservationTtlMs, limitOf = ({ limit }) => limit }: MemoryStoreOptions) {
    this.now = now;
    this.#wallNow = wallNow;
    this.#ttlMs = reservationTtlMs;
    this.#limitOf = limitOf;
  }

  get size(): number {
    return this.#counters.size;
  }

  reserve(claim: Claim): Admission {
    const { quotas } = claim;
    if (quotas.length === 0) return unlimited;
    const time = this.now();
    const amounts = estimatesOf(claim, this.#limitOf);
    const short = this.#shortOf(quotas, amounts, time);
    if (short === undefined) {
      const reservation = this.#take(quotas, amounts, time);
      return { ok: true, reservation, state: this.#stateOf(quotas, time) };
    }
    const { quota, waitMs } = short;
    const refusal = refusalOf({
      quota,
      waitMs,
      limit: this.#limitOf(quota),
      holdMs: this.holdTimes.of(quota),
      time: this.#wallNow(),
    });
    return { ok: false, ...refusal, state: this.#stateOf(quotas, time) };
  }

  note(claim: Claim): Reservation {
    if (claim.quotas.length === 0) return unlimited.reservation;
    return this.#take(claim.quotas, estimatesOf(claim, this.#limitOf), this.now());
  }

  used(quota: Quota): number {
    return this.#counters.get(quota.id)?.used(this.now()) ?? 0;
  }

  spent(quota: Quota): number {
    return this.#counters.get(quota.id)?.spent(this.now()) ?? 0;
  }

  seed(quota: Quota, amount: number): void {
    this.counterOf(quota).seed(this.now(), amount);
  }

  counterOf(quota: Quota): Counter {
    const known = this.#counters.get(quota.id);
    if (known !== undefined) return known;
    if (this.#counters.size >= this.#sweepAt) this.#sweep();
    const counter = createCounter(quota.span, this.#wallNow);
    this.#counters.set(quota.id, counter);
    return counter;
  }

  /** The quota that has no room for longest; one whose wait is known rather than one that waits for others to end. */
  #shortOf(quotas: readonly Quota[], amounts: readonly number[], time: number) {
    let found: { quota: Quota; waitMs: number } | undefined;
    for (let at = 0; at < quotas.length; at++) {
      const quota = quotas[at]!;
      const counter = this.counterOf(quota);
      const limit = this.#limitOf(quota);
      let waitMs = counter.waitMs(time, amounts[at]!, limit);
      if (waitMs === UNTIL_SOMETHING_ENDS && this.#dropExpired(time))
        waitMs = counter.waitMs(time, amounts[at]!, limit);
      if (waitMs !== 0 && waitMs > (found?.waitMs ?? Number.NEGATIVE_INFINITY)) found = { quota, waitMs };
    }
    return found;
  }

  #take(quotas: readonly Quota[], amounts: number[], time: number): MemoryReservation {
    const places: number[] = [];
    let holds = false;
    for (let at = 0; at < quotas.length; at++) {
      const quota = quotas[at]!;
      places.push(this.counterOf(quota).take(time, amounts[at]!));
      if (quota.span.kind !== "window") holds = true;
    }
    const reservation = new MemoryReservation(this, quotas, amounts, places, time, time + this.#ttlMs);
    if (holds) {
      if (this.open.size === 0) this.#expiresFirst = reservation.expiresAt;
      this.open.add(reservation);
    }
    return reservation;
  }

  /** Ends what nobody gave back; false = nothing. Looked for only when it is needed, and when some may be there. */
  #dropExpired(time: number): boolean {
    if (time < this.#expiresFirst) return false;
    const before = this.open.size;
    this.#expiresFirst = Number.POSITIVE_INFINITY;
    for (const reservation of [...this.open.items]) {
      if (reservation.expiresAt <= time) reservation.lapse();
      else this.#expiresFirst = Math.min(this.#expiresFirst, reservation.expiresAt);
    }
    return this.open.size < before;
  }

  #stateOf(quotas: readonly Quota[], time: number): LimitState {
    return tightest(
      quotas,
      this.#limitOf,
      (quota) => this.#limitOf(quota) - this.counterOf(quota).used(time),
      (quota) => this.counterOf(quota).resetMs(time),
    );
  }

  /** Forgets quotas that nothing counts against: those of teams and keys that are gone are among them. */
  #sweep(): void {
    const time = this.now();
    for (const [id, counter] of this.#counters) if (counter.used(time) === 0) this.#counters.delete(id);
    this.#sweepAt = Math.max(MIN_SWEPT, 2 * this.#counters.size);
  }
}

class MemoryReservation implements Reservation, Bagged {
  place = -1;
  readonly expiresAt: number;
  #state: "open" | "lapsed" | "ended" = "open";
  readonly #counts: Counts;
  readonly #quotas: readonly Quota[];
  readonly #amounts: readonly number[];
  readonly #places: readonly number[];
  readonly #began: number;

  constructor(
    counts: Counts,
    quotas: readonly Quota[],
    amounts: readonly number[],
    places: readonly number[],
    began: number,
    expiresAt: number,
  ) {
    this.#counts = counts;
    this.#quotas = quotas;
    this.#amounts = amounts;
    this.#places = places;
    this.#began = began;
    this.expiresAt = expiresAt;
  }

  settle(used: Used): void {
    if (this.#state === "ended") return;
    const counts = this.#counts;
    const time = counts.now();
    const lapsed = this.#state === "lapsed";
    for (let at = 0; at < this.#quotas.length; at++) {
      const quota = this.#quotas[at]!;
      const actual = amountOf(quota.meter, used);
      counts.counterOf(quota).settle(time, this.#places[at]!, this.#amounts[at]!, actual, lapsed);
      if (quota.span.kind === "held") counts.holdTimes.note(quota, time - this.#began);
    }
    this.#end();
  }

  release(): void {
    if (this.#state === "ended") return;
    const time = this.#counts.now();
    for (let at = 0; at < this.#quotas.length; at++) {
      const quota = this.#quotas[at]!;
      if (this.#state === "lapsed" && quota.span.kind !== "window") continue;
      this.#counts.counterOf(quota).giveBack(time, this.#places[at]!, this.#amounts[at]!);
    }
    this.#end();
  }

  /** Its holds are over; what it took may still be told. */
  lapse(): void {
    this.#state = "lapsed";
    this.#counts.open.delete(this);
    for (let at = 0; at < this.#quotas.length; at++) {
      this.#counts.counterOf(this.#quotas[at]!).lapse(this.#amounts[at]!);
    }
  }

  #end(): void {
    this.#state = "ended";
    this.#counts.open.delete(this);
  }
}
