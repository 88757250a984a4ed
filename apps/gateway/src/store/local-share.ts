import { periodAt } from "../teams/period.ts";
import type { Quota } from "../teams/quota.ts";

export interface LocalShareOptions {
  /** Replicas that are assumed, at least. */
  readonly instances: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** No request holds a slot for longer. */
  readonly holdMs: number;
  /** What this replica has admitted that counts against a quota now, by itself or through the shared store. */
  readonly ownUse: (quota: Quota) => number;
}

/** What all replicas together had used of a quota when it was last heard. */
interface Total {
  readonly quota: Quota;
  /** What the others had used. */
  readonly others: number;
  /** By how much that grows in a millisecond. */
  readonly growth: number;
  readonly at: number;
}

/** What may be used of a quota while Redis is away, until the use of others from before has left it. */
interface Cap {
  readonly cap: number;
  readonly until: number;
  /** What this replica had used itself: all that it may use until then. */
  readonly own: number;
  readonly ownUntil: number;
}

/**
 * Of slots, and of a window that is shorter, what was last heard says little: the others may have used all that was left, and
 * for so long nothing is taken of it.
 */
const STALE_WITHIN_MS = 4000;
/** How much faster than before the others may have gone on since they were last heard. */
const GROWTH_MARGIN = 1.5;

/**
 * What this replica may admit of each quota while the shared store cannot be asked: its share, so that the shares of all
 * replicas are the limit exactly, and no more than its part of what was left when Redis went away, for as long as that counts.
 */
export class LocalShare {
  /** Replicas that limits are shared out to. */
  live: number;
  /** The place of this one among them, from 0; Infinity = not known, so that it gets none of what does not divide. */
  rank: number;
  readonly #options: LocalShareOptions;
  readonly #totals = new Map<string, Total>();
  readonly #caps = new Map<string, Cap>();
  #away = false;

  constructor(options: LocalShareOptions) {
    this.#options = options;
    this.live = options.instances;
    this.rank = options.instances === 1 ? 0 : Number.POSITIVE_INFINITY;
  }

  /** Notes who was heard: `rank` is this replica's place among `live`. */
  hear(live: number, rank: number): void {
    this.live = Math.max(live, this.#options.instances);
    this.rank = rank;
  }

  /** Notes what all replicas together have used of quotas now, and what of that this one has. */
  hearTotals(quotas: readonly Quota[], totals: readonly number[], own: readonly number[]): void {
    const at = this.#options.now();
    for (let index = 0; index < quotas.length; index++) {
      const quota = quotas[index]!;
      const others = Math.max(0, totals[index]! - own[index]!);
      const before = this.#totals.get(quota.id);
      const growth = before === undefined ? 0 : Math.max(0, (others - before.others) / Math.max(1, at - before.at));
      this.#totals.set(quota.id, { quota, others, growth, at });
    }
  }

  /** Forgets what was heard of quotas. */
  forgetTotals(): void {
    this.#totals.clear();
  }

  /** Redis is away from now on. */
  begin(): void {
    this.#away = true;
    this.#caps.clear();
    for (const total of this.#totals.values()) this.#caps.set(total.quota.id, this.#capOf(total));
  }

  /** Redis can be asked again. */
  end(): void {
    this.#away = false;
    this.#caps.clear();
  }

  /** What this replica may use of a quota: all of it while the shared store decides. */
  limitOf(quota: Quota): number {
    if (!this.#away) return quota.limit;
    const share = partOf(quota.limit, this.live, this.rank);
    const cap = this.#caps.get(quota.id);
    const time = this.#options.now();
    if (cap === undefined || time >= cap.until) return share;
    if (time < cap.ownUntil) return Math.min(share, cap.own);
    // Nothing leaves a period before its end: there the part of what was left is all that there is to share.
    return quota.span.kind === "period" ? cap.cap : Math.min(share, cap.cap);
  }

  /**
   * What this replica used stays its own as it leaves the window, and of what was left it takes its part: then all together
   * never have more than the limit in any window.
   */
  #capOf({ quota, others, growth, at }: Total): Cap {
    const { now, ownUse } = this.#options;
    const time = now();
    const own = ownUse(quota);
    const { span } = quota;
    const left = quota.limit - own - others - Math.ceil(growth * (time - at) * GROWTH_MARGIN);
    const cap = own + partOf(Math.max(0, left), this.live, this.rank);
    const isQuick = span.kind === "held" || (span.kind === "window" && span.ms < STALE_WITHIN_MS);
    const ownUntil = isQuick && this.live > 1 ? time + STALE_WITHIN_MS : time;
    return { cap, until: time + this.#countsForMs(span), own, ownUntil };
  }

  /** For how long what was used before Redis went away may count. */
  #countsForMs(span: Quota["span"]): number {
    if (span.kind === "window") return span.ms;
    if (span.kind === "held") return this.#options.holdMs;
    const wall = this.#options.wallNow();
    return periodAt(wall, span.every).end - wall;
  }
}

/** The part of a whole number that the replica with this rank gets: all parts together are that number. */
export function partOf(amount: number, live: number, rank: number): number {
  const whole = Math.floor(amount / live);
  return rank < amount - whole * live ? whole + 1 : whole;
}
